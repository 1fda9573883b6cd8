"""Runs of the same question over time: what CI asks every night, in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.assessment.result import Result
from harness.judge.check import Check, CheckKind
from harness.judge.verdict import Verdict
from harness.scenario import Scenario

# A run is held against so many before it.
BASELINE_RUNS = 5


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One run of a question.

    Attributes:
        objective: the first percentile that was promised; empty when none was.
        estimate_ns: of it; None of too few signals.
        lower_ns: lower end of its interval; None without one.
        upper_ns: upper end of its interval; None without one.
        change: "slower" or "faster" where its interval lies wholly beside those of the last few
            runs that had one; else empty.
        unverified: why the stored result cannot be believed; empty where it can.
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
    """The runs of one question, in order of their ids and so of time.

    Attributes:
        question: the scenario but for its seed.
    """

    question: Scenario
    points: tuple[TrendPoint, ...]


def trends_of(runs: Iterable[tuple[Scenario, Result, str]]) -> tuple[Trend, ...]:
    """Runs by question; a scenario whose load was changed is another question.

    Args:
        runs: what each asked, its result, and why that cannot be believed; empty where it can.
    """
    by_question: dict[str, tuple[Scenario, list[TrendPoint]]] = {}
    for scenario, result, unverified in sorted(runs, key=lambda run: run[1].run_id):
        question = scenario.model_copy(update={"seed": 0})
        _, nights = by_question.setdefault(question.model_dump_json(), (question, []))
        nights.append(_night(scenario, result, unverified))
    return tuple(
        Trend(question, tuple(_with_changes(nights))) for question, nights in by_question.values()
    )


def _night(scenario: Scenario, result: Result, unverified: str) -> TrendPoint:
    check = _promised(result.judgement.checks)
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


def _promised(checks: Sequence[Check]) -> Check | None:
    found = (c for c in checks if c.kind is CheckKind.OBJECTIVE and "estimate_ns" in c.figures)
    return next(found, None)


def _figure(check: Check | None, name: str) -> int | None:
    value = check.figures.get(name) if check else None
    return int(value) if isinstance(value, (int, float)) else None


def _with_changes(nights: Sequence[TrendPoint]) -> Iterator[TrendPoint]:
    """Each run held against those before it; one that was INVALID says nothing of the system."""
    before: list[tuple[int, int]] = []
    for night in nights:
        lower, upper = night.lower_ns, night.upper_ns
        if night.unverified or night.verdict is Verdict.INVALID or lower is None or upper is None:
            yield night
            continue
        change = ""
        if before and all(lower > high for _, high in before[-BASELINE_RUNS:]):
            change = "slower"
        elif before and all(upper < low for low, _ in before[-BASELINE_RUNS:]):
            change = "faster"
        before.append((lower, upper))
        yield replace(night, change=change)
