"""Objectives that always or never hold, and ranks that are no decimal numbers, are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario import parse_objective

ALWAYS_OR_NEVER = [
    ("p99 < 0 ms", "never holds"),
    ("max < 0 s", "never holds"),
    ("p99 of service < 0.0 ms", "never holds"),
    ("p99 < 0.4 us", "never holds"),
    ("stage 1 p99 < 0 ms", "never holds"),
    ("p99 over any 10 s < 0 us", "never holds"),
    ("recovery < 0 s", "never holds"),
    ("rejected < 0 %", "never holds"),
    ("rejected < 0.000 %", "never holds"),
    ("rejected < 100 %", "is no limit"),
    ("rejected < 100.0 %", "is no limit"),
    ("simulated >= 0 %", "is no limit"),
    ("rate >= 0.0 %", "is no limit"),
    ("p99 < 4000 s", "longest duration"),
    ("recovery < 999999999999 s", "longest duration"),
]


@pytest.mark.parametrize(("text", "why"), ALWAYS_OR_NEVER)
def test_objective_that_cannot_be_missed_or_met_is_refused(text: str, why: str) -> None:
    """The message says which of both, and what may be written."""
    with pytest.raises(ValueError, match=why):
        parse_objective(text)


@pytest.mark.parametrize(
    "text",
    ["rejected < 0.1 %", "rejected < 99.9 %", "simulated >= 100 %", "rate >= 100 %", "p99 < 1 us"],
)
def test_objective_at_the_edge_of_sense_is_accepted(text: str) -> None:
    """Hard to keep, or to break, is not the same as impossible."""
    assert parse_objective(text).text == text


@pytest.mark.parametrize(
    "rank",
    """
p1_0 p٩٩ p9٩ p+5 p1e1 p.5 p99. p99.9.9 p099 p00 p0 p0.0 p100 p pnan p-1 p\uff19\uff19 p²
""".split(),  # noqa: SIM905 - one literal a rank takes a page
)
def test_rank_is_an_ascii_decimal_between_0_and_100(rank: str) -> None:
    """What Python would read as a number, and a reader would not, is no rank."""
    with pytest.raises(ValueError, match=r"percentile|objective"):
        parse_objective(f"{rank} < 5 ms")


@given(st.text(max_size=6))
def test_any_accepted_rank_reads_as_what_it_says(text: str) -> None:
    """No other rank than digits with at most one point."""
    try:
        objective = parse_objective(f"p{text} < 5 ms")
    except ValueError:
        return
    rank = objective.text.split()[0][1:]
    assert rank.isascii()
    assert rank.replace(".", "", 1).isdigit()
    assert objective.percentile == float(rank)
