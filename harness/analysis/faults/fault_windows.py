"""Disruptions of a run, the time windows that they affect, and durations outside of those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.faults.recovery import DISRUPTION_EVENTS, Recovery
from harness.analysis.histogram import bucket_high_ns, rank_of
from harness.analysis.series import BIN_COUNT, Series
from harness.analysis.statistics import size_needed
from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.fault_log import FaultRecord
from harness.evidence.run_documents import RunEvent
from harness.scenario.fault_registry import kinds_where

# The recovery objective: effects of a fault end within this time after its end.
RECOVERY_LIMIT_NS = 15 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Disruption:
    """An injected fault or an unplanned event that the system has to recover from.

    Attributes:
        kind: of the fault, or of the event.
        what: description.
        began_ns: start; monotonic.
        mono_ns: start of the recovery time; monotonic.
    """

    kind: str
    what: str
    began_ns: int
    mono_ns: int


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """The signals that a fault may affect, by their intended time.

    A system that does not recover within RECOVERY_LIMIT_NS misses the objective, and its later
    latencies count: otherwise one fault would exclude the rest of the run.

    Attributes:
        start_ns: one normal latency before the injection, because signals in flight are affected
            too; monotonic.
        end_ns: when the fault was proven healed and no signal was overdue any more, at most
            RECOVERY_LIMIT_NS after the healing; the end of the observation if it never was.
    """

    start_ns: int
    end_ns: int


def is_caused_by_fault(event: RunEvent, records: Iterable[FaultRecord]) -> bool:
    """Whether a planned fault caused the restart of a service."""
    disruptive = kinds_where(lambda kind: kind.disruptive)
    return event.kind in DISRUPTION_EVENTS and any(
        record.kind in disruptive
        and record.injected_ns is not None
        and record.injected_ns
        <= event.mono_ns
        <= (record.heal_proven_ns or record.healed_ns or record.injected_ns) + RECOVERY_LIMIT_NS
        for record in records
    )


def find_disruptions(
    events: Iterable[RunEvent], records: Sequence[FaultRecord]
) -> tuple[Disruption, ...]:
    """Injected faults and the events that they do not cause, in order of `mono_ns`."""
    disruptions = [
        Disruption(record.kind, _describe(record), record.injected_ns, record.recovery_start_ns)
        for record in records
        if record.injected_ns is not None and record.recovery_start_ns is not None
    ]
    disruptions += [
        Disruption(event.kind, event.what, event.mono_ns, event.mono_ns)
        for event in events
        if event.kind in DISRUPTION_EVENTS and not is_caused_by_fault(event, records)
    ]
    return tuple(sorted(disruptions, key=lambda one: one.mono_ns))


def _describe(record: FaultRecord) -> str:
    return f"{record.name} for {record.for_ns / NS_PER_S:g} s" if record.for_ns else record.name


def fault_windows(
    disruptions: Sequence[tuple[Disruption, Recovery]],
    records: Sequence[FaultRecord],
    end_ns: int,
) -> tuple[FaultWindow, ...]:
    """The window of each disruption, in order.

    Args:
        disruptions: disruptions and the recoveries from them.
        records: of the faults.
        end_ns: end of the observation.
    """
    healed = {
        (record.kind, record.injected_ns): record.heal_proven_ns or end_ns for record in records
    }
    return tuple(
        _window(one, recovery, healed.get((one.kind, one.began_ns), one.mono_ns), end_ns)
        for one, recovery in disruptions
    )


def _window(one: Disruption, recovery: Recovery, healed_ns: int, end_ns: int) -> FaultWindow:
    recovered_ns = end_ns if recovery.backlog_ns is None else one.mono_ns + recovery.backlog_ns
    return FaultWindow(
        one.began_ns - min(recovery.normal_ns or 0, RECOVERY_LIMIT_NS),
        max(healed_ns, min(recovered_ns, healed_ns + RECOVERY_LIMIT_NS)),
    )


@dataclass(frozen=True, slots=True)
class BaselineDurations:
    """Durations of the signals intended outside of every window.

    Attributes:
        counts: by bin of a series.
    """

    counts: np.ndarray[tuple[int], np.dtype[np.int64]]

    @property
    def count(self) -> int:
        """Number of durations."""
        return int(self.counts.sum())

    def percentile_ns(self, percentile: float) -> int | None:
        """A percentile, the upper end of its bucket; None for too few durations."""
        total = self.count
        if total < size_needed(percentile):
            return None
        return self._at(rank_of(percentile, total))

    @property
    def max_ns(self) -> int:
        """The longest duration, the upper end of its bucket."""
        return self._at(self.count) if self.count else 0

    def _at(self, rank: int) -> int:
        bin_number = int(np.searchsorted(np.cumsum(self.counts), rank))
        return max(0, bucket_high_ns(bin_number - 1)) if bin_number else 0


def merge_baselines(parts: Iterable[BaselineDurations]) -> BaselineDurations:
    """Sum of several."""
    total = np.zeros(BIN_COUNT, dtype=np.int64)
    for part in parts:
        total += part.counts
    return BaselineDurations(total)


def baseline_durations(
    series: Series, spans: Sequence[FaultWindow], t0_ns: int
) -> BaselineDurations:
    """The durations of a series outside of all windows."""
    total = np.zeros(BIN_COUNT, dtype=np.int64)
    for when, what in series.chunks():
        outside = np.ones(len(when), dtype=np.bool_)
        for span in spans:
            start_ms = (span.start_ns - t0_ns) // NS_PER_MS
            end_ms = (span.end_ns - t0_ns) // NS_PER_MS
            outside &= (when < max(0, start_ms)) | (when > max(0, end_ms))
        total += np.bincount(what[outside], minlength=len(total))
    return BaselineDurations(total)
