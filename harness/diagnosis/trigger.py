"""Why a diagnosis is made: the promise that was broken, or that was nearly so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.diagnosis.thresholds import NEAR_SHARE
from harness.formatting import format_duration, format_percent
from harness.judge.check import Check, CheckKind
from harness.judge.host_check import HOST_INTERFERENCE
from harness.judge.judgement import Judgement
from harness.judge.observer_delay import OBSERVER_DELAY
from harness.judge.validity import GENERATOR_LAG_P99, GENERATOR_LAG_P99_9
from harness.judge.verdict import Status
from harness.scenario import Scenario

ON_DEMAND = "on demand"
# Where a check of each kind of duration has the value that was held against the limit.
_VALUES = ("estimate_ns", "worst_ns", "max_ns")
_SYSTEMS_OWN = ("latency", "service")
# Checks of the run that the host may have broken, whatever the latency was.
_HOST_SENSITIVE = frozenset(
    spec.id for spec in (GENERATOR_LAG_P99, GENERATOR_LAG_P99_9, OBSERVER_DELAY, HOST_INTERFERENCE)
)


@dataclass(frozen=True, slots=True)
class Trigger:
    """What the signals are held against.

    Attributes:
        because: in words.
        limit_ns: of the latency; None where no promise of one was near.
        percentile: that is promised.
        mode: whose signals it speaks of, "lite" or "full"; None for all.
        stage: of which stage; None for the whole measured load.
        of_the_run: whether the harness itself was late, however quick the signals were.
    """

    because: str
    limit_ns: int | None = None
    percentile: float = 99.0
    mode: str | None = None
    stage: str | None = None
    harness_was_late: bool = False


def find_trigger(scenario: Scenario, judgement: Judgement, *, on_demand: bool) -> Trigger | None:
    """The promise to explain; None when every one was kept with ease and nobody asks.

    Of several, the percentile nearest to its limit, or furthest beyond; a maximum is one signal
    and speaks only where no percentile does. Then come promises without a duration that failed, and
    at last a generator or an observer that was late.
    """
    near = sorted(_near(scenario, judgement), key=lambda found: found[0])
    if near:
        return near[0][1]
    for check in judgement.of(CheckKind.OBJECTIVE):
        if check.status is Status.FAIL and not _of_the_generator(scenario, check):
            return Trigger(f"{check.name}: {check.message}")
    for check in judgement.of(CheckKind.VALIDITY):
        if check.status is Status.INVALID and check.id in _HOST_SENSITIVE:
            return Trigger(f"{check.name}: {check.message}", harness_was_late=True)
    return Trigger(ON_DEMAND) if on_demand else None


def _near(
    scenario: Scenario, judgement: Judgement
) -> Iterator[tuple[tuple[bool, float, str], Trigger]]:
    checks = judgement.of(CheckKind.OBJECTIVE)
    for objective in scenario.parsed_objectives():
        limit_ns = objective.limit_ns
        if objective.metric not in _SYSTEMS_OWN or not limit_ns:
            continue
        for check in checks:
            value_ns = _value_ns(check)
            if check.objective != objective.text or value_ns is None:
                continue
            if value_ns < NEAR_SHARE * limit_ns:
                continue
            ratio = value_ns / limit_ns
            concern = Trigger(
                because=f"{check.name}: {format_duration(value_ns)} is {format_percent(ratio)} of the limit",
                limit_ns=limit_ns,
                percentile=objective.percentile or 99.0,
                mode=check.mode or None,
                stage=objective.stage,
            )
            yield (objective.percentile == 100.0, -ratio, check.name), concern


def _value_ns(check: Check) -> float | None:
    for name in _VALUES:
        value = check.figures.get(name)
        if isinstance(value, int | float):
            return value
    return None


def _of_the_generator(scenario: Scenario, check: Check) -> bool:
    """Whether it is a promise of the load, which tells nothing of the system."""
    return any(
        check.objective == objective.text and objective.metric in ("lateness", "rate")
        for objective in scenario.parsed_objectives()
    )
