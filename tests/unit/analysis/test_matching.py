"""Every attempted signal ends in exactly one class, whatever happens to it."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.anomalies import Anomaly
from harness.analysis.recorder import Metric
from harness.analysis.run_analysis import RunAnalysis, analyze_run
from harness.analysis.samples import SignalOutcome
from harness.contract import trace_id
from harness.contract.names import State
from harness.evidence.records import SIGHTING, TASK, PushStatus
from harness.scenario import Phase
from tests.unit.analysis.evidence import (
    MS,
    RUN_TAG,
    T0_NS,
    S,
    World,
    healthy,
    in_order,
    load_of,
    without,
)

SMALL = load_of(agents=3, rate=12.0, duration_s=1.0, warmup_s=0.5, processes=2)
SMALL_WORLD = healthy(SMALL)
REJECTION = State.INVARIANT_BROKEN


def analyzed(world: World, *, chunk: int = 16_384) -> RunAnalysis:
    """Write the evidence and analyze it."""
    with tempfile.TemporaryDirectory() as reports:
        folder = world.write(Path(reports))
        return analyze_run(folder, folder.read_plan(), folder.read_run(), chunk=chunk)


@dataclass(frozen=True)
class SignalHistory:
    """The events of one signal.

    Attributes:
        answer: of Redis; None if none was journaled.
        seen: observed states in order.
        row: state in the FSM table; None without a row.
        stale: whether it was sent stale on purpose.
    """

    answer: PushStatus | None
    seen: tuple[State, ...]
    row: State | None
    stale: bool = False


HISTORIES = st.builds(
    SignalHistory,
    answer=st.sampled_from([None, *PushStatus]),
    seen=st.sampled_from(
        [
            (),
            (State.INIT,),
            (State.INIT, State.SIMULATED),
            (State.SIMULATED,),
            (State.INIT, REJECTION),
            (State.INIT, State.STALE_DATA_ERROR),
            (State.INIT, State.SIMULATED, State.SIMULATED),
            (State.INIT, State.SIMULATED, REJECTION),
            (State.SIMULATED, State.INIT),
        ]
    ),
    row=st.sampled_from(
        [
            *(None, State.INIT, State.SIMULATED, REJECTION, State.STALE_DATA_ERROR),
            *(State.OTHER, State.BEYOND),
        ]
    ),
    stale=st.booleans(),
)


def expected_outcome(history: SignalHistory, *, drain_elapsed: bool) -> SignalOutcome:
    """The definition, applied to one signal."""
    final = any(state is not State.INIT for state in history.seen)
    final = final or history.row not in (None, State.INIT, State.OTHER)
    if history.answer is PushStatus.REFUSED:
        return SignalOutcome.REFUSED
    if final and history.answer is not PushStatus.ACCEPTED:
        return SignalOutcome.RECOVERED
    if final:
        first = next((state for state in history.seen if state is not State.INIT), history.row)
        return SignalOutcome.REJECTED if first and first.is_rejected else SignalOutcome.SIMULATED
    has_row = history.row in (State.INIT, State.OTHER)
    if history.answer is PushStatus.ACCEPTED or bool(history.seen) or has_row:
        known = drain_elapsed and history.row is not State.OTHER
        return SignalOutcome.LOST if known else SignalOutcome.IN_FLIGHT
    return SignalOutcome.REFUSED


def is_simulated(history: SignalHistory) -> bool:
    """Whether it was ever seen SIMULATED, or left so; states beyond count as such."""
    left = (State.SIMULATED, State.BEYOND, State.OTHER)
    return State.SIMULATED in history.seen or history.row in left


def world_of(histories: list[SignalHistory], *, drain_elapsed: bool, delays_ms: list[int]) -> World:
    """A world in which the first signals have these histories, and no others are attempted."""
    world = replace(SMALL_WORLD, run=dict(SMALL_WORLD.run))
    attempts = in_order(np.concatenate(world.attempts), "intended_ns")
    picked = attempts[np.argsort(attempts["trace_lo"], kind="stable")][: len(histories)]
    picked["stale"] = [history.stale for history in histories]
    acks = np.concatenate(world.acks)[:0].copy()
    sightings, tasks = [], []
    for number, (history, row) in enumerate(zip(histories, picked, strict=True)):
        if history.answer is not None:
            ack = np.zeros(1, dtype=acks.dtype)
            ack["trace_hi"], ack["trace_lo"] = row["trace_hi"], row["trace_lo"]
            ack["acked_ns"], ack["outcome"] = row["sent_ns"] + MS, history.answer
            acks = np.concatenate((acks, ack))
        for turn, state in enumerate(history.seen):
            entry = np.zeros(1, dtype=SIGHTING)
            entry["trace_hi"], entry["trace_lo"] = row["trace_hi"], row["trace_lo"]
            entry["seen_ns"] = row["sent_ns"] + (delays_ms[number] + turn) * MS
            entry["state"], entry["xid"], entry["lsn"] = state, 10 * number + turn + 1, 1
            sightings.append(entry)
        if history.row is not None:
            task = np.zeros(1, dtype=TASK)
            task["trace_hi"], task["trace_lo"] = row["trace_hi"], row["trace_lo"]
            task["state"] = history.row
            task["nonce"] = number
            tasks.append(task)
    processes = SMALL.processes
    world.attempts = [
        in_order(picked[picked["agent"] % processes == process], "sent_ns")
        for process in range(processes)
    ]
    agents = (acks["trace_hi"] & 0xFFF) % processes
    world.acks = [in_order(acks[agents == process], "acked_ns") for process in range(processes)]
    world.sightings = in_order(np.concatenate([np.zeros(0, dtype=SIGHTING), *sightings]), "seen_ns")
    world.tasks = np.concatenate([np.zeros(0, dtype=TASK), *tasks])
    if not drain_elapsed:
        world.run["drain_deadline_ns"] = world.run["observation_end_ns"] + 1
    return world


@settings(max_examples=50, deadline=None)
@given(
    histories=st.lists(HISTORIES, min_size=1, max_size=12),
    drain_elapsed=st.booleans(),
    chunk=st.integers(1, 9),
    data=st.data(),
)
def test_every_signal_in_exactly_one_class(
    histories: list[SignalHistory], drain_elapsed: bool, chunk: int, data: st.DataObject
) -> None:
    """Classes sum to what was attempted and are the defined ones, in portions of any size."""
    delays_ms = data.draw(
        st.lists(st.integers(0, 900), min_size=len(histories), max_size=len(histories))
    )
    found = analyzed(
        world_of(histories, drain_elapsed=drain_elapsed, delays_ms=delays_ms), chunk=chunk
    )
    account = found.signals.outcomes()
    assert account.attempted == found.signals.attempted == len(histories)
    assert account.outcomes == Counter(
        expected_outcome(history, drain_elapsed=drain_elapsed) for history in histories
    )
    latencies = sum(cell.histogram(Metric.LATENCY).count for cell in found.signals.cells.values())
    stale = [history for history in histories if history.stale]
    assert account.stale == len(stale)
    assert latencies == account.ordinary == len(histories) - len(stale)
    refused = sum(cell.rejections for cell in found.signals.cells.values())
    assert refused == account.ordinary_rejected
    simulated = [history for history in stale if is_simulated(history)]
    assert found.finding(Anomaly.STALE_SIMULATED).count == len(simulated)
    twice = sum(
        REJECTION in history.seen and State.SIMULATED in history.seen for history in histories
    )
    assert found.finding(Anomaly.FINAL_TWICE).count == twice
    back = sum(history.seen == (State.SIMULATED, State.INIT) for history in histories)
    assert found.finding(Anomaly.AFTER_FINAL).count == back


@settings(max_examples=4, deadline=None)
@given(chunk=st.integers(1, 500), processes=st.integers(1, 5))
def test_portions_and_processes_change_nothing(chunk: int, processes: int) -> None:
    """The same evidence, however it is spread and read, gives the same histograms."""
    load = load_of(agents=7, rate=60.0, duration_s=2.0, processes=processes)
    world = healthy(load)
    whole, parts = analyzed(world), analyzed(world, chunk=chunk)
    assert whole.signals.outcomes() == parts.signals.outcomes()
    assert whole.findings == parts.findings == {}
    assert whole.signals.cells.keys() == parts.signals.cells.keys()
    for key, cell in whole.signals.cells.items():
        assert cell.histograms.keys() == parts.signals.cells[key].histograms.keys()
        for metric in cell.histograms:
            assert cell.histogram(metric) == parts.signals.cells[key].histogram(metric)


def test_phases_and_modes_are_kept_apart() -> None:
    """A signal belongs to the phase it was intended in and to its own mode."""
    world = healthy(full_every=4)
    found = analyzed(world)
    attempts = world.attempts[0]
    for key, cell in found.signals.cells.items():
        stage = 0 if key.phase is Phase.WARMUP else 1
        own = (attempts["stage"] == stage) & (attempts["mode"] == key.mode)
        assert cell.account.attempted == own.sum() > 0
    assert len(found.signals.cells) == 4


def test_latency_lateness_service_by_definition() -> None:
    """Three differences of three times, over the same signals."""
    world = healthy()
    found = analyzed(world)
    cell = next(cell for key, cell in found.signals.cells.items() if key.phase is Phase.MEASURE)
    attempts = world.attempts[0][world.attempts[0]["stage"] == 1]
    finals = world.sightings[world.sightings["state"] == State.SIMULATED]
    order = np.lexsort((finals["trace_lo"], finals["trace_hi"]))
    finals = finals[order]
    place = {(int(row["trace_hi"]), int(row["trace_lo"])): int(row["seen_ns"]) for row in finals}
    seen = np.array([place[(int(r["trace_hi"]), int(r["trace_lo"]))] for r in attempts])
    assert cell.histogram(Metric.LATENCY).sum_ns == int((seen - attempts["intended_ns"]).sum())
    assert cell.histogram(Metric.SERVICE).sum_ns == int((seen - attempts["sent_ns"]).sum())
    assert cell.histogram(Metric.LATENESS).sum_ns == 200_000 * len(attempts)


def test_lost_signal_is_in_the_percentile() -> None:
    """A signal that never arrived counts with the time it has had until the watching ended."""
    world = healthy()
    number = len(world.attempts[0]) // 2
    world.sightings = without(world.sightings, world.of(world.sightings, number))
    assert world.tasks is not None
    world.tasks = without(world.tasks, world.of(world.tasks, number))
    found = analyzed(world)
    assert found.signals.outcomes().of(SignalOutcome.LOST) == 1
    assert found.finding(Anomaly.LOST).traces == (world.trace(number),)
    cell = next(cell for key, cell in found.signals.cells.items() if key.phase is Phase.MEASURE)
    elapsed_ns = world.run["observation_end_ns"] - world.attempts[0]["intended_ns"][number]
    assert cell.censored == 1
    assert cell.histogram(Metric.LATENCY).max_ns == elapsed_ns
    assert cell.histogram(Metric.SERVICE).max_ns == elapsed_ns - 200_000
    # It is in the lower bound too, or that would be one of survivors only.
    assert cell.histogram(Metric.COMMITTED).max_ns == elapsed_ns


def test_death_of_the_observer_ends_the_watching() -> None:
    """A signal that was not observed long enough is in flight and censored then, not lost."""
    world = healthy()
    died_ns = T0_NS + 10 * S
    world.event("observer_died", died_ns)
    world.sightings = world.sightings[world.sightings["seen_ns"] < died_ns]
    world.tasks = None
    found = analyzed(world)
    late = int((world.attempts[0]["sent_ns"] > died_ns).sum())
    account = found.signals.outcomes()
    assert account.of(SignalOutcome.IN_FLIGHT) >= late > 100
    assert account.of(SignalOutcome.LOST) == 0
    cell = next(cell for key, cell in found.signals.cells.items() if key.phase is Phase.MEASURE)
    assert cell.histogram(Metric.LATENCY).negative == 0
    assert cell.histogram(Metric.LATENCY).max_ns < S


def test_unseen_is_not_lost() -> None:
    """A signal that is final in the table and was not observed has arrived at an unknown time."""
    world = healthy()
    world.sightings = without(world.sightings, world.of(world.sightings, 700))
    found = analyzed(world)
    account = found.signals.outcomes()
    assert (account.of(SignalOutcome.LOST), account.unseen) == (0, 1)
    assert found.finding(Anomaly.UNSEEN).traces == (world.trace(700),)
    cell = next(cell for key, cell in found.signals.cells.items() if key.phase is Phase.MEASURE)
    assert cell.histogram(Metric.UNSEEN).count == 1
    assert cell.censored == 0


def test_other_runs_are_left_alone() -> None:
    """Sightings and rows of another run tag are counted and touch nothing."""
    world, other = healthy(), healthy(run_tag=RUN_TAG + 1)
    world.sightings = in_order(np.concatenate((world.sightings, other.sightings)), "seen_ns")
    assert world.tasks is not None
    assert other.tasks is not None
    world.tasks = np.concatenate((world.tasks, other.tasks))
    found = analyzed(world)
    assert found.evidence.foreign == len(other.sightings)
    assert found.findings == {}


def test_unexpected_counts_a_signal_once() -> None:
    """Final, of this run, never attempted: seen and in the table, yet one signal."""
    world = healthy()
    high, low = trace_id.pack(RUN_TAG, 77, 5)
    sighting = world.sightings[-1:].copy()
    task = np.zeros(1, dtype=TASK)
    for record in (sighting, task):
        record["trace_hi"], record["trace_lo"] = high, low
    task["state"] = State.SIMULATED
    task["nonce"] = -1
    world.sightings = np.concatenate((world.sightings, sighting))
    assert world.tasks is not None
    world.tasks = np.concatenate((world.tasks, task))
    found = analyzed(world)
    assert found.finding(Anomaly.UNEXPECTED).count == 1
    assert found.finding(Anomaly.UNEXPECTED).traces == (trace_id.text(high, low),)


@pytest.mark.parametrize("index", [10**6, trace_id.INDEX_MAX])
def test_forged_index_costs_no_memory(index: int) -> None:
    """A record with an index that no agent can have reached is invalid, and allocates nothing."""
    world = healthy()
    forged = world.attempts[0][-1:].copy()
    high, low = trace_id.pack(RUN_TAG, 1, index)
    forged["trace_hi"], forged["trace_lo"] = high, low
    world.attempts[0] = np.concatenate((world.attempts[0], forged))
    found = analyzed(world)
    assert found.finding(Anomaly.ATTEMPT_INVALID).count == 1
    assert found.signals.attempted == len(world.attempts[0]) - 1


def test_evidence_that_comes_early_waits_for_its_attempt() -> None:
    """An answer or a sighting that stands before its attempt still belongs to it."""
    world = healthy(SMALL)
    world.attempts = [in_order(part, "intended_ns") for part in world.attempts]
    for part in world.attempts:
        part["sent_ns"] += 5 * S
    found = analyzed(world, chunk=3)
    assert found.signals.outcomes().of(SignalOutcome.SIMULATED) == found.signals.attempted
    assert found.finding(Anomaly.ACK_EARLY).count == found.signals.attempted


@pytest.mark.parametrize("chunk", [13, 16_384])
@pytest.mark.parametrize("apart", [0, 300])
def test_repeated_records_are_counted_once_and_reported(chunk: int, apart: int) -> None:
    """A repeated record, adjacent or far apart, is one finding and no new signal."""
    world = healthy(load_of(rate=50.0, duration_s=10.0))
    clean = analyzed(world)
    late_ns = world.attempts[0]["sent_ns"][100 + apart]
    for records, time in ((world.attempts, "sent_ns"), (world.acks, "acked_ns")):
        again = records[0][100:101].copy()
        again[time] = max(late_ns, again[time][0])
        records[0] = in_order(np.concatenate((records[0], again)), time)
    found = analyzed(world, chunk=chunk)
    assert found.finding(Anomaly.ATTEMPT_REPEATED).count == 1
    assert found.finding(Anomaly.ACK_REPEATED).count == 1
    assert found.findings.keys() == {Anomaly.ATTEMPT_REPEATED, Anomaly.ACK_REPEATED}
    assert found.signals.outcomes() == clean.signals.outcomes()
