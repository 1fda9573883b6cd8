"""Why a diagnosis is made: the objective that was missed, or that is near its limit."""

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
# Figures of a check that may hold the duration that it compares with the limit.
_VALUES = ("estimate_ns", "worst_ns", "max_ns")
# Validity checks that load of the host may break, whatever the latency.
_HOST_SENSITIVE = frozenset(
    spec.id for spec in (GENERATOR_LAG_P99, GENERATOR_LAG_P99_9, OBSERVER_DELAY, HOST_INTERFERENCE)
)


@dataclass(frozen=True, slots=True)
class Trigger:
    """The objective to be explained.

    Attributes:
        because: the objective and its value, as text.
        limit_ns: limit of the latency; None where no latency objective is near its limit.
        percentile: the percentile that the objective limits.
        mode: mode of its signals, "lite" or "full"; None for all.
        stage: its stage; None for the whole measured load.
        harness_was_late: whether generator or observer was late, whatever the latency.
    """

    because: str
    limit_ns: int | None = None
    percentile: float = 99.0
    mode: str | None = None
    stage: str | None = None
    harness_was_late: bool = False


def find_trigger(scenario: Scenario, judgement: Judgement, *, on_demand: bool) -> Trigger | None:
    """The objective to explain; None when all are far from their limits, unless `on_demand`.

    Of several, the percentile nearest to its limit, or furthest beyond it; a maximum is one signal
    and counts only where no percentile does. Then come failed objectives without a duration, and
    last a generator or an observer that was late.
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
        if not objective.is_system_duration or not limit_ns:
            continue
        for check in checks:
            value_ns = _value_ns(check)
            if check.objective != objective.text or value_ns is None:
                continue
            if value_ns < NEAR_SHARE * limit_ns:
                continue
            ratio = value_ns / limit_ns
            value = format_duration(value_ns)
            trigger = Trigger(
                because=f"{check.name}: {value} is {format_percent(ratio)} of the limit",
                limit_ns=limit_ns,
                percentile=objective.percentile or 99.0,
                mode=check.mode or None,
                stage=objective.stage,
            )
            yield (objective.percentile == 100.0, -ratio, check.name), trigger


def _value_ns(check: Check) -> float | None:
    for name in _VALUES:
        value = check.figures.get(name)
        if isinstance(value, int | float):
            return value
    return None


def _of_the_generator(scenario: Scenario, check: Check) -> bool:
    """Whether it is an objective of the load, which does not depend on the system."""
    return any(
        check.objective == objective.text and not objective.measures.of_system
        for objective in scenario.parsed_objectives()
    )
