"""What the latency breakdown shows: which stage has the largest share, and which has the tail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harness.analysis.measurement import BreakdownStageFigures, LatencyBreakdownFigures
from harness.clock import NS_PER_MS
from harness.diagnosis.answers import StageShare
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.series_slice import baseline_slice, slow_slice
from harness.formatting import format_duration, format_milliseconds, format_percent

# A stage has a tail when its P99 is so many medians, and a tenth of the limit at least.
TAIL_TIMES = 3.0
TAIL_LIMIT_SHARE = 0.10
# From this share on, signals without a latency shape the percentile and no stage shows them.
CENSORED_SHARE = 0.01

# By the event that begins a stage: where to look for its cause.
_WHERE = {
    "intended": "send lag of the generator",
    "sent": "the path into Redis",
    "accepted by Redis": "waiting for a worker of the engine",
    "INIT committed": "simulation, nonce lock and commit",
    "SIMULATED committed": "delay of the observer",
}

# The specified metric of the engine's metrics page; steps that contain others are left out.
_TRANSITION = re.compile(
    r"\.defi_fsm_transition_duration_ms\{.*?mode=(?P<mode>\w+).*?transition=(?P<transition>[^,}]+)"
    r".*\}\.mean$"
)


def describe_stages(context: DiagnosisContext) -> tuple[str, ...]:
    """A sentence or two for each mode that the objective covers."""
    modes = [
        split
        for split in context.facts.measurement.splits
        if split.phase == "measure" and context.trigger.mode in (None, split.mode)
    ]
    by_stage = tuple(
        f"{split.mode}: {message}" if len(modes) > 1 else message
        for split in modes
        for message in _sentences(split, TAIL_LIMIT_SHARE * context.limit_ms * NS_PER_MS)
    )
    return (*by_stage, *_by_the_engine(context), *_censored(context))


def largest_stage(splits: Iterable[LatencyBreakdownFigures]) -> StageShare | None:
    """Of the measured signals' mode with the most latency in all; None without a breakdown."""
    measured = (split for split in splits if split.phase == "measure" and split.stages)
    split = max(measured, key=lambda one: one.total_sum_ns, default=None)
    if split is None or split.total_sum_ns <= 0:
        return None
    stage = _largest(split)
    return StageShare(
        start=stage.start,
        end=stage.end,
        share=stage.sum_ns / split.total_sum_ns,
        contains=_contents(stage),
    )


def _largest(split: LatencyBreakdownFigures) -> BreakdownStageFigures:
    return max(split.stages, key=lambda stage: stage.sum_ns)


def _sentences(split: LatencyBreakdownFigures, least_ns: float) -> Iterator[str]:
    if not split.stages or split.total_sum_ns <= 0:
        return
    largest = _largest(split)
    yield (
        f"{_name(largest)} is {format_percent(largest.sum_ns / split.total_sum_ns)} of the mean"
        f" latency ({format_duration(largest.mean_ns)} of {format_duration(split.total_mean_ns)})"
        f"{_where(largest)}"
    )
    slowest = max(split.stages, key=_tail_ns)
    tail = "maximum" if slowest.p99_ns is None else "P99"
    stage = "it" if slowest is largest else _name(slowest)
    message = f"{stage} has the largest {tail}, {format_duration(_tail_ns(slowest))}"
    if slowest.p50_ns and _tail_ns(slowest) >= max(TAIL_TIMES * slowest.p50_ns, least_ns):
        message += f", {_tail_ns(slowest) / slowest.p50_ns:,.0f} times its median"
    yield message + ("" if slowest is largest else _where(slowest))


def _censored(context: DiagnosisContext) -> Iterator[str]:
    account = context.facts.measurement.accounts.get("measure")
    if account is None or not account.attempted:
        return
    censored = account.lost + account.refused + account.in_flight
    if censored >= CENSORED_SHARE * account.attempted:
        yield (
            f"{censored:,} of {account.attempted:,} signals never became final: latency counts them"
            " with the time that they had (censored), and no stage counts them"
        )


def _by_the_engine(context: DiagnosisContext) -> Iterator[str]:
    """The longest transition in the analysed time, by the engine's own metrics."""
    found = []
    for series in context.telemetry.of("page."):
        match = _TRANSITION.search(series.name)
        if match is None or match["mode"] != (context.trigger.mode or match["mode"]):
            continue
        duration = slow_slice(context, series.name)
        if duration is not None:
            found.append((duration.mean, match["transition"], series.name))
    if not found:
        return
    mean_ms, transition, name = max(found)
    message = (
        f"by the engine's own metrics the longest transition is {transition}:"
        f" {format_milliseconds(mean_ms)}"
    )
    baseline = baseline_slice(context, name)
    if baseline is not None:
        message += f" ({format_milliseconds(baseline.mean)} in the other seconds)"
    yield message


def _tail_ns(stage: BreakdownStageFigures) -> int:
    return stage.max_ns if stage.p99_ns is None else stage.p99_ns


def _name(stage: BreakdownStageFigures) -> str:
    return f"'{stage.start} -> {stage.end}'"


def _where(stage: BreakdownStageFigures) -> str:
    contents = _contents(stage)
    return f": {contents}" if contents else ""


def _contents(stage: BreakdownStageFigures) -> str:
    """What the stage contains; of merged stages, all of it."""
    starts = (stage.start, *stage.merged)
    return " and ".join(_WHERE[start] for start in starts if start in _WHERE)
