"""Evidence of runs that never were: a healthy one, to be broken on purpose.

`healthy(...)` gives a `World` of plain record arrays; a test changes them and calls `write`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract import trace_id
from harness.contract.address import address_text
from harness.contract.names import State
from harness.evidence.backup_log import BackupLog, format_backup_record
from harness.evidence.event_log import EVENTS_FILE
from harness.evidence.fault_log import FaultRecord, format_fault_record
from harness.evidence.gate_log import GateLogEntry, format_gate_entry
from harness.evidence.manifest import write_manifest
from harness.evidence.records import ACK, ATTEMPT, LEDGER, READ, SIGHTING, TASK, PushStatus, Records
from harness.evidence.run_documents import EXTRA_FILES, RunPlan
from harness.evidence.run_folder import RunFolder
from harness.evidence.scale_log import ScaleLogEntry, format_scale_entry
from harness.scenario import Load, Scenario, Signals, Stage
from harness.schedule.content import contents
from harness.schedule.pacing import intended_offsets
from tests.unit.analysis.ledger_rows import bookings_of, stamps_of
from tests.unit.analysis.service_counters import counters_of
from tests.unit.analysis.status_lines import observer_status, self_monitoring_line, swarm_status
from tests.unit.analysis.stream_polls import poll, polls_at
from tests.unit.analysis.trace_keys import COLUMNS, keys

MS = 1_000_000
S = 1_000 * MS
T0_NS = 1_000 * S
# PostgreSQL's Unix time at monotonic zero.
SERVER_US = 1_800_000_000_000_000
RUN_TAG = 0xABCDEF012345

Delays = Callable[[int], NDArray[np.int64]]


def load_of(
    *,
    agents: int = 5,
    rate: float = 100.0,
    duration_s: float = 20.0,
    warmup_s: float = 1.0,
    processes: int = 1,
) -> Load:
    """A load of one stage at a constant rate."""
    stage = Stage(agents=agents, rate_from=rate, rate_to=rate, duration_s=duration_s)
    return Load(stages=(stage,), warmup_s=warmup_s, drain_s=5.0, processes=processes)


def scenario_of(load: Load, *objectives: str, seed: int = 1) -> Scenario:
    """A scenario with this load."""
    return Scenario(
        name="synthetic",
        about="made up",
        seed=seed,
        load=load,
        objectives=objectives or ("p99 < 500 ms",),
    )


def steady(delay_ms: float = 10.0) -> Delays:
    """Delays around a median, log-normal with a light tail, always the same ones."""

    def draw(count: int) -> NDArray[np.int64]:
        values = np.random.default_rng(7).lognormal(np.log(delay_ms * MS), 0.3, count)
        return values.astype(np.int64)

    return draw


@dataclass
class World:
    """The evidence of a run, before it is written."""

    scenario: Scenario
    plan: RunPlan
    attempts: list[Records]
    acks: list[Records]
    sightings: Records
    tasks: Records | None
    ledger: Records | None
    final: dict[str, Any] | None
    run: dict[str, Any]
    probes: list[dict[str, Any]]
    observer: dict[str, Any] = field(default_factory=lambda: {"way": "logical", "drained": True})
    stack: dict[str, Any] = field(default_factory=lambda: {"kind": "process"})
    self_monitoring: list[dict[str, Any]] = field(default_factory=list)
    swarm_statuses: list[dict[str, Any]] = field(default_factory=list)
    observer_statuses: list[dict[str, Any]] = field(default_factory=list)
    stream_polls: list[dict[str, Any]] = field(default_factory=list)
    bookings: Records | None = None
    stamps: Records | None = None
    counters: dict[str, Any] | None = None
    faults: list[FaultRecord] | None = None
    backups: BackupLog | None = None
    gate: list[GateLogEntry] | None = None
    scale_out: list[ScaleLogEntry] | None = None
    pool: list[dict[str, Any]] = field(default_factory=list)
    heads: Records | None = None
    reads: Records = field(default_factory=lambda: np.zeros(0, dtype=READ))

    def trace(self, number: int) -> str:
        """Trace id of the n-th attempt of process 0."""
        row = self.attempts[0][number]
        return trace_id.text(int(row["trace_hi"]), int(row["trace_lo"]))

    def of(self, records: Records, number: int) -> NDArray[np.bool_]:
        """Which records concern the n-th attempt of process 0."""
        row = self.attempts[0][number]
        mask: NDArray[np.bool_] = (records["trace_hi"] == row["trace_hi"]) & (
            records["trace_lo"] == row["trace_lo"]
        )
        return mask

    def reject(self, refused: Records, state: State) -> None:
        """The engine rejects signals, which then have no nonce and no ledger rows.

        The other signals get new nonces without a gap.
        """
        assert self.tasks is not None
        assert self.ledger is not None
        assert self.final is not None
        chosen = keys(refused)
        finals = self.sightings["state"] == State.SIMULATED
        self.sightings["state"][finals & np.isin(keys(self.sightings), chosen)] = state
        self.ledger = without(self.ledger, np.isin(keys(self.ledger), chosen))
        hit = np.isin(keys(self.tasks), chosen)
        self.tasks["state"][hit] = state
        self.tasks["nonce"][hit] = -1
        agents, given = self.tasks["trace_hi"] & 0xFFF, self.tasks["nonce"] >= 0
        for agent, row in enumerate(self.final["postgres"]["nonces"]):
            own = (agents == agent) & given
            order = np.argsort(self.tasks["nonce"][own], kind="stable")
            self.tasks["nonce"][np.flatnonzero(own)[order]] = np.arange(own.sum())
            row["nonce"] = int(own.sum())

    def event(self, kind: str, mono_ns: int = T0_NS) -> None:
        """Add an event."""
        self.run["events"].append({"kind": kind, "what": "made up", "mono_ns": mono_ns})

    def write(self, reports: Path) -> RunFolder:
        """Write all evidence into a new folder."""
        folder = RunFolder.create(reports, self.scenario.name, 0)
        folder.write_scenario(self.scenario.model_copy(update={"signals": self.plan.signals}))
        folder.write_plan(self.plan)
        folder.write_json(folder.run, self.run)
        folder.write_json(folder.stack, self.stack)
        folder.write_json(folder.environment, {"commit": "abc", "modified": False})
        for process, (attempts, acks) in enumerate(zip(self.attempts, self.acks, strict=True)):
            attempts.tofile(folder.journal / f"attempts-{process}.bin")
            acks.tofile(folder.journal / f"acks-{process}.bin")
        self.sightings.tofile(folder.sightings)
        self.reads.tofile(folder.reads)
        # Its counts agree with the files, unless a test changes them.
        counts = {"seen": len(self.sightings), "stream_looks": len(self.stream_polls)}
        folder.write_json(folder.observer, {**counts, **self.observer})
        if self.tasks is not None:
            self.tasks.tofile(folder.final_tasks)
        if self.ledger is not None:
            self.ledger.tofile(folder.final_ledger)
        # Signals without ledger entries or an FSM row have no bookings or timestamps.
        for path, rows, of in (
            (folder.final_bookings, self.bookings, self.ledger),
            (folder.final_stamps, self.stamps, self.tasks),
        ):
            if rows is not None and of is not None:
                rows[np.isin(keys(rows), keys(of))].tofile(path)
        _write_heads(folder, self.heads)
        counters = counters_of(self) if self.counters is None else self.counters
        if counters:
            folder.write_json(folder.metrics, counters)
        if self.final is not None:
            folder.write_text(folder.final, json.dumps(self.final))
        for path, lines in (
            (folder.clock, self.probes),
            (folder.self_monitoring, self.self_monitoring),
            (folder.swarm_status, self.swarm_statuses),
            (folder.observer_status, self.observer_statuses),
            (folder.stream, self.stream_polls),
            (folder.path / EVENTS_FILE, self.run["events"]),
        ):
            folder.write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
        for path, text in self._optional(folder):
            folder.write_text(path, text)
        write_manifest(folder)
        return folder

    def _optional(self, folder: RunFolder) -> Iterator[tuple[Path, str]]:
        """Files that only some runs have."""
        if self.faults is not None:
            yield folder.faults, "".join(map(format_fault_record, self.faults))
        if self.backups is not None:
            yield folder.backup, "".join(map(format_backup_record, self.backups.lines))
        if self.gate is not None:
            yield folder.gate, "".join(map(format_gate_entry, self.gate))
        if self.scale_out is not None:
            yield folder.scale_out, "".join(map(format_scale_entry, self.scale_out))
        if self.pool:
            yield folder.pool, "".join(json.dumps(line) + "\n" for line in self.pool)


def healthy(
    load: Load | None = None,
    *objectives: str,
    delays: Delays | None = None,
    seed: int = 1,
    run_tag: int = RUN_TAG,
    full_every: int = 0,
    stale_every: int = 0,
) -> World:
    """The evidence of a healthy run.

    Args:
        load: of the scenario.
        objectives: of the scenario.
        delays: from sending to commit, in ns, for so many signals in the order of their sending.
        seed: of the schedule.
        run_tag: of the trace ids.
        full_every: every so many signals one is in full mode; 0 for none.
        stale_every: of so many signals about one is stale on purpose, by the seed, and rejected;
            0 for none.
    """
    load = load or load_of()
    scenario = scenario_of(load, *objectives, seed=seed)
    signals = Signals(stale_share=1 / stale_every if stale_every else 0.0)
    plan = RunPlan(run_tag=run_tag, seed=seed, t0_ns=T0_NS, load=load, signals=signals)
    attempts = _attempts(plan)
    count = len(attempts)
    if full_every:
        attempts["mode"][::full_every] = 1
    if stale_every:
        attempts["sync_block"] = 100
        _mark_stale(attempts, plan)
    committed = attempts["sent_ns"] + (delays or steady())(count)

    acks = np.zeros(count, dtype=ACK)
    for name in COLUMNS:
        acks[name] = attempts[name]
    acks["acked_ns"] = attempts["sent_ns"] + 300_000
    acks["redis_seq"] = np.arange(count)
    acks["redis_ms"] = 1
    acks["outcome"] = PushStatus.ACCEPTED

    sightings = _sightings(attempts, committed)
    end_ns = int(max(sightings["seen_ns"].max(), T0_NS + _length_ns(load))) + S
    processes = load.processes
    own = attempts["agent"] % processes
    world = World(
        scenario=scenario,
        plan=plan,
        attempts=[attempts[own == process] for process in range(processes)],
        acks=[acks[own == process] for process in range(processes)],
        sightings=sightings,
        tasks=_tasks(attempts),
        ledger=_ledger(attempts),
        final=_final(attempts, run_tag, count),
        run={
            "t0_ns": T0_NS,
            "observation_end_ns": end_ns,
            "drain_deadline_ns": end_ns,
            "events": [],
            "kept": EXTRA_FILES,
        },
        probes=[
            probe(server, mono_ns)
            for mono_ns in (*range(T0_NS - S, end_ns, 5 * S), end_ns)
            for server in ("postgres", "redis")
        ],
        self_monitoring=[
            self_monitoring_line(mono_ns, processes) for mono_ns in range(T0_NS - S, end_ns, S)
        ],
        swarm_statuses=[
            swarm_status(process, mono_ns)
            for mono_ns in range(T0_NS - S, end_ns, S)
            for process in range(processes)
        ],
        observer_statuses=[
            {"kind": "ready"},
            *(observer_status(mono_ns) for mono_ns in range(T0_NS - S, end_ns, S)),
        ],
        bookings=bookings_of(attempts, plan),
        stamps=stamps_of(sightings),
        stream_polls=polls_at(acks, range(T0_NS - S, end_ns, S // 4)),
    )
    if stale_every:
        world.reject(attempts[attempts["stale"] == 1], State.STALE_DATA_ERROR)
    return world


def probe(server: str, mono_ns: int, *, off_us: int = 0, rtt_ns: int = 100_000) -> dict[str, Any]:
    """A probe of a server's clock."""
    server_us = SERVER_US + mono_ns // 1_000 + off_us
    return {"server": server, "mono_ns": mono_ns, "server_us": server_us, "rtt_ns": rtt_ns}


