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


def gathered(world: World, *, chunk: int = 16_384) -> RunAnalysis:
    """Write the evidence and gather it."""
    with tempfile.TemporaryDirectory() as reports:
        folder = world.write(Path(reports))
        return analyze_run(folder, folder.read_plan(), folder.read_run(), chunk=chunk)


@dataclass(frozen=True)
class Story:
    """What happens to one signal.

    Attributes:
        answer: of Redis; None if none was journaled.
        seen: states in the order in which they were seen.
        row: state in the FSM table; None without a row.
        stale: whether it was sent stale on purpose.
    """

    answer: PushStatus | None
    seen: tuple[State, ...]
    row: State | None
    stale: bool = False


STORIES = st.builds(
    Story,
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


def expected_fate(story: Story, *, drain_elapsed: bool) -> SignalOutcome:
    """The definition, told one signal at a time."""
    final = any(state is not State.INIT for state in story.seen)
    final = final or story.row not in (None, State.INIT, State.OTHER)
    if story.answer is PushStatus.REFUSED:
        return SignalOutcome.REFUSED
    if final and story.answer is not PushStatus.ACCEPTED:
        return SignalOutcome.RECOVERED
    if final:
        first = next((state for state in story.seen if state is not State.INIT), story.row)
        return SignalOutcome.REJECTED if first and first.is_rejected else SignalOutcome.SIMULATED
    has_row = story.row in (State.INIT, State.OTHER)
    if story.answer is PushStatus.ACCEPTED or bool(story.seen) or has_row:
        known = drain_elapsed and story.row is not State.OTHER
        return SignalOutcome.LOST if known else SignalOutcome.IN_FLIGHT
    return SignalOutcome.REFUSED


def is_simulated(story: Story) -> bool:
    """Whether it was ever seen SIMULATED, or left so; states beyond count as such."""
    left = (State.SIMULATED, State.BEYOND, State.OTHER)
    return State.SIMULATED in story.seen or story.row in left


def told(stories: list[Story], *, drain_elapsed: bool, delays_ms: list[int]) -> World:
    """A world in which the first signals have these stories, and no others are attempted."""
    world = replace(SMALL_WORLD, run=dict(SMALL_WORLD.run))
    attempts = in_order(np.concatenate(world.attempts), "intended_ns")
    picked = attempts[np.argsort(attempts["trace_lo"], kind="stable")][: len(stories)]
    picked["stale"] = [story.stale for story in stories]
    acks = np.concatenate(world.acks)[:0].copy()
    sightings, tasks = [], []
    for number, (story, row) in enumerate(zip(stories, picked, strict=True)):
        if story.answer is not None:
            ack = np.zeros(1, dtype=acks.dtype)
            ack["trace_hi"], ack["trace_lo"] = row["trace_hi"], row["trace_lo"]
            ack["acked_ns"], ack["outcome"] = row["sent_ns"] + MS, story.answer
            acks = np.concatenate((acks, ack))
        for turn, state in enumerate(story.seen):
            entry = np.zeros(1, dtype=SIGHTING)
            entry["trace_hi"], entry["trace_lo"] = row["trace_hi"], row["trace_lo"]
            entry["seen_ns"] = row["sent_ns"] + (delays_ms[number] + turn) * MS
            entry["state"], entry["xid"], entry["lsn"] = state, 10 * number + turn + 1, 1
            sightings.append(entry)
        if story.row is not None:
            task = np.zeros(1, dtype=TASK)
            task["trace_hi"], task["trace_lo"] = row["trace_hi"], row["trace_lo"]
            task["state"] = story.row
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
    stories=st.lists(STORIES, min_size=1, max_size=12),
    drain_elapsed=st.booleans(),
    chunk=st.integers(1, 9),
    data=st.data(),
)
def test_every_signal_in_exactly_one_class(
    stories: list[Story], drain_elapsed: bool, chunk: int, data: st.DataObject
) -> None:
    """Classes sum to what was attempted and are the defined ones, in portions of any size."""
    delays_ms = data.draw(
        st.lists(st.integers(0, 900), min_size=len(stories), max_size=len(stories))
    )
    found = gathered(told(stories, drain_elapsed=drain_elapsed, delays_ms=delays_ms), chunk=chunk)
    account = found.signals.outcomes()
    assert account.attempted == found.signals.attempted == len(stories)
    assert account.outcomes == Counter(
        expected_fate(story, drain_elapsed=drain_elapsed) for story in stories
    )
    latencies = sum(cell.histogram(Metric.LATENCY).count for cell in found.signals.cells.values())
    stale = [story for story in stories if story.stale]
    assert account.stale == len(stale)
    assert latencies == account.ordinary == len(stories) - len(stale)
    refused = sum(cell.rejections for cell in found.signals.cells.values())
    assert refused == account.ordinary_rejected
    simulated = [story for story in stale if is_simulated(story)]
    assert found.finding(Anomaly.STALE_SIMULATED).count == len(simulated)
    twice = sum(REJECTION in story.seen and State.SIMULATED in story.seen for story in stories)
    assert found.finding(Anomaly.FINAL_TWICE).count == twice
    back = sum(story.seen == (State.SIMULATED, State.INIT) for story in stories)
    assert found.finding(Anomaly.AFTER_FINAL).count == back


