"""Figures and errors as text: one function for each style."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import formatting
from harness.errors import EvidenceError, error_text

MS = 1_000_000


@pytest.mark.parametrize(
    ("value_ns", "sentence", "table"),
    [
        (None, "unknown", "-"),
        (0, "0 ms", "0 us"),
        (4_100_000, "4.1 ms", "4.10 ms"),
        (50_000, "0.05 ms", "50.0 us"),
        (1_234 * MS, "1,234 ms", "1.23 s"),
        (61_000 * MS, "61.0 s", "61.0 s"),
    ],
)
def test_durations_in_sentences_and_tables(value_ns: int | None, sentence: str, table: str) -> None:
    """A sentence shows up to three digits, a table keeps their zeros."""
    assert formatting.format_duration(value_ns) == sentence
    assert formatting.format_duration_fixed(value_ns) == table


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        (formatting.format_share, 0.0025, "0.25 %"),
        (formatting.format_share_fixed, 0.0025, "0.25 %"),
        (formatting.format_share_fixed, 0.025, "2.50 %"),
        (formatting.format_percent, 0.0025, "0.2 %"),
        (formatting.format_percent, 0.425, "42 %"),
        (formatting.format_share_of_second, 0.4125, "412 ms"),
        (formatting.format_bytes, 87, "87 B"),
        (formatting.format_bytes, 1_020 * 1_024, "1,020 KiB"),
        (formatting.format_bytes, 3.42 * (1 << 30), "3.42 GiB"),
        (formatting.format_number, 1.2e-5, "1.2e-05"),
        (formatting.format_rate, 99.96, "100/s"),
        (formatting.format_percentile, 99.9, "P99.9"),
        (formatting.format_cores, 1.0, "1.00 cores"),
        (formatting.format_count, 2**64, "18,446,744,073,709,551,616"),
        (formatting.format_count, 12_088.4, "12,088"),
    ],
)
def test_figures(form: Callable[[float], str], value: float, text: str) -> None:
    """Each kind of figure, at the places where its style changes."""
    assert form(value) == text


@given(st.integers(0, 10**400))
def test_counts_of_any_size_have_their_noun(number: int) -> None:
    """Stored evidence may have a count beyond any float."""
    text = formatting.format_count(number, "entry", "entries")
    assert text == f"{number:,} {'entry' if number == 1 else 'entries'}"


@pytest.mark.parametrize(
    ("error", "with_type", "text"),
    [
        (
            EvidenceError("is missing", where="plan.json", hint="look"),
            True,
            "plan.json: is missing",
        ),
        (EvidenceError("is missing"), False, "is missing"),
        (OSError("disk\n  full"), True, "OSError: disk full"),
        (OSError("disk\n  full"), False, "disk full"),
        (TimeoutError(), True, "TimeoutError"),
        (TimeoutError(), False, "TimeoutError"),
    ],
)
def test_errors_are_one_line(error: Exception, with_type: bool, text: str) -> None:
    """Ours without the hint, others with their type or without."""
    assert error_text(error, with_type=with_type) == text
