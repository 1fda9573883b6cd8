"""Running figures of a run under way, for display only; the judge reads the evidence later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.names import State
from harness.contract.trace_id import RUN_TAG_BITS
from harness.errors import EvidenceError
from harness.evidence.records import ATTEMPT, SIGHTING, Mode, Records, read_records
from harness.judge.interim_analysis import InterimAnalysis
from harness.judge.interim_analyzer import InterimAnalyzer
from harness.observe.plan import SIGHTINGS_FILE
from harness.run.live.abort_condition import AbortCondition, first_failed
from harness.run.live.latency_histogram import LiveLatencyHistogram, TimeRanges
from harness.run.live.summary import LiveSummary, Percentiles

# An outstanding signal needs about 300 bytes here.
OUTSTANDING_MAX = 200_000
# Records read per file and update; a later update reads the rest.
_RECORDS_MAX = 50_000
# The oldest signal is the one due first among this many that were attempted first.
_OLDEST_AMONG = 1_000

# Added to a mode: sent stale on purpose.
_STALE = 128
# In place of such a mode: no abort condition applies.
_NO_MODE = 255

_Trace = tuple[int, int]


class LiveMatcher:
    """Matches sightings with attempts as they come; pure.

    Args:
        outstanding_max: signals kept until they are final.
        abort_conditions: receive every signal.
        measured: what is measured; see `LiveLatencyHistogram`.
        interim: the analyses that may end the load; they receive every signal too.

    Attributes:
        attempted: signals attempted.
        simulated: signals seen in SIMULATED.
        final: signals seen in any final state.
        evicted: outstanding signals dropped because there were too many.
    """

    def __init__(
        self,
        outstanding_max: int = OUTSTANDING_MAX,
        abort_conditions: Sequence[AbortCondition] = (),
        measured: TimeRanges | None = None,
        interim: InterimAnalyzer | None = None,
    ) -> None:
        self._outstanding_max = outstanding_max
        self._abort_conditions = tuple(abort_conditions)
        self._interim = interim
        self._listeners: tuple[AbortCondition | InterimAnalyzer, ...] = self._abort_conditions
        if interim is not None:
            self._listeners = (*self._abort_conditions, interim)
        self._latencies = LiveLatencyHistogram(measured)
        # Signals that have become final and are not yet passed on to histogram and listeners.
        self._ended: list[tuple[int, int, int, int]] = []
        self._outstanding: dict[_Trace, tuple[int, int]] = {}
        # Final before its attempt was read: the files grow independently.
        self._early: dict[_Trace, tuple[int, int]] = {}
        self.attempted = 0
        self.simulated = 0
        self.final = 0
        self.evicted = 0

    @property
    def backlog(self) -> int:
        """Signals attempted and not yet seen in a final state."""
        return len(self._outstanding) + self.evicted

    def add_attempts(self, records: Records) -> None:
        """Add records of type ATTEMPT."""
        self.attempted += len(records)
        modes = records["mode"] + np.where(records["stale"] == 0, 0, _STALE)
        for one in self._listeners:
            one.due(records["intended_ns"], _watched(modes))
        columns = (records[name].tolist() for name in ("trace_hi", "trace_lo", "intended_ns"))
        for trace_hi, trace_lo, intended_ns, mode in zip(*columns, modes.tolist(), strict=True):
            early = self._early.pop((trace_hi, trace_lo), None)
            if early is None:
                self._outstanding[trace_hi, trace_lo] = (intended_ns, mode)
            else:
                self._end(intended_ns, mode, *early)
        self._pass_on_ended()
        self.evicted += _trim(self._outstanding, self._outstanding_max)

    def add_observations(self, records: Records) -> None:
        """Add records of type SIGHTING; those that are not final change nothing."""
        final = records[records["state"] >= State.SIMULATED]
        columns = (final[name].tolist() for name in ("trace_hi", "trace_lo", "seen_ns", "state"))
        for trace_hi, trace_lo, seen_ns, state in zip(*columns, strict=True):
            due = self._outstanding.pop((trace_hi, trace_lo), None)
            if due is None:
                self._early[trace_hi, trace_lo] = (seen_ns, state)
            else:
                self._end(*due, seen_ns, state)
        self._pass_on_ended()
        _trim(self._early, self._outstanding_max)

    def percentile_ns(self, percentile: float, mode: Mode | None = None) -> int | None:
        """Latency (seen - intended) of SIMULATED so far; see `LiveLatencyHistogram`."""
        return self._latencies.percentile_ns(percentile, mode)

    def summary(self, now_ns: int) -> LiveSummary:
        """Outcomes of the signals so far."""
        first = islice(self._outstanding.values(), _OLDEST_AMONG)
        oldest_ns = min((intended_ns for intended_ns, _ in first), default=None)
        buckets = self._latencies.buckets()
        modes = {bucket.mode for bucket in buckets}
        return LiveSummary(
            attempted=self.attempted,
            simulated=self.simulated,
            final=self.final,
            oldest_open_ns=None if oldest_ns is None else max(0, now_ns - oldest_ns),
            latency=self._percentiles(None),
            by_mode=tuple(
                (mode.name.lower(), self._percentiles(mode))
                for mode in Mode
                if mode.name.lower() in modes
            ),
            buckets=buckets,
        )

    def failed(self, now_ns: int) -> str | None:
        """Why an objective can no longer be met; None while all can."""
        # An evicted signal may be final without being known to be.
        return None if self.evicted else first_failed(self._abort_conditions, now_ns)

    def analysis(self, now_ns: int) -> InterimAnalysis | None:
        """The interim analysis that is due now; None where none is."""
        return None if self._interim is None else self._interim.next_analysis(now_ns)

    def _percentiles(self, mode: Mode | None) -> Percentiles:
        return Percentiles(self.percentile_ns(50, mode), self.percentile_ns(99, mode))

    def _pass_on_ended(self) -> None:
        if not self._ended:
            return
        intended_ns, modes, seen_ns, states = np.array(self._ended, dtype=np.int64).T
        for one in self._listeners:
            one.final(intended_ns, _watched(modes), seen_ns, states)
        simulated = states == State.SIMULATED
        latencies_ns = (seen_ns - intended_ns)[simulated]
        self._latencies.add(intended_ns[simulated], modes[simulated] % _STALE, latencies_ns)
        self._ended.clear()

    def _end(self, intended_ns: int, mode: int, seen_ns: int, state: int) -> None:
        self.final += 1
        self.simulated += state == State.SIMULATED
        self._ended.append((intended_ns, mode, seen_ns, state))


class LiveFigures:
    """Reads a run's files as they grow.

    Args:
        folder: the run's folder.
        run_tag: records of other runs are left out.
        abort_conditions: objectives that may end the run early.
        measured: what is measured; see `LiveLatencyHistogram`.
        interim: the analyses that may end the load; None for a load of fixed length.

    Attributes:
        has_unread_records: whether the previous update left records for the next one.
    """

    def __init__(
        self,
        folder: Path,
        run_tag: int,
        abort_conditions: Sequence[AbortCondition] = (),
        measured: TimeRanges | None = None,
        interim: InterimAnalyzer | None = None,
    ) -> None:
        self._folder = folder
        self._run_tag = run_tag
        self._read: dict[Path, int] = {}
        self._matcher = LiveMatcher(
            abort_conditions=abort_conditions, measured=measured, interim=interim
        )
        self.has_unread_records = False

    def update(self) -> None:
        """Read what was journaled and seen since the previous call; cheap, call it each second."""
        self.has_unread_records = False
        # Sightings first: everything that was seen had been journaled before.
        sightings = list(self._grown([self._folder / SIGHTINGS_FILE], SIGHTING))
        for records in self._grown((self._folder / "journal").glob("attempts-*.bin"), ATTEMPT):
            self._matcher.add_attempts(records)
        for records in sightings:
            self._matcher.add_observations(records)

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

    def percentile_ns(self, percentile: float, mode: Mode | None = None) -> int | None:
        """Latency of SIMULATED so far; None for too few signals."""
        return self._matcher.percentile_ns(percentile, mode)

    def summary(self, now_ns: int) -> LiveSummary:
        """Outcomes of the signals so far."""
        return self._matcher.summary(now_ns)

    def failed(self, now_ns: int) -> str | None:
        """Why an objective can no longer be met; None while all can."""
        return self._matcher.failed(now_ns)

    def analysis(self, now_ns: int) -> InterimAnalysis | None:
        """The interim analysis that is due now; None where none is."""
        return self._matcher.analysis(now_ns)

    def _grown(self, paths: Iterable[Path], dtype: np.dtype[Any]) -> Iterable[Records]:
        for path in sorted(paths):
            first = self._read.get(path, 0)
            try:
                records, _ = read_records(path, dtype, first=first, count=_RECORDS_MAX)
            except EvidenceError:
                continue  # not there yet
            self._read[path] = first + len(records)
            self.has_unread_records |= len(records) == _RECORDS_MAX
            own = records["trace_hi"] >> np.uint64(64 - RUN_TAG_BITS) == self._run_tag
            yield records[own]


def _watched(modes: NDArray[Any]) -> NDArray[Any]:
    """Modes as the listeners expect them."""
    return np.where(modes < _STALE, modes, _NO_MODE)


def _trim(items: dict[_Trace, Any], limit: int) -> int:
    surplus = len(items) - limit
    if surplus <= 0:
        return 0
    for key in list(items)[:surplus]:  # the oldest come first
        del items[key]
    return surplus
