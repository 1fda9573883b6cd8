"""Objectives of the recovery after a stage: `recovery < 10 s after stage spike`.

The recovery is complete when the P99 of latency is below its limit for good. The limit is the
smallest that the scenario sets to a P99 of latency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.clock import NS_PER_S
from harness.scenario.load import Load
from harness.scenario.objective import Objective

PERCENTILE = 99.0
# Start and end after the load's start.
Spans = tuple[tuple[int, int], ...]


def recovered_below_ns(objectives: Iterable[Objective]) -> int | None:
    """The limit of the P99 that a recovery has to reach; None without such an objective."""
    limits = [
        one.limit_ns
        for one in objectives
        if one.metric == "latency" and one.percentile == PERCENTILE and one.limit_ns is not None
    ]
    return min(limits, default=None)


def spans_after_stage_ns(load: Load, stage: str) -> tuple[Spans, ...]:
    """The measured spans after each repetition of a stage, until its next one begins."""
    edges_ns = [0]
    for one in load.timeline():
        edges_ns.append(edges_ns[-1] + round(one.duration_s * NS_PER_S))
    numbers = sorted(load.stage_numbers(stage))
    starts_ns = [edges_ns[number] for number in numbers]
    ends_ns = [edges_ns[number + 1] for number in numbers]
    measured = load.measured_stretches_ns()
    return tuple(
        tuple(
            (max(start, begin_ns), min(end, next_ns))
            for start, end in measured
            if max(start, begin_ns) < min(end, next_ns)
        )
        for begin_ns, next_ns in zip(ends_ns, [*starts_ns[1:], edges_ns[-1]], strict=True)
    )


def stage_recovery_misfits(objectives: Sequence[Objective], load: Load) -> list[str]:
    """What objectives of a recovery after a stage need and the scenario does not have."""
    problems: list[str] = []
    for one in objectives:
        if not one.is_stage_recovery or not load.stage_numbers(one.stage or ""):
            continue
        if recovered_below_ns(objectives) is None:
            problems.append(
                f"{one.text!r}: it ends when the P99 of latency keeps its limit, so that needs an"
                " objective, such as 'stage 1 p99 < 500 ms'"
            )
        needed_ns = (one.limit_ns or 0) + (one.window_ns or 0)
        for spans in spans_after_stage_ns(load, one.stage or ""):
            if sum(end - start for start, end in spans) < needed_ns:
                problems.append(
                    f"{one.text!r}: after stage {one.stage!r} at least {needed_ns / NS_PER_S:g} s"
                    " have to be measured, the limit and a window"
                )
                break
    return problems
