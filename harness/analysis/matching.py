"""Matches the attempt, the answer and the sightings of each signal, in one pass.

A signal's sample is open from its attempt until both its answer and its final state are known.
After that only the few bytes in `SignalOutcomes` stay. Memory therefore grows with the signals in
flight, not with those sent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.entry_ids import pack_entries
from harness.analysis.record_merge import RecordBatch
from harness.analysis.samples import SAMPLE, Mask, Samples, SignalOutcome, column
from harness.analysis.signal_outcomes import CLOSED, NOT_ATTEMPTED, SignalFlag, SignalOutcomes
from harness.analysis.slots import FOREIGN, Slots, SlotTable
from harness.contract.address import HOT_ADDRESS
from harness.contract.names import State
from harness.evidence.records import Mode, PushStatus, Records

_FIRST_ROWS = 4_096
_NEVER = np.iinfo(np.int32).max
_NOWHERE = -3
_OUTCOMES = [int(outcome) for outcome in PushStatus]
_STATES = [int(state) for state in State if state not in (State.OTHER, State.BEYOND)]


class Matcher:
    """The open samples.

    Args:
        table: the run's slots.
        notes: receives the anomalies.

    Attributes:
        outcomes: of each slot.
        attempted: distinct signals attempted.
        sightings: records read.
        foreign: those of other runs.
    """

    def __init__(self, table: SlotTable, notes: AnomalyLog) -> None:
        self.outcomes = SignalOutcomes(table)
        self.attempted = 0
        self.sightings = 0
        self.foreign = 0
        self._table = table
        self._notes = notes
        self._rows: Samples = np.zeros(_FIRST_ROWS, dtype=SAMPLE)
        self._used = 0
        self._early_acks: list[Records] = []
        self._early_sightings: list[Records] = []

    def advance(self, step: RecordBatch) -> Samples:
        """Add the next records; returns the samples that they complete."""
        for records in step.attempts:
            self._attempts(records)
        for records in step.acks:
            self._acks(records, keep_early=True)
        for records in step.sightings:
            self.sightings += len(records)
            self._sightings(records, keep_early=True)
        return self._close()

    def leftovers(self) -> tuple[Samples, Samples]:
        """After the last step: the samples that are complete now, and those that never are.

        The outcome of the latter is still OPEN.
        """
        for records in self._early_acks:
            self._acks(records, keep_early=False)
        for records in self._early_sightings:
            self._sightings(records, keep_early=False)
        closed = self._close()
        unfinished: Samples = self._rows[: self._used].copy()
        self._mark_closed(unfinished)
        self._used = 0
        return closed, unfinished

    def _attempts(self, records: Records) -> None:
        slots = self._table.slots_of(records["trace_hi"], records["trace_lo"])
        invalid = (slots < 0) | (records["mode"] > max(Mode)) | (records["address"] > HOT_ADDRESS)
        invalid |= records["stale"] > 1
        if invalid.any():
            self._note_ids(Anomaly.ATTEMPT_INVALID, records[invalid])
            records, slots = records[~invalid], slots[~invalid]
        fresh = ~self.outcomes.has_flag(SignalFlag.ATTEMPTED, slots)
        # Of one slot's records in this chunk the first one wins, because it is written last.
        order = np.arange(len(slots), dtype=np.uint32)
        link = self.outcomes.link
        link[slots[fresh][::-1]] = order[fresh][::-1]
        fresh &= link[slots] == order
        self._notes.slots(Anomaly.ATTEMPT_REPEATED, slots[~fresh])
        records, slots = records[fresh], slots[fresh]
        self._grow(len(records))
        first, end = self._used, self._used + len(records)
        rows = self._rows[first:end]
        rows[:] = np.zeros(1, dtype=SAMPLE)
        for name in ("intended_ns", "sent_ns", "sync_block", "stage", "mode", "stale"):
            rows[name] = records[name]
        rows["slot"] = slots
        link[slots] = np.arange(first, end, dtype=np.uint32)
        self.outcomes.set_flag(SignalFlag.ATTEMPTED, slots)
        self.outcomes.set_flag(SignalFlag.STALE, slots[records["stale"] == 1])
        self.outcomes.address[slots] = records["address"]
        self._used = end
        self.attempted += len(records)

    def _acks(self, records: Records, *, keep_early: bool) -> None:
        slots, at = self._locate(records)
        invalid = (slots < 0) | ~np.isin(records["outcome"], _OUTCOMES)
        at = np.where(invalid, _NOWHERE, at)
        self._note_ids(Anomaly.ACK_INVALID, records[invalid])
        early = ~invalid & (at == NOT_ATTEMPTED)
        if keep_early:
            self._keep(self._early_acks, records[early])
        else:
            self._note_ids(Anomaly.ACK_INVALID, records[early])
        opened = np.flatnonzero(at >= 0)
        first = _first_of_each(at[opened], self._used)
        first &= self._rows["outcome"][at[opened]] == 0
        matched = opened[first]
        into = at[matched]
        self._rows["acked_ns"][into] = records["acked_ns"][matched]
        self._rows["outcome"][into] = records["outcome"][matched]
        answered = records[matched]
        self._rows["entry"][into] = pack_entries(answered["redis_ms"], answered["redis_seq"])
        repeated = np.concatenate((opened[~first], np.flatnonzero(at == CLOSED)))
        self._notes.slots(Anomaly.ACK_REPEATED, slots[repeated])
        too_early = records["acked_ns"][matched] < self._rows["sent_ns"][into]
        self._notes.slots(Anomaly.ACK_EARLY, slots[matched[too_early]])

    def _sightings(self, records: Records, *, keep_early: bool) -> None:
        slots, at = self._locate(records)
        self.foreign += int((slots == FOREIGN).sum())
        readable = np.isin(records["state"], _STATES)
        if not readable.all():
            self._note_ids(Anomaly.SIGHTING_INVALID, records[~readable])
            records, slots, at = records[readable], slots[readable], at[readable]
        final = records["state"] != State.INIT
        unknown = (slots < 0) & (slots != FOREIGN)
        early = (slots >= 0) & (at == NOT_ATTEMPTED)
        if keep_early:
            self._keep(self._early_sightings, records[early])
        else:
            unknown |= early
        unexpected = records[unknown & final]
        self._notes.unexpected(unexpected["trace_hi"], unexpected["trace_lo"])
        known = (slots >= 0) & (at != NOT_ATTEMPTED)
        final_when = self._finals(records, slots, at, known & final)
        self._inits(records, slots, at, known & ~final, final_when)
        self._without_init(records, final_when)

    def _finals(self, records: Records, slots: Slots, at: Slots, chosen: Mask) -> NDArray[np.int32]:
        """Add final states; returns where in this chunk each open row became final."""
        outcomes = self.outcomes
        when = np.full(self._used, _NEVER, dtype=np.int32)
        opened = np.flatnonzero(chosen & (at >= 0))
        first = _first_of_each(at[opened], self._used)
        first &= self._rows["state"][at[opened]] == 0
        matched = opened[first]
        into = at[matched]
        self._rows["state"][into] = records["state"][matched]
        self._rows["final_us"][into] = records["commit_us"][matched]
        self._rows["seen_ns"][into] = records["seen_ns"][matched]
        outcomes.state[slots[matched]] = records["state"][matched]
        self._rows["final_xid"][into] = records["xid"][matched]
        when[into] = matched
        # A row that is written again in the same state is no second effect.
        again = np.concatenate((opened[~first], np.flatnonzero(chosen & (at == CLOSED))))
        outcomes.set_flag(SignalFlag.TOUCHED, slots[again])
        other = records["state"][again] != outcomes.state[slots[again]]
        xids = np.where(at[again] == CLOSED, outcomes.link[slots[again]], 0)
        still_open = at[again] != CLOSED
        xids[still_open] = self._rows["final_xid"][at[again][still_open]]
        same = xids == records["xid"][again]
        self._notes.slots(Anomaly.SIGHTING_REPEATED, slots[again[same & ~other]])
        self._notes.slots(Anomaly.FINAL_TWICE, slots[again[other]])
        return when

    def _inits(
        self,
        records: Records,
        slots: Slots,
        at: Slots,
        chosen: Mask,
        final_when: NDArray[np.int32],
    ) -> None:
        opened = np.flatnonzero(chosen & (at >= 0))
        into = at[opened]
        began_final = (self._rows["state"][into] != 0) & (final_when[into] == _NEVER)
        late = began_final | (opened > final_when[into])
        first = _first_of_each(into, self._used) & ~late
        xids = records["xid"][opened]
        known_xid = self._rows["init_xid"][into]
        had_init = self.outcomes.has_flag(SignalFlag.INIT, slots[opened])
        matched = first & ~had_init
        matched_rows = into[matched]
        self._rows["init_us"][matched_rows] = records["commit_us"][opened[matched]]
        self._rows["init_xid"][matched_rows] = xids[matched]
        self.outcomes.set_flag(SignalFlag.INIT, slots[opened[matched]])
        known_xid = np.where(had_init, known_xid, self._rows["init_xid"][into])
        repeated = ~matched & ~late & (xids == known_xid)
        self._notes.slots(Anomaly.SIGHTING_REPEATED, slots[opened[repeated]])
        after = np.concatenate((opened[late], np.flatnonzero(chosen & (at == CLOSED))))
        self._notes.slots(Anomaly.AFTER_FINAL, slots[after])

    def _without_init(self, records: Records, final_when: NDArray[np.int32]) -> None:
        """Signals that have become SIMULATED in this chunk and were never in INIT.

        Only the log shows every version; a row read by query (no LSN) may have been in INIT.
        """
        became = np.flatnonzero(final_when != _NEVER)
        when = final_when[became]
        sure = (records["lsn"][when] != 0) & (records["state"][when] == State.SIMULATED)
        slots = self._rows["slot"][became[sure]]
        self._notes.slots(
            Anomaly.WITHOUT_INIT, slots[~self.outcomes.has_flag(SignalFlag.INIT, slots)]
        )

    def _close(self) -> Samples:
        rows = self._rows[: self._used]
        done = (rows["state"] != 0) & (rows["outcome"] != 0)
        closed: Samples = rows[done]
        if len(closed) == 0:
            return closed
        closed["signal_outcome"] = final_outcome(closed)
        self._notes.slots(
            Anomaly.REFUSED_BUT_SEEN, closed["slot"][closed["outcome"] == PushStatus.REFUSED]
        )
        self._mark_closed(closed)
        unfinished = rows[~done]
        self._rows[: len(unfinished)] = unfinished
        self._used = len(unfinished)
        self.outcomes.link[unfinished["slot"]] = np.arange(len(unfinished), dtype=np.uint32)
        return closed

    def _locate(self, records: Records) -> tuple[Slots, Slots]:
        """Slot of each record, and the row of its open sample or why there is none."""
        slots = self._table.slots_of(column(records, "trace_hi"), column(records, "trace_lo"))
        return slots, self.outcomes.rows(slots)

    def _mark_closed(self, samples: Samples) -> None:
        self.outcomes.set_flag(SignalFlag.CLOSED, samples["slot"])
        self.outcomes.link[samples["slot"]] = samples["final_xid"]

    def _grow(self, count: int) -> None:
        needed = self._used + count
        if needed > len(self._rows):
            larger: Samples = np.zeros(max(needed, 2 * len(self._rows)), dtype=SAMPLE)
            larger[: self._used] = self._rows[: self._used]
            self._rows = larger

    def _note_ids(self, kind: Anomaly, records: Records) -> None:
        self._notes.ids(kind, records["trace_hi"], records["trace_lo"])

    @staticmethod
    def _keep(where: list[Records], records: Records) -> None:
        if len(records):
            where.append(records.copy())


def final_outcome(samples: Samples) -> NDArray[np.uint8]:
    """Outcome of signals whose final state is known."""
    rejected = samples["state"] >= State.STALE_DATA_ERROR
    outcome = samples["outcome"]
    outcomes = np.where(rejected, SignalOutcome.REJECTED, SignalOutcome.SIMULATED)
    outcomes = np.where(outcome == PushStatus.REFUSED, SignalOutcome.REFUSED, outcomes)
    unanswered = (outcome == PushStatus.UNKNOWN) | (outcome == 0)
    return np.where(unanswered, SignalOutcome.RECOVERED, outcomes).astype(np.uint8)


def _first_of_each(rows: Slots, total: int) -> Mask:
    """Which entries are the first of their row."""
    order = np.arange(len(rows), dtype=np.int32)
    first_at = np.zeros(total, dtype=np.int32)
    first_at[rows[::-1]] = order[::-1]
    mask: Mask = first_at[rows] == order
    return mask
