"""Durations of options and of documents, and what is said of others."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.durations import parse_duration_s, unit_of, with_numbers
from harness.errors import UsageError

SECONDS: dict[str, Decimal] = {
    "us": Decimal("1e-6"), "ms": Decimal("1e-3"), "s": Decimal(1), "m": Decimal(60),
    "min": Decimal(60), "h": Decimal(3600),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("20m", 1200), ("20min", 1200), ("1.5h", 5400), ("500ms", 0.5),
     ("1h30m", 5400), ("1h 30m", 5400), ("7d", 604_800), ("250us", 0.00025), (" 5 s ", 5)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    """In the usual units."""
    assert parse_duration_s(text, "--within") == seconds


@pytest.mark.parametrize(
    "text", ["-5s", "0", "0s", "", "5x", "s", "1e3", "nan", "5s5", "٣s", "5m-"]
)
def test_no_durations(text: str) -> None:
    """Named by the option, with a hint."""
    with pytest.raises(UsageError, match="--within") as caught:
        parse_duration_s(text, "--within")
    assert caught.value.hint


@given(st.integers(1, 9_999), st.sampled_from(sorted(SECONDS)))
def test_a_key_has_its_unit(number: int, unit: str) -> None:
    """Whatever the unit of the text: the value is the same time."""
    found = with_numbers("", {"a_s": f"{number}{unit}", "b_ms": [f"{number}{unit}"]})
    exact = number * SECONDS[unit]
    assert found == {"a_s": float(exact), "b_ms": [float(exact * 1000)]}


@given(st.text(max_size=12))
def test_other_texts_stay(text: str) -> None:
    """Names and wrong durations are left to the model of the document."""
    assert with_numbers("", {"about": text, "list": [text]}) == {"about": text, "list": [text]}
    if not text.strip()[:1].isdigit():
        assert with_numbers("a_s", text) == text


def test_a_key_without_a_unit() -> None:
    """Only the end of a key is a unit."""
    assert [unit_of(key) for key in ("a_s", "a_ms", "a_us", "as", "_s_b", "seconds")] == [
        "s", "ms", "us", "", "", "",
    ]  # fmt: skip
