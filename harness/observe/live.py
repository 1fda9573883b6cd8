"""Running figures for people while a run is under way; evidence is judged from the files later."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.clock import NS_PER_US
from harness.contract.names import State
from harness.contract.trace_id import RUN_TAG_BITS
from harness.errors import EvidenceError
from harness.evidence.records import ATTEMPT, SIGHTING, Records, read_records
from harness.measure.statistics import size_needed
from harness.observe.plan import SIGHTINGS_FILE
from harness.observe.tripwire import Tripwire, first_failed

# A signal that is outstanding takes about 300 bytes here.
OUTSTANDING_MAX = 200_000
# Files that grow faster than this between two updates are caught up with later.
_RECORDS_MAX = 50_000
# Buckets 1 % wide from 1 us to more than an hour: fine enough for a glance.
_BUCKET_LOG = math.log(1.01)
_BUCKETS = 2_300

# In place of a mode: sent stale on purpose, so that it is no tripwire's concern.
_NO_MODE = 255

_Trace = tuple[int, int]


class LiveMatcher:
    """Holds sightings against attempts as they come; pure.

    Args:
        outstanding_max: signals kept until they are final.
        tripwires: are told of every signal.

    Attributes:
        attempted: signals attempted.
        simulated: signals seen in SIMULATED.
        final: signals seen in any final state.
        forgotten: outstanding signals dropped because there were too many.
    """

    def __init__(
        self, outstanding_max: int = OUTSTANDING_MAX, tripwires: Sequence[Tripwire] = ()
    ) -> None:
        self._outstanding_max = outstanding_max
        self._tripwires = tuple(tripwires)
        # Signals that have become final and that no tripwire has been told of.
        self._ended: list[tuple[int, int, int, int]] = []
        self._outstanding: dict[_Trace, tuple[int, int]] = {}
        # Final before its attempt was read: the files grow independently.
        self._early: dict[_Trace, tuple[int, int]] = {}
        self._counts = np.zeros(_BUCKETS, dtype=np.int64)
        self.attempted = 0
        self.simulated = 0
        self.final = 0
        self.forgotten = 0

    @property
    def backlog(self) -> int:
        """Signals attempted and not yet seen in a final state."""
        return len(self._outstanding) + self.forgotten

    def take_attempts(self, records: Records) -> None:
        """Take in records of type ATTEMPT."""
        self.attempted += len(records)
        modes = np.where(records["stale"] == 0, records["mode"], np.uint8(_NO_MODE))
        for tripwire in self._tripwires:
            tripwire.due(records["intended_ns"], modes)
        columns = (records[name].tolist() for name in ("trace_hi", "trace_lo", "intended_ns"))
        for trace_hi, trace_lo, intended_ns, mode in zip(*columns, modes.tolist(), strict=True):
            early = self._early.pop((trace_hi, trace_lo), None)
            if early is None:
                self._outstanding[trace_hi, trace_lo] = (intended_ns, mode)
            else:
                self._end(intended_ns, mode, *early)
        self._tell_ended()
        self.forgotten += _trim(self._outstanding, self._outstanding_max)

    def take_sightings(self, records: Records) -> None:
        """Take in records of type SIGHTING; those that are not final change nothing."""
        final = records[records["state"] >= State.SIMULATED]
        columns = (final[name].tolist() for name in ("trace_hi", "trace_lo", "seen_ns", "state"))
        for trace_hi, trace_lo, seen_ns, state in zip(*columns, strict=True):
            due = self._outstanding.pop((trace_hi, trace_lo), None)
            if due is None:
                self._early[trace_hi, trace_lo] = (seen_ns, state)
            else:
                self._end(*due, seen_ns, state)
        self._tell_ended()
        _trim(self._early, self._outstanding_max)

    def percentile_ns(self, percentile: float) -> int | None:
        """Latency (seen - intended) of SIMULATED so far, to 1 %; None of too few signals."""
        needed = size_needed(percentile) if percentile < 100 else 1
        if self.simulated < needed:
            return None
        rank = max(1, math.ceil(self.simulated * percentile / 100))
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        return round(math.exp((bucket + 0.5) * _BUCKET_LOG) * NS_PER_US)

    def failed(self, now_ns: int) -> str | None:
        """Why an objective that is watched cannot be kept any more; None while all can."""
        # Whoever was forgotten may be final without being known to be.
        return None if self.forgotten else first_failed(self._tripwires, now_ns)

    def _tell_ended(self) -> None:
        if self._ended and self._tripwires:
            ended = np.array(self._ended, dtype=np.int64)
            for tripwire in self._tripwires:
                tripwire.final(*ended.T)
        self._ended.clear()

    def _end(self, intended_ns: int, mode: int, seen_ns: int, state: int) -> None:
        self.final += 1
        self._ended.append((intended_ns, mode, seen_ns, state))
        if state == State.SIMULATED:
            self.simulated += 1
            latency_us = max(1.0, (seen_ns - intended_ns) / NS_PER_US)
            bucket = int(math.log(latency_us) / _BUCKET_LOG)
            self._counts[min(bucket, _BUCKETS - 1)] += 1


class LiveFigures:
    """Follows a run's growing files.

    Args:
        folder: the run's folder.
        run_tag: records of other runs are left out.
        tripwires: objectives that may end the run early.
    """

    def __init__(self, folder: Path, run_tag: int, tripwires: Sequence[Tripwire] = ()) -> None:
        self._folder = folder
        self._run_tag = run_tag
        self._read: dict[Path, int] = {}
        self._matcher = LiveMatcher(tripwires=tripwires)

    def update(self) -> None:
        """Take in what was journaled and seen since the last call; cheap, call it each second."""
        # Sightings first: whatever was seen had been journaled before.
        sightings = list(self._grown([self._folder / SIGHTINGS_FILE], SIGHTING))
        for records in self._grown((self._folder / "journal").glob("attempts-*.bin"), ATTEMPT):
            self._matcher.take_attempts(records)
        for records in sightings:
            self._matcher.take_sightings(records)

    @property
    def simulated(self) -> int:
        """Signals seen in SIMULATED."""
        return self._matcher.simulated

    @property
    def final(self) -> int:
        """Signals seen in any final state."""
        return self._matcher.final

    @property
    def backlog(self) -> int:
        """Signals attempted and not yet seen in a final state."""
        return self._matcher.backlog

    def percentile_ns(self, percentile: float) -> int | None:
        """Latency of SIMULATED so far; None of too few signals."""
        return self._matcher.percentile_ns(percentile)

    def failed(self, now_ns: int) -> str | None:
        """Why an objective that is watched cannot be kept any more; None while all can."""
        return self._matcher.failed(now_ns)

    def _grown(self, paths: Iterable[Path], dtype: np.dtype[Any]) -> Iterable[Records]:
        for path in sorted(paths):
            first = self._read.get(path, 0)
            try:
                records, _ = read_records(path, dtype, first=first, count=_RECORDS_MAX)
            except EvidenceError:
                continue  # not there yet
            self._read[path] = first + len(records)
            own = records["trace_hi"] >> np.uint64(64 - RUN_TAG_BITS) == self._run_tag
            yield records[own]


def _trim(items: dict[_Trace, Any], limit: int) -> int:
    surplus = len(items) - limit
    if surplus <= 0:
        return 0
    for key in list(items)[:surplus]:  # the oldest come first
        del items[key]
    return surplus