@settings(max_examples=4, deadline=None)
@given(chunk=st.integers(1, 500), processes=st.integers(1, 5))
def test_portions_and_processes_change_nothing(chunk: int, processes: int) -> None:
    """The same evidence, however it is spread and read, gives the same histograms."""
    load = load_of(agents=7, rate=60.0, duration_s=2.0, processes=processes)
    world = healthy(load)
    whole, parts = gathered(world), gathered(world, chunk=chunk)
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
    found = gathered(world)
    attempts = world.attempts[0]
    for key, cell in found.signals.cells.items():
        stage = 0 if key.phase is Phase.WARMUP else 1
        own = (attempts["stage"] == stage) & (attempts["mode"] == key.mode)
        assert cell.account.attempted == own.sum() > 0
    assert len(found.signals.cells) == 4


def test_latency_lateness_service_are_what_they_say() -> None:
    """Three differences of three times, over the same signals."""
    world = healthy()
    found = gathered(world)
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
    found = gathered(world)
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
    """What nobody watched is in flight, with no more time than it was watched, and not lost."""
    world = healthy()
    died_ns = T0_NS + 10 * S
    world.event("observer_died", died_ns)
    world.sightings = world.sightings[world.sightings["seen_ns"] < died_ns]
    world.tasks = None
    found = gathered(world)
    late = int((world.attempts[0]["sent_ns"] > died_ns).sum())
    account = found.signals.outcomes()
    assert account.of(SignalOutcome.IN_FLIGHT) >= late > 100
    assert account.of(SignalOutcome.LOST) == 0
    cell = next(cell for key, cell in found.signals.cells.items() if key.phase is Phase.MEASURE)
    assert cell.histogram(Metric.LATENCY).negative == 0
    assert cell.histogram(Metric.LATENCY).max_ns < S


def test_unseen_is_not_lost() -> None:
    """What the table shows final and nobody saw has arrived, at an unknown time."""
    world = healthy()
    world.sightings = without(world.sightings, world.of(world.sightings, 700))
    found = gathered(world)
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
    found = gathered(world)
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
    found = gathered(world)
    assert found.finding(Anomaly.UNEXPECTED).count == 1
    assert found.finding(Anomaly.UNEXPECTED).traces == (trace_id.text(high, low),)


@pytest.mark.parametrize("index", [10**6, trace_id.INDEX_MAX])
def test_forged_index_costs_no_memory(index: int) -> None:
    """A record with an index that no agent can have reached is strange, not an allocation."""
    world = healthy()
    forged = world.attempts[0][-1:].copy()
    high, low = trace_id.pack(RUN_TAG, 1, index)
    forged["trace_hi"], forged["trace_lo"] = high, low
    world.attempts[0] = np.concatenate((world.attempts[0], forged))
    found = gathered(world)
    assert found.finding(Anomaly.ATTEMPT_INVALID).count == 1
    assert found.signals.attempted == len(world.attempts[0]) - 1


def test_evidence_that_comes_early_waits_for_its_attempt() -> None:
    """An answer or a sighting that stands before its attempt still belongs to it."""
    world = healthy(SMALL)
    world.attempts = [in_order(part, "intended_ns") for part in world.attempts]
    for part in world.attempts:
        part["sent_ns"] += 5 * S
    found = gathered(world, chunk=3)
    assert found.signals.outcomes().of(SignalOutcome.SIMULATED) == found.signals.attempted
    assert found.finding(Anomaly.ACK_EARLY).count == found.signals.attempted


@pytest.mark.parametrize("chunk", [13, 16_384])
@pytest.mark.parametrize("apart", [0, 300])
def test_repeated_records_are_counted_once_and_told(chunk: int, apart: int) -> None:
    """A record that stands twice, side by side or far apart, is one finding and no new signal."""
    world = healthy(load_of(rate=50.0, duration_s=10.0))
    clean = gathered(world)
    late_ns = world.attempts[0]["sent_ns"][100 + apart]
    for records, time in ((world.attempts, "sent_ns"), (world.acks, "acked_ns")):
        again = records[0][100:101].copy()
        again[time] = max(late_ns, again[time][0])
        records[0] = in_order(np.concatenate((records[0], again)), time)
    found = gathered(world, chunk=chunk)
    assert found.finding(Anomaly.ATTEMPT_REPEATED).count == 1
    assert found.finding(Anomaly.ACK_REPEATED).count == 1
    assert found.findings.keys() == {Anomaly.ATTEMPT_REPEATED, Anomaly.ACK_REPEATED}
    assert found.signals.outcomes() == clean.signals.outcomes()
