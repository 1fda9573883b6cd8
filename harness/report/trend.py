"""Runs of one scenario over time, such as those of a nightly CI job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.assessment.result import Result
from harness.judge.check import Check, CheckKind
from harness.judge.verdict import Verdict
from harness.scenario import Scenario

# A run is compared with so many before it.
BASELINE_RUNS = 5


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One run of a scenario.

    Attributes:
        objective: the first objective with a percentile; empty without one.
        estimate_ns: the percentile; None with too few signals.
        lower_ns: lower end of its interval; None without one.
        upper_ns: upper end of its interval; None without one.
        change: "slower" or "faster" where its interval overlaps none of those of the last runs
            that have one; else empty.
        unverified: why the stored result is not valid; empty where it is.
    """

    run_id: str
    scenario: str
    seed: int
    verdict: Verdict
    grade: str
    objective: str = ""
    estimate_ns: int | None = None
    lower_ns: int | None = None
    upper_ns: int | None = None
    change: str = ""
    unverified: str = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """The runs of one scenario, in order of their ids and so of time.

    Attributes:
        question: the scenario without its seed.
    """

    question: Scenario
    points: tuple[TrendPoint, ...]


def trends_of(runs: Iterable[tuple[Scenario, Result, str]]) -> tuple[Trend, ...]:
    """Runs by scenario; one whose load was changed is another scenario.

    Args:
        runs: scenario and result of each, and why the result is not valid; empty where it is.
    """
    by_question: dict[str, tuple[Scenario, list[TrendPoint]]] = {}
    for scenario, result, unverified in sorted(runs, key=lambda run: run[1].run_id):
        question = scenario.model_copy(update={"seed": 0})
        _, points = by_question.setdefault(question.model_dump_json(), (question, []))
        points.append(_point(scenario, result, unverified))
    return tuple(
        Trend(question, tuple(_with_changes(points))) for question, points in by_question.values()
    )


def _point(scenario: Scenario, result: Result, unverified: str) -> TrendPoint:
    check = _percentile_check(result.judgement.checks)
    return TrendPoint(
        run_id=result.run_id,
        scenario=scenario.name,
        seed=scenario.seed,
        verdict=result.verdict,
        grade=result.judgement.grade.level,
        objective=check.name if check else "",
        estimate_ns=_figure(check, "estimate_ns"),
        lower_ns=_figure(check, "lower_ns"),
        upper_ns=_figure(check, "upper_ns"),
        unverified=unverified,
    )


def _percentile_check(checks: Sequence[Check]) -> Check | None:
    found = (c for c in checks if c.kind is CheckKind.OBJECTIVE and "estimate_ns" in c.figures)
    return next(found, None)


def _figure(check: Check | None, name: str) -> int | None:
    value = check.figures.get(name) if check else None
    return int(value) if isinstance(value, (int, float)) else None


def _with_changes(points: Sequence[TrendPoint]) -> Iterator[TrendPoint]:
    """Compare each run with those before it; an INVALID one measures nothing and is skipped."""
    before: list[tuple[int, int]] = []
    for point in points:
        lower, upper = point.lower_ns, point.upper_ns
        if point.unverified or point.verdict is Verdict.INVALID or lower is None or upper is None:
            yield point
            continue
        change = ""
        if before and all(lower > high for _, high in before[-BASELINE_RUNS:]):
            change = "slower"
        elif before and all(upper < low for low, _ in before[-BASELINE_RUNS:]):
            change = "faster"
        before.append((lower, upper))
        yield replace(point, change=change)
