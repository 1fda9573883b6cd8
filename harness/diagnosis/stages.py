"""What the split of the time says: which stage holds most of it, and which one grows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.analysis.measurement import BreakdownStageFigures, LatencyBreakdownFigures
from harness.clock import NS_PER_MS
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.series_slice import baseline_slice, slow_slice
from harness.diagnosis.thresholds import CENSORED_SHARE, GROWS_LIMIT_SHARE, GROWS_TIMES
from harness.formatting import format_duration, format_milliseconds, format_percent

# By the cut that a stage begins at: where to look for its cause.
_WHERE = {
    "intended": "the generator's own lateness",
    "sent": "the way into Redis",
    "accepted by Redis": "waiting for a worker of the engine to take it up",
    "INIT committed": "simulation, nonce lock and commit",
    "SIMULATED committed": "the observer's own delay",
}

# The specified metric of the engine's page; a step that contains others is left out.
_TRANSITION = re.compile(
    r"\.defi_fsm_transition_duration_ms\{.*?mode=(?P<mode>\w+).*?transition=(?P<transition>[^,}]+)"
    r".*\}\.mean$"
)


def describe_stages(subject: DiagnosisContext) -> tuple[str, ...]:
    """A sentence or two for each mode that the promise speaks of."""
    modes = [
        split
        for split in subject.facts.measurement.splits
        if split.phase == "measure" and subject.trigger.mode in (None, split.mode)
    ]
    by_cuts = tuple(
        f"{split.mode}: {said}" if len(modes) > 1 else said
        for split in modes
        for said in _sentences(split, GROWS_LIMIT_SHARE * subject.limit_ms * NS_PER_MS)
    )
    return (*by_cuts, *_by_the_engine(subject), *_never_arrived(subject))


def _sentences(split: LatencyBreakdownFigures, least_ns: float) -> Iterator[str]:
    if not split.stages or split.total_sum_ns <= 0:
        return
    most = max(split.stages, key=lambda stage: stage.sum_ns)
    yield (
        f"{_name(most)} holds {format_percent(most.sum_ns / split.total_sum_ns)} of the mean"
        f" ({format_duration(most.mean_ns)} of {format_duration(split.total_mean_ns)}){_where(most)}"
    )
    slowest = max(split.stages, key=_tail_ns)
    whose = "its" if slowest is most else f"of slow signals it is {_name(slowest)}:"
    what = "longest time" if slowest.p99_ns is None else "P99"
    said = f"{whose} {what} is {format_duration(_tail_ns(slowest))}"
    if slowest.p50_ns and _tail_ns(slowest) >= max(GROWS_TIMES * slowest.p50_ns, least_ns):
        said += f", {_tail_ns(slowest) / slowest.p50_ns:,.0f} times its median: it is what grows"
    yield said + ("" if slowest is most else _where(slowest))


def _never_arrived(subject: DiagnosisContext) -> Iterator[str]:
    account = subject.facts.measurement.accounts.get("measure")
    if account is None or not account.attempted:
        return
    gone = account.lost + account.refused + account.in_flight
    if gone >= CENSORED_SHARE * account.attempted:
        yield (
            f"{gone:,} of {account.attempted:,} signals never arrived: they are in the latency with"
            " the time that they had, and in no stage"
        )


def _by_the_engine(subject: DiagnosisContext) -> Iterator[str]:
    """The engine's own times from step to step, the longest of them in the time that matters."""
    found = []
    for track in subject.telemetry.of("page."):
        match = _TRANSITION.search(track.name)
        taken = slow_slice(subject, track.name) if match else None
        if (
            match is None
            or taken is None
            or match["mode"] != (subject.trigger.mode or match["mode"])
        ):
            continue
        found.append((taken.mean, match["transition"], track.name))
    if not found:
        return
    mean_ms, transition, name = max(found)
    said = (
        f"by the engine's own page the longest step is {transition}: {format_milliseconds(mean_ms)}"
    )
    calm = baseline_slice(subject, name)
    yield said + (f", in the other seconds {format_milliseconds(calm.mean)}" if calm else "")


def _tail_ns(stage: BreakdownStageFigures) -> int:
    return stage.max_ns if stage.p99_ns is None else stage.p99_ns


def _name(stage: BreakdownStageFigures) -> str:
    return f"'{stage.start} -> {stage.end}'"


def _where(stage: BreakdownStageFigures) -> str:
    """What lies in it; of merged stages, all of that."""
    parts = [_WHERE[cut] for cut in (stage.start, *stage.merged) if cut in _WHERE]
    return f": {' and '.join(parts)}" if parts else ""
