"""Faults on the run's time axis: what they explain, when a recovery begins, their windows."""

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

# A service that ends within this time after a fault has ended because of it; the specification's
# limit of a recovery.
RECOVERY_LIMIT_NS = 15 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Disruption:
    """Something that the system had to recover from.

    Attributes:
        kind: of the fault, or of the event.
        what: a sentence about it.
        began_ns: when it began.
        mono_ns: from when on the recovery counts.
    """

    kind: str
    what: str
    began_ns: int
    mono_ns: int


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """The signals that a fault can have touched, by their intended time.

    A system that has not recovered within RECOVERY_LIMIT_NS has missed the specification, and the
    fault explains nothing that happens later: without an end it would explain the rest of the run.

    Attributes:
        start_ns: a normal time before the injection, since those in flight were touched too;
            monotonic.
        end_ns: when it was seen healed and nothing was overdue any more, at most RECOVERY_LIMIT_NS
            after it was seen healed; the end of the observation if it never was.
    """

    start_ns: int
    end_ns: int


def is_caused_by_fault(event: RunEvent, records: Iterable[FaultRecord]) -> bool:
    """Whether a service was started again because of a planned fault."""
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
    """Every fault that was injected and every event that none explains, in order of recovery."""
    found = [
        Disruption(record.kind, _words(record), record.injected_ns, record.recovery_start_ns)
        for record in records
        if record.injected_ns is not None and record.recovery_start_ns is not None
    ]
    found += [
        Disruption(event.kind, event.what, event.mono_ns, event.mono_ns)
        for event in events
        if event.kind in DISRUPTION_EVENTS and not is_caused_by_fault(event, records)
    ]
    return tuple(sorted(found, key=lambda one: one.mono_ns))


def _words(record: FaultRecord) -> str:
    return f"{record.name} for {record.for_ns / NS_PER_S:g} s" if record.for_ns else record.name


def fault_windows(
    found: Sequence[tuple[Disruption, Recovery]],
    records: Sequence[FaultRecord],
    end_ns: int,
) -> tuple[FaultWindow, ...]:
    """The time of each disturbance, in the order of `found`.

    Args:
        found: disturbances and their recoveries.
        records: of the faults.
        end_ns: when the observation ended.
    """
    healed = {
        (record.kind, record.injected_ns): record.heal_proven_ns or end_ns for record in records
    }
    return tuple(
        _window(one, recovery, healed.get((one.kind, one.began_ns), one.mono_ns), end_ns)
        for one, recovery in found
    )


def _window(one: Disruption, recovery: Recovery, healed_ns: int, end_ns: int) -> FaultWindow:
    gone_ns = end_ns if recovery.backlog_ns is None else one.mono_ns + recovery.backlog_ns
    return FaultWindow(
        one.began_ns - min(recovery.normal_ns or 0, RECOVERY_LIMIT_NS),
        max(healed_ns, min(gone_ns, healed_ns + RECOVERY_LIMIT_NS)),
    )


@dataclass(frozen=True, slots=True)
class BaselineDurations:
    """Durations of the signals that were intended outside of every window.

    Attributes:
        counts: by place of a series.
    """

    counts: np.ndarray[tuple[int], np.dtype[np.int64]]

    @property
    def count(self) -> int:
        """How many."""
        return int(self.counts.sum())

    def percentile_ns(self, percentile: float) -> int | None:
        """Upper end of the bucket; None of too few."""
        total = self.count
        if total < size_needed(percentile):
            return None
        return self._at(rank_of(percentile, total))

    @property
    def max_ns(self) -> int:
        """Upper end of the bucket of the longest."""
        return self._at(self.count) if self.count else 0

    def _at(self, rank: int) -> int:
        place = int(np.searchsorted(np.cumsum(self.counts), rank))
        return max(0, bucket_high_ns(place - 1)) if place else 0


def merge_baselines(parts: Iterable[BaselineDurations]) -> BaselineDurations:
    """Several together."""
    total = np.zeros(BIN_COUNT, dtype=np.int64)
    for part in parts:
        total += part.counts
    return BaselineDurations(total)


def baseline_durations(
    series: Series, spans: Sequence[FaultWindow], t0_ns: int
) -> BaselineDurations:
    """The part of a series that no window touches."""
    total = np.zeros(BIN_COUNT, dtype=np.int64)
    for when, what in series.chunks():
        outside = np.ones(len(when), dtype=np.bool_)
        for span in spans:
            start_ms = (span.start_ns - t0_ns) // NS_PER_MS
            end_ms = (span.end_ns - t0_ns) // NS_PER_MS
            outside &= (when < max(0, start_ms)) | (when > max(0, end_ms))
        total += np.bincount(what[outside], minlength=len(total))
    return BaselineDurations(total)
