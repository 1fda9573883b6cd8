"""Matching in portions, as arrays, finds what one record at a time would find."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.entry_ids import pack_entries
from harness.analysis.matching import Matcher
from harness.analysis.record_merge import RecordBatch
from harness.analysis.samples import Samples, SignalOutcome
from harness.analysis.signal_outcomes import SignalFlag
from harness.analysis.slots import SlotTable
from harness.contract import trace_id
from harness.contract.address import HOT_ADDRESS
from harness.contract.names import State
from harness.evidence.records import ACK, ATTEMPT, SIGHTING, PushStatus, Records

RUN_TAG = 5
AGENTS, INDEXES = 2, 3
Row = dict[str, int]


def table_of(indexes: int = INDEXES) -> SlotTable:
    """Slots for a few signals of the first agents."""
    sizes = np.zeros(trace_id.AGENT_MAX + 1, dtype=np.int64)
    sizes[:AGENTS] = indexes
    return SlotTable(RUN_TAG, sizes)


def records_of(rows: list[Row], dtype: np.dtype[Any]) -> Records:
    """Rows as records."""
    found = np.zeros(len(rows), dtype=dtype)
    for number, row in enumerate(rows):
        for name, value in row.items():
            found[name][number] = value
    return found


@dataclass
class Plain:
    """The rules of matching, one record at a time and without any portion kept in arrays."""

    rows: dict[tuple[int, int], Row] = field(default_factory=dict)
    inits: dict[tuple[int, int], int] = field(default_factory=dict)
    closed: dict[tuple[int, int], Row] = field(default_factory=dict)
    early: dict[str, list[Row]] = field(default_factory=lambda: {"acks": [], "sightings": []})
    troubles: Counter[tuple[Anomaly, str]] = field(default_factory=Counter)
    strangers: set[tuple[int, int]] = field(default_factory=set)
    sightings: int = 0
    foreign: int = 0
    last: bool = False

    def note(self, kind: Anomaly, key: tuple[int, int]) -> None:
        self.troubles[kind, trace_id.text(*key)] += 1

    def step(self, attempts: list[Row], acks: list[Row], sightings: list[Row]) -> None:
        for row in attempts:
            self.attempt(row)
        for row in acks:
            self.ack(row)
        self.sightings += len(sightings)
        self.see(sightings)
        self.close()

    def finish(self) -> None:
        self.last = True
        for row in self.early["acks"]:
            self.ack(row)
        self.see(self.early["sightings"])
        self.close()

    def attempt(self, row: Row) -> None:
        key = key_of(row)
        if not known(key) or row["mode"] > 1 or row["address"] > HOT_ADDRESS or row["stale"] > 1:
            self.note(Anomaly.ATTEMPT_INVALID, key)
        elif key in self.rows or key in self.closed:
            self.note(Anomaly.ATTEMPT_REPEATED, key)
        else:
            names = ("intended_ns", "sent_ns", "sync_block", "stage", "mode", "stale")
            self.rows[key] = {name: row[name] for name in names}

    def ack(self, row: Row) -> None:
        key = key_of(row)
        if not known(key) or row["outcome"] not in list(PushStatus):
            self.note(Anomaly.ACK_INVALID, key)
        elif key in self.closed or "outcome" in self.rows.get(key, {}):
            self.note(Anomaly.ACK_REPEATED, key)
        elif key in self.rows:
            entry = pack_entries(np.array([row["redis_ms"]]), np.array([row["redis_seq"]]))
            self.rows[key] |= {"outcome": row["outcome"], "acked_ns": row["acked_ns"]}
            self.rows[key]["entry"] = int(entry[0])
            if row["acked_ns"] < self.rows[key]["sent_ns"]:
                self.note(Anomaly.ACK_EARLY, key)
        elif self.last:
            self.note(Anomaly.ACK_INVALID, key)
        else:
            self.early["acks"].append(row)

    def see(self, sightings: list[Row]) -> None:
        became = [row for row in sightings if self.sighting(row)]
        for row in became:
            if row["lsn"] and row["state"] == State.SIMULATED and key_of(row) not in self.inits:
                self.note(Anomaly.WITHOUT_INIT, key_of(row))

    def sighting(self, row: Row) -> bool:
        """Take in one; whether its signal became final with it."""
        key, state = key_of(row), row["state"]
        self.foreign += key[0] >> 16 != RUN_TAG
        if state not in [one for one in State if one is not State.OTHER]:
            self.note(Anomaly.SIGHTING_INVALID, key)
        elif key[0] >> 16 != RUN_TAG:
            pass
        elif key in self.rows or key in self.closed:
            return self.init(key, row) if state == State.INIT else self.final(key, row)
        elif known(key) and not self.last:
            self.early["sightings"].append(row)
        elif state != State.INIT and key not in self.strangers:
            self.strangers.add(key)
            self.note(Anomaly.UNEXPECTED, key)
        return False

    def init(self, key: tuple[int, int], row: Row) -> bool:
        if "state" in self.rows.get(key, {"state": 0}):
            self.note(Anomaly.AFTER_FINAL, key)
        elif key not in self.inits:
            self.inits[key] = row["xid"]
            self.rows[key] |= {"init_us": row["commit_us"], "init_xid": row["xid"]}
        elif self.inits[key] == row["xid"]:
            self.note(Anomaly.SIGHTING_REPEATED, key)
        return False

    def final(self, key: tuple[int, int], row: Row) -> bool:
        found = self.closed.get(key) or self.rows[key]
        if "state" in found:
            if found["state"] != row["state"]:
                self.note(Anomaly.FINAL_TWICE, key)
            elif found["final_xid"] == row["xid"]:
                self.note(Anomaly.SIGHTING_REPEATED, key)
            return False
        found |= {"state": row["state"], "final_us": row["commit_us"]}
        found |= {"seen_ns": row["seen_ns"], "final_xid": row["xid"]}
        return True

    def close(self) -> None:
        for key in [key for key, row in self.rows.items() if "state" in row and "outcome" in row]:
            row = self.closed[key] = self.rows.pop(key)
            row["signal_outcome"] = (
                SignalOutcome.REJECTED if row["state"] >= 16 else SignalOutcome.SIMULATED
            )
            if row["outcome"] == PushStatus.UNKNOWN:
                row["signal_outcome"] = SignalOutcome.RECOVERED
            if row["outcome"] == PushStatus.REFUSED:
                row["signal_outcome"] = SignalOutcome.REFUSED
                self.note(Anomaly.REFUSED_BUT_SEEN, key)


def key_of(row: Row) -> tuple[int, int]:
    """Both halves of the trace id."""
    return row["trace_hi"], row["trace_lo"]


def known(key: tuple[int, int]) -> bool:
    """Whether a trace id has a slot."""
    tag, agent, index = trace_id.unpack(*key)
    return tag == RUN_TAG and agent < AGENTS and index < INDEXES


def drawn(rng: np.random.Generator, kind: str, spoiled: float) -> Row:
    """A record of one of few signals; now and then with a value that must not be."""

    def pick(*values: int, bad: int) -> int:
        return bad if rng.random() < spoiled else int(rng.choice(values))

    tag = pick(RUN_TAG, bad=RUN_TAG + 1)
    high, low = trace_id.pack(tag, pick(0, 1, bad=2), pick(*range(INDEXES), bad=INDEXES))
    row = {"trace_hi": high, "trace_lo": low}
    if kind == "attempt":
        row |= {name: int(rng.integers(1, 1_000)) for name in ("intended_ns", "sync_block")}
        row |= {"mode": pick(0, 1, bad=2), "stale": pick(0, 1, bad=2), "stage": 3}
        row["address"] = pick(0, 7, HOT_ADDRESS, bad=HOT_ADDRESS + 1)
        row["sent_ns"] = int(rng.integers(1, 4))
    elif kind == "ack":
        row |= {"acked_ns": int(rng.integers(1, 5)), "outcome": pick(*PushStatus, bad=9)}
        row |= {"redis_ms": int(rng.integers(1, 9)), "redis_seq": int(rng.integers(0, 9))}
    else:
        row |= {"seen_ns": int(rng.integers(1, 1_000)), "commit_us": int(rng.integers(1, 1_000))}
        row |= {"lsn": int(rng.integers(0, 2)), "xid": int(rng.integers(1, 3))}
        row["state"] = pick(1, 1, 2, 16, 20, bad=int(rng.choice([0, 99])))
    return row


def rows_of(table: SlotTable, samples: Samples) -> dict[str, Row]:
    """Samples by trace id, without the columns that are zero."""
    names = [name for name in samples.dtype.names or () if name not in {"slot", "reserved"}]
    return {
        table.text(int(sample["slot"])): {name: int(sample[name]) for name in names if sample[name]}
        for sample in samples
    }


def plain_rows(rows: dict[tuple[int, int], Row]) -> dict[str, Row]:
    """The same of the plain rules."""
    return {
        trace_id.text(*key): {name: int(value) for name, value in row.items() if value}
        for key, row in rows.items()
    }


@pytest.mark.parametrize("spoiled", [0.0, 0.04, 0.2])
def test_matching_is_that_of_one_record_at_a_time(spoiled: float) -> None:
    """Samples, findings and what is known by slot, over random records in any order."""
    for seed in range(150):
        rng = np.random.default_rng(seed)
        table = table_of()
        notes, plain = AnomalyLog(table), Plain()
        matcher = Matcher(table, notes)
        closed: dict[str, Row] = {}
        for _ in range(4):
            parts = [
                [drawn(rng, kind, spoiled) for _ in range(rng.integers(0, most))]
                for kind, most in (("attempt", 4), ("ack", 4), ("sighting", 7))
            ]
            plain.step(*parts)
            step = RecordBatch(
                (records_of(parts[0], ATTEMPT),),
                (records_of(parts[1], ACK),),
                (records_of(parts[2], SIGHTING),),
            )
            closed |= rows_of(table, matcher.advance(step))
            assert closed == plain_rows(plain.closed)
        plain.finish()
        late, rest = matcher.leftovers()
        assert closed | rows_of(table, late) == plain_rows(plain.closed)
        assert rows_of(table, rest) == plain_rows(plain.rows)
        assert (matcher.sightings, matcher.foreign) == (plain.sightings, plain.foreign)
        assert matcher.attempted == len(plain.rows) + len(plain.closed)
        named = Counter({kind: found.count for kind, found in notes.findings().items()})
        assert named == Counter(kind for kind, _ in plain.troubles.elements())
        traces = Counter(
            (kind, trace) for kind, found in notes.findings().items() for trace in found.traces
        )
        assert traces == plain.troubles
        marked = {
            table.text(int(one))
            for one in np.flatnonzero(matcher.outcomes.has_flag(SignalFlag.INIT))
        }
        assert marked == {trace_id.text(*key) for key in plain.inits}
        for key, row in (plain.rows | plain.closed).items():
            slot = table.slots_of(*(np.array([half], dtype=np.uint64) for half in key))
            assert int(matcher.outcomes.state[slot[0]]) == row.get("state", 0)
            assert bool(matcher.outcomes.has_flag(SignalFlag.STALE, slot)[0]) == (row["stale"] == 1)


def test_room_for_more_signals_in_flight_than_at_first() -> None:
    """Thousands of open samples in several steps lose none and mix none up."""
    table = table_of(10_000)
    matcher = Matcher(table, AnomalyLog(table))
    for first, end in ((0, 4_096), (4_096, 4_097), (4_097, 10_000)):
        attempts = np.zeros(end - first, dtype=ATTEMPT)
        attempts["trace_hi"], low = trace_id.pack(RUN_TAG, 1, 0)
        attempts["trace_lo"] = np.uint64(low) + np.arange(first, end, dtype=np.uint64)
        attempts["intended_ns"] = np.arange(first, end) + 1
        assert len(matcher.advance(RecordBatch((attempts,), (), ()))) == 0
    closed, rest = matcher.leftovers()
    assert len(closed) == 0
    assert rest["intended_ns"].tolist() == list(range(1, 10_001))
    assert rest["slot"].tolist() == list(range(10_000, 20_000))
