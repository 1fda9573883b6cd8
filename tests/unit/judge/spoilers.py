"""What may happen to a run or to its evidence, so that nothing follows from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.contract.names import State
from harness.evidence.records import Records
from tests.unit.analysis.evidence import MS, T0_NS, S, World, in_order, probe, without
from tests.unit.judge.violations import N, drop, lose_last_nonce


def late(world: World) -> None:
    """A hundred signals are sent 40 ms late."""
    for attempts in world.attempts:
        hit = slice(500, 600)
        attempts["sent_ns"][hit] = attempts["sent_ns"][hit] + 40 * MS
    world.attempts = [in_order(part, "sent_ns") for part in world.attempts]
    world.acks[0]["acked_ns"] += 45 * MS


def half_sent(world: World) -> None:
    """The swarm stops half way; what was sent is all right."""
    keep = len(world.attempts[0]) // 2
    names = world.attempts[0][:keep][["trace_hi", "trace_lo"]]
    world.attempts[0] = world.attempts[0][:keep]
    world.acks[0] = world.acks[0][:keep]
    world.sightings = world.sightings[np.isin(world.sightings[["trace_hi", "trace_lo"]], names)]
    assert world.tasks is not None
    assert world.ledger is not None
    assert world.final is not None
    world.tasks = world.tasks[np.isin(world.tasks[["trace_hi", "trace_lo"]], names)]
    world.ledger = world.ledger[np.isin(world.ledger[["trace_hi", "trace_lo"]], names)]
    for agent, row in enumerate(world.final["postgres"]["nonces"]):
        own = world.attempts[0]["agent"] == agent
        world.tasks["nonce"][np.flatnonzero(own)] = np.arange(own.sum())
        row["nonce"] = int(own.sum())


def overflow(world: World) -> None:
    """The last signal takes longer than a histogram can hold."""
    world.sightings["seen_ns"][-1] += 5_000 * S
    world.run["observation_end_ns"] += 5_000 * S


def step_clock(world: World) -> None:
    """PostgreSQL's clock is set forward by 20 ms."""
    world.probes = [
        probe(line["server"], line["mono_ns"], off_us=20_000 * (line["mono_ns"] > T0_NS + 9 * S))
        for line in world.probes
    ]


def skew_clock(world: World) -> None:
    """Commit times lie 30 ms after the truth."""
    world.sightings["commit_us"] += 30_000


def slow_observer(delay_ms: int) -> Callable[[World], None]:
    """Everything is seen late."""

    def change(world: World) -> None:
        world.sightings["seen_ns"] += delay_ms * MS
        world.run["observation_end_ns"] += delay_ms * MS
        world.run["drain_deadline_ns"] += delay_ms * MS

    return change


def intended_later(world: World) -> None:
    """One intended time is made later by 50 us."""
    world.attempts[0]["intended_ns"][N] += 50_000


def swapped(world: World) -> None:
    """Two intended times of one agent change places."""
    rows = world.attempts[0]
    one, two = np.flatnonzero(rows["agent"] == rows["agent"][N])[10:12]
    rows["intended_ns"][[one, two]] = rows["intended_ns"][[two, one]]


def early(world: World) -> None:
    """A signal is sent before it is due."""
    world.attempts[0]["sent_ns"][N] = world.attempts[0]["intended_ns"][N] - 1_000


def cut_drain(world: World) -> None:
    """Interrupted before the drain, with the last signals under way."""
    drop(world, len(world.attempts[0]) - 1)
    lose_last_nonce(world)
    world.run["drain_deadline_ns"] = 0
    world.event("interrupted")


def no_ack(world: World) -> None:
    """Redis's answer to one signal is not journaled."""
    world.acks[0] = without(world.acks[0], world.of(world.acks[0], N))


def forget_sighting(world: World) -> None:
    """One final state is not among the sightings."""
    final = world.of(world.sightings, N) & (world.sightings["state"] == State.SIMULATED)
    world.sightings = without(world.sightings, final)


def repeat(kind: str) -> Callable[[World], None]:
    """One record of a kind stands twice."""

    def twice(records: Records) -> Records:
        repeated: Records = np.repeat(records, 1 + (np.arange(len(records)) == N))
        return repeated

    def change(world: World) -> None:
        if kind == "attempt":
            world.attempts[0] = twice(world.attempts[0])
        elif kind == "ack":
            world.acks[0] = twice(world.acks[0])
        elif kind == "sighting":
            world.sightings = twice(world.sightings)
        elif world.ledger is not None:
            world.ledger = twice(world.ledger)

    return change


def forge_row(world: World) -> None:
    """An FSM row is in a state that does not exist."""
    assert world.tasks is not None
    world.tasks["state"][N] = 99


def lose_tail(world: World) -> None:
    """The last sightings are gone, at the border of a record."""
    world.observer["seen"] = len(world.sightings)
    world.sightings = world.sightings[:-3]


def not_drained(world: World) -> None:
    """The observer ended before it had everything."""
    world.observer["drained"] = False


def reorder_attempts(world: World) -> None:
    """Two attempts change places in the journal."""
    rows = world.attempts[0]
    rows[[N, N + 5]] = rows[[N + 5, N]]


def reorder_sightings(world: World) -> None:
    """Two sightings change places."""
    rows = world.sightings
    rows[[N, N + 9]] = rows[[N + 9, N]]


def forget_attempt(world: World) -> None:
    """One attempt is not in the journal."""
    world.attempts[0] = without(world.attempts[0], world.of(world.attempts[0], N))


def forge_state(world: World) -> None:
    """A sighting has a state that does not exist."""
    world.sightings["state"][N] = 99


def forge_outcome(world: World) -> None:
    """An answer has an outcome that does not exist."""
    world.acks[0]["outcome"][N] = 9


def event_of(kind: str) -> Callable[[World], None]:
    """Something happened that a run notes."""
    return lambda world: world.event(kind)