def server_us(mono_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The server's timestamp of a moment."""
    return SERVER_US + mono_ns // 1_000


def in_order(records: Records, time: str) -> Records:
    """Sorted by a time, as their writers do."""
    ordered: Records = records[np.argsort(records[time], kind="stable")]
    return ordered


def without(records: Records, removed: NDArray[np.bool_]) -> Records:
    """All other records."""
    kept: Records = records[~removed]
    return kept


def _write_heads(folder: RunFolder, heads: Records | None) -> None:
    if heads is not None:
        heads.tofile(folder.final_heads)


def _length_ns(load: Load) -> int:
    return round(sum(stage.duration_s for stage in load.timeline()) * S)


def _attempts(plan: RunPlan) -> Records:
    parts = []
    for agent in range(plan.load.agents_max):
        first = 0
        for stage, offsets in intended_offsets(plan.load, plan.seed, agent, block=1_024):
            part = np.zeros(len(offsets), dtype=ATTEMPT)
            high, low = trace_id.pack(plan.run_tag, agent, 0)
            part["trace_hi"] = high
            part["trace_lo"] = np.uint64(low) + np.arange(
                first, first + len(offsets), dtype=np.uint64
            )
            part["intended_ns"] = offsets + plan.t0_ns
            part["agent"] = part["address"] = agent
            part["stage"] = stage
            parts.append(part)
            first += len(offsets)
    attempts = in_order(np.concatenate(parts), "intended_ns")
    attempts["sent_ns"] = attempts["intended_ns"] + 200_000
    return attempts


def _mark_stale(attempts: Records, plan: RunPlan) -> None:
    for agent in range(plan.load.agents_max):
        own = attempts["agent"] == agent
        attempts["stale"][own] = contents(plan.signals, plan.seed, agent, 0, int(own.sum())).stale


def _sightings(attempts: Records, committed: NDArray[np.int64]) -> Records:
    count = len(attempts)
    both = np.zeros(2 * count, dtype=SIGHTING)
    init, final = both[:count], both[count:]
    for name in COLUMNS:
        init[name] = final[name] = attempts[name]
    init_ns = attempts["sent_ns"] + np.minimum(MS, (committed - attempts["sent_ns"]) // 2)
    init["commit_us"], final["commit_us"] = server_us(init_ns), server_us(committed)
    init["seen_ns"], final["seen_ns"] = init_ns + 400_000, committed + 500_000
    init["state"], final["state"] = State.INIT, State.SIMULATED
    both = in_order(both, "seen_ns")
    both["xid"] = np.arange(1_000, 1_000 + 2 * count)
    both["lsn"] = np.arange(1_000, 1_000 + 2 * count)
    return both


def _tasks(attempts: Records) -> Records:
    tasks = np.zeros(len(attempts), dtype=TASK)
    for name in COLUMNS:
        tasks[name] = attempts[name]
    tasks["state"] = State.SIMULATED
    # In the order in which Redis accepted them, whichever finished first.
    for address in np.unique(attempts["address"]):
        own = np.flatnonzero(attempts["address"] == address)
        tasks["nonce"][own] = np.arange(len(own))
    return tasks


def _ledger(attempts: Records) -> Records:
    ledger = np.zeros(len(attempts), dtype=LEDGER)
    for name in COLUMNS:
        ledger[name] = attempts[name]
    for name in ("trades", "gas_fees", "protocol_fees", "transactions"):
        ledger[name] = 1
    return ledger


def _final(attempts: Records, run_tag: int, entries: int) -> dict[str, Any]:
    last = poll(0, entries)
    addresses, counts = np.unique(attempts["address"], return_counts=True)
    return {
        "schema": 1,
        "postgres": {
            "server_version": "16.14",
            "nonces": [
                {"address": address_text(run_tag, address), "chain_id": 1, "nonce": number}
                for address, number in zip(addresses.tolist(), counts.tolist(), strict=True)
            ],
        },
        "redis": {
            "version": "7.2.0",
            "proposals": {
                **last["stream"],
                "engine_group": {**last["group"], "pending_ids": []},
            },
        },
    }
