"""The gauge of a percentile objective."""

from __future__ import annotations

import pytest

from harness.judge.check import Figure
from harness.judge.scope import objective_spec
from harness.judge.verdict import Verdict
from harness.report.html.summary import _gauge
from harness.scenario.objective import parse_objective


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"confidence": 0.9875}, "20.0 ms to 40.0 ms, each at 98.8 %"),
        ({}, "20.0 ms to 40.0 ms, each at 95 %"),
        ({"lower_ns": None}, "no lower bound to 40.0 ms, each at 95 %"),
        ({"upper_ns": None}, "no upper bound"),
    ],
)
def test_it_names_the_confidence_and_what_is_open(changes: dict[str, Figure], text: str) -> None:
    """A run with interim analyses has other bounds than one of a fixed length."""
    figures: dict[str, Figure] = {
        "estimate_ns": 30_000_000,
        "limit_ns": 500_000_000,
        "lower_ns": 20_000_000,
        "upper_ns": 40_000_000,
    }
    spec = objective_spec(parse_objective("p99 < 500 ms"))
    check = spec.judged(Verdict.PASS, "made up", {**figures, **changes})
    gauge = _gauge(check)
    assert gauge is not None
    assert gauge.value == f"30.0 ms ({text})"
