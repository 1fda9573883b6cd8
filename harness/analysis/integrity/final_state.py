"""Reconciles the final state of the database with the attempted and observed signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.integrity.final_state_coverage import FinalStateCoverage
from harness.analysis.integrity.nonces import NonceRange, NonceTracker
from harness.analysis.integrity.stream_trimming import StreamHistory
from harness.analysis.matching import final_outcome
from harness.analysis.samples import Mask, Samples, SignalOutcome
from harness.analysis.signal_outcomes import NO_ROW, SignalFlag, SignalOutcomes
from harness.analysis.slots import Slots, SlotTable
from harness.contract.ledger import EntryRole
from harness.contract.names import Contract, State
from harness.evidence.records import LEDGER, TASK, PushStatus, Records, iter_records, read_records

_CHUNK = 16_384
_STATES = [int(state) for state in State]
# States that are not final, that follow SIMULATED in Zone C, and that imply SIMULATED.
_OPEN = (State.INIT, State.OTHER)
_FURTHER = (State.BEYOND, State.OTHER)
_REACHED = (State.SIMULATED, State.BEYOND)
# Fields of a signal's record that count its entries. Every signal that reached SIMULATED has one
# entry of each kind that the system books, over one internal transaction.
_ENTRY_COLUMNS: Mapping[EntryRole, str] = {
    "TRADE": "trades",
    "GAS_FEE": "gas_fees",
    "PROTOCOL_FEE": "protocol_fees",
}


@dataclass(frozen=True, slots=True)
class FinalStateSummary:
    """Counts of the final state.

    Attributes:
        tasks: FSM rows of this run; None when they were not stored.
        ledgers: signals of this run with ledger rows; None when they were not stored.
        nonces: what each address used.
        torn: bytes of records cut short, by file name.
    """

    tasks: int | None
    ledgers: int | None
    nonces: tuple[NonceRange, ...]
    torn: Mapping[str, int]


class FinalStateReconciler:
    """Reads the final state, in this order: `read_tasks`, `end`, `compare`.

    Args:
        table: the run's slots.
        outcomes: of each signal; this class adds the task states.
        notes: receives the anomalies.
        nonce_starts: first nonce of an address, by its index.
        contract: what the system books, when it gives a nonce, and which rows it keeps.
        coverage: which parts of the final state could be read.
    """

    def __init__(
        self,
        table: SlotTable,
        outcomes: SignalOutcomes,
        notes: AnomalyLog,
        nonce_starts: Mapping[int, int],
        contract: Contract,
        coverage: FinalStateCoverage,
    ) -> None:
        self._table = table
        self._outcomes = outcomes
        self._notes = notes
        self._nonces = NonceTracker(nonce_starts, table.total, notes)
        ledger, locks = contract.ledger, contract.nonces
        entries = ledger.entry_types if ledger is not None else ()
        self._entries = (*(_ENTRY_COLUMNS[role] for role in entries), "transactions")
        self._allows_repeats = ledger is not None and ledger.entries == "many"
        self._at_intake = locks is not None and locks.taken_at == "intake"
        self._removed = contract.tasks.kept == "until_final"
        self._coverage = coverage
        self._tasks: int | None = None
        self._ledgers: int | None = None
        self._torn: dict[str, int] = {}

    def read_tasks(self, path: Path) -> None:
        """Read the FSM rows; without the file they stay unknown.

        Raises:
            EvidenceError: the file cannot be read.
        """
        if not path.exists():
            return
        self._tasks = 0
        for records in iter_records(path, TASK, chunk=_CHUNK):
            self._tasks += self._add_tasks(records)
        self._measure_torn(path, read_records(path, TASK, count=0)[1])

    def end(
        self, samples: Samples, *, drain_elapsed: bool, stream: StreamHistory | None = None
    ) -> Samples:
        """Give every sample that never became complete its outcome.

        Args:
            samples: the unfinished ones of `Matcher.leftovers`.
            drain_elapsed: whether the drain time was over when the watching ended.
            stream: which entries were trimmed from the stream.
        """
        task = self._outcomes.task_state[samples["slot"]]
        in_table = ~np.isin(task, (NO_ROW, State.INIT, State.OTHER))
        unmapped = (samples["state"] == 0) & (task == State.OTHER)
        self._notes.slots(Anomaly.STATE_UNMAPPED, samples["slot"][unmapped])
        unseen = (samples["state"] == 0) & in_table
        mapped = np.where(task == State.BEYOND, np.uint8(State.SIMULATED), task)
        samples["state"] = np.where(unseen, mapped, samples["state"])
        self._notes.slots(Anomaly.UNSEEN, samples["slot"][unseen])

        final = samples["state"] != 0
        outcome = samples["outcome"]
        accepted = (outcome == PushStatus.ACCEPTED) | (
            (outcome != PushStatus.REFUSED)
            & (self._outcomes.has_flag(SignalFlag.INIT, samples["slot"]) | np.isin(task, _OPEN))
        )
        unread = unmapped | ((task == NO_ROW) & (not self._coverage.complete))
        lost = np.bool_(drain_elapsed) & ~unread
        samples["signal_outcome"] = np.where(
            final,
            final_outcome(samples),
            np.where(
                accepted,
                np.where(lost, SignalOutcome.LOST, SignalOutcome.IN_FLIGHT),
                SignalOutcome.REFUSED,
            ),
        )
        samples["unread"] = unread & accepted & ~final
        self._note_leftovers(samples, final, task == State.INIT, stream or StreamHistory())
        return samples

    @property
    def nonce_offsets(self) -> NDArray[np.int32]:
        """`NonceTracker.offsets`, after `read_tasks`."""
        return self._nonces.offsets

    def compare(self, ledger: Path, commit_us: NDArray[np.int64]) -> FinalStateSummary:
        """Compare the final state with the observations, and the ledger with the final state.

        Args:
            ledger: its file.
            commit_us: commit time of each slot's final state; 0 where unknown.

        Raises:
            EvidenceError: the ledger's file cannot be read.
        """
        if self._tasks is not None:
            self._compare_states()
        self._nonces.note_repeated(self._outcomes.address, commit_us)
        self._check_stale()
        if ledger.exists():
            self._ledgers = 0
            for records in iter_records(ledger, LEDGER, chunk=_CHUNK):
                self._ledgers += self._add_ledger(records)
            self._measure_torn(ledger, read_records(ledger, LEDGER, count=0)[1])
            missing = np.flatnonzero(
                self._simulated() & ~self._outcomes.has_flag(SignalFlag.LEDGER)
            )
            self._notes.slots(Anomaly.LEDGER_MISSING, missing)
        return FinalStateSummary(self._tasks, self._ledgers, self._nonces.ranges(), self._torn)

    def _note_leftovers(
        self, samples: Samples, final: Mask, is_init: Mask, stream: StreamHistory
    ) -> None:
        slots = samples["slot"]
        lost = samples["signal_outcome"] == SignalOutcome.LOST
        trimmed = lost & ~is_init & stream.trimmed(samples["entry"])
        self._notes.slots(Anomaly.TRIMMED, slots[trimmed])
        self._notes.slots(Anomaly.LOST, slots[lost & ~is_init & ~trimmed])
        self._notes.slots(Anomaly.STUCK, slots[lost & is_init])
        refused = (samples["signal_outcome"] == SignalOutcome.REFUSED) & (
            samples["outcome"] == PushStatus.REFUSED
        )
        self._notes.slots(Anomaly.REFUSED_BUT_SEEN, slots[refused & (final | is_init)])
        self._notes.slots(Anomaly.ACK_MISSING, slots[samples["outcome"] == 0])

    def _add_tasks(self, records: Records) -> int:
        slots, records = self._own(records)
        outcomes = self._outcomes
        readable = np.isin(records["state"], _STATES)
        self._notes.slots(Anomaly.TASK_INVALID, slots[~readable])
        states = np.where(readable, records["state"], State.OTHER)
        first = _first_of_each(slots) & (outcomes.task_state[slots] == NO_ROW)
        self._notes.slots(Anomaly.TWO_ROWS, slots[~first])
        outcomes.task_state[slots[first]] = states[first]
        simulated = _is_simulated(states)
        numbered = records["nonce"] >= 0
        self._notes.slots(Anomaly.NONCE_MISSING, slots[simulated & ~numbered])
        given = (simulated | self._at_intake) & numbered
        self._notes.slots(Anomaly.NONCE_KEPT, slots[numbered & ~given])
        for chosen in (given & first, given & ~first):
            own = slots[chosen]
            self._nonces.add(outcomes.address[own], records["nonce"][chosen], own)
        return len(slots)

    def _compare_states(self) -> None:
        outcomes = self._outcomes
        seen = outcomes.state != 0
        vanished = seen & (outcomes.task_state == NO_ROW)
        if "tasks" not in self._coverage.filtered:
            kind = Anomaly.ROW_REMOVED if self._removed else Anomaly.ROW_VANISHED
            self._notes.slots(kind, np.flatnonzero(vanished))
        changed = seen & ~vanished & (outcomes.task_state != outcomes.state)
        # Zone C moves a simulated signal on, to states that the harness does not distinguish.
        further = (outcomes.state == State.SIMULATED) & np.isin(outcomes.task_state, _FURTHER)
        self._notes.slots(Anomaly.STATE_CHANGED, np.flatnonzero(changed & ~further))
        unknown = np.isin(outcomes.task_state, _FURTHER) & ~(changed & ~further)
        self._notes.slots(Anomaly.STATE_UNKNOWN, np.flatnonzero(unknown))

    def _check_stale(self) -> None:
        """Signals sent stale on purpose that did not end in STALE_DATA_ERROR."""
        slots = np.flatnonzero(self._outcomes.has_flag(SignalFlag.STALE))
        seen, task = self._outcomes.state[slots], self._outcomes.task_state[slots]
        simulated = (seen == State.SIMULATED) | _is_simulated(task)
        self._notes.slots(Anomaly.STALE_SIMULATED, slots[simulated])
        other = _is_other_rejection(seen) | _is_other_rejection(task)
        self._notes.slots(Anomaly.STALE_MISJUDGED, slots[other & ~simulated])

    def _add_ledger(self, records: Records) -> int:
        slots, records = self._own(records)
        outcomes = self._outcomes
        first = _first_of_each(slots) & ~outcomes.has_flag(SignalFlag.LEDGER, slots)
        self._notes.slots(Anomaly.LEDGER_REPEATED, slots[~first])
        outcomes.set_flag(SignalFlag.LEDGER, slots)
        due = self._simulated(slots)
        self._notes.slots(Anomaly.LEDGER_UNEXPECTED, slots[~due & ~self._unread(slots)])
        self._notes.slots(Anomaly.LEDGER_BROKEN, slots[records["broken"] > 0])
        entries = np.stack([records[name] for name in self._entries])
        doubled = due & (entries > 1).any(axis=0) & (not self._allows_repeats)
        self._notes.slots(Anomaly.LEDGER_DOUBLED, slots[doubled])
        incomplete = due & (entries == 0).any(axis=0)
        self._notes.slots(Anomaly.LEDGER_INCOMPLETE, slots[incomplete])
        return len(slots)

    def _own(self, records: Records) -> tuple[Slots, Records]:
        """Records of attempted signals and their slots; others of this run are unexpected."""
        slots = self._table.slots_of(records["trace_hi"], records["trace_lo"])
        attempted = slots >= 0
        attempted[attempted] = self._outcomes.has_flag(SignalFlag.ATTEMPTED, slots[attempted])
        unexpected_rows = records[~attempted & (slots > -2)]
        if "state" in (unexpected_rows.dtype.names or ()):
            unexpected_rows = unexpected_rows[unexpected_rows["state"] != State.INIT]
        self._notes.unexpected(unexpected_rows["trace_hi"], unexpected_rows["trace_lo"])
        return slots[attempted], records[attempted]

    def _simulated(self, slots: Slots | slice = slice(None)) -> Mask:
        """Which signals reached SIMULATED, by the table if it was read.

        A signal whose row has vanished counts as simulated if it was observed so.
        """
        seen: Mask = self._outcomes.state[slots] == State.SIMULATED
        if self._tasks is None:
            return seen
        task_state = self._outcomes.task_state[slots]
        simulated: Mask = np.isin(task_state, _REACHED) | (
            seen & np.isin(task_state, (NO_ROW, State.OTHER))
        )
        return simulated

    def _unread(self, slots: Slots) -> Mask:
        """Signals whose row could not be read, so that their end is unknown."""
        task_state, seen = self._outcomes.task_state[slots], self._outcomes.state[slots] != 0
        hidden = (task_state == NO_ROW) & (not self._coverage.complete)
        unread: Mask = ~seen & (hidden | (task_state == State.OTHER))
        return unread

    def _measure_torn(self, path: Path, torn: int) -> None:
        if torn:
            self._torn[path.name] = torn


def _first_of_each(slots: Slots) -> Mask:
    first = np.zeros(len(slots), dtype=np.bool_)
    first[np.unique(slots, return_index=True)[1]] = True
    return first


def _is_other_rejection(states: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> Mask:
    mask: Mask = (states > State.STALE_DATA_ERROR) & (states != NO_ROW)
    return mask


def _is_simulated(states: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> Mask:
    mask: Mask = np.isin(states, (*_REACHED, State.OTHER))
    return mask
