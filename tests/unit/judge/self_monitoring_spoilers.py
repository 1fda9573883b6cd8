"""What may happen to the processes of the harness and to their host while they measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from harness.evidence.records import Records
from tests.unit.analysis.evidence import MS, T0_NS, S, World, in_order

# In the middle of the measured phase.
MIDDLE_NS = T0_NS + 10 * S
Process = dict[str, Any]


def consume_share(world: World, name: str, field: str, share: float) -> None:
    """A process uses or lacks a share of a core from the first second of the load on."""
    for line in world.self_monitoring:
        since_ns = max(0, line["mono_ns"] - T0_NS)
        line["processes"][name][field] = round(share * since_ns)


def saturated(name: str) -> Callable[[World], None]:
    """A process computes without a pause."""

    def change(world: World) -> None:
        consume_share(world, name, "cpu_ns", 0.97)

    return change


def starved(world: World) -> None:
    """Other processes hold the swarm's core most of the time."""
    consume_share(world, "swarm-0", "wait_ns", 0.8)


def stolen(world: World) -> None:
    """Other guests of the hypervisor take a fifth of the cores."""
    for line in world.self_monitoring:
        line["cores"] = [
            {**core, "steal_ns": line["mono_ns"] * 20 // 100, "idle_ns": line["mono_ns"] // 2}
            for core in line["cores"]
        ]


def pause_swarm(pause_ns: int, times: int = 1) -> Callable[[World], None]:
    """The swarm is not let in for so long, so many seconds in a row; no signal is due then."""

    def change(world: World) -> None:
        for word in list(_between(world.swarm_statuses, MIDDLE_NS, MIDDLE_NS + times * S)):
            word["wake_late_max_ns"] = word["stalled_ns"] = pause_ns

    return change


def silence_watchdog(world: World) -> None:
    """No status line of the swarm was kept."""
    world.swarm_statuses.clear()


def stop_observer(world: World) -> None:
    """The observer is stopped for two seconds."""
    for line in _between(world.self_monitoring, MIDDLE_NS, MIDDLE_NS + 2 * S):
        line["processes"]["observer"]["state"] = "T"


def silence_observer(world: World) -> None:
    """The observer says nothing for six seconds."""
    gone = list(_between(world.observer_statuses[1:], MIDDLE_NS, MIDDLE_NS + 6 * S))
    world.observer_statuses = [word for word in world.observer_statuses if word not in gone]


def leave_observer_behind(world: World) -> None:
    """Twenty megabytes of the server's log wait for the observer."""
    next(_between(world.observer_statuses[1:], MIDDLE_NS, MIDDLE_NS + S))["behind_bytes"] = (
        20_000_000
    )


def skip_polls(world: World) -> None:
    """Nobody looks for seven seconds."""
    gone = list(_between(world.self_monitoring, MIDDLE_NS, MIDDLE_NS + 7 * S))
    world.self_monitoring = [line for line in world.self_monitoring if line not in gone]


def omit_process(name: str) -> Callable[[World], None]:
    """Nobody looks at one of the processes."""

    def change(world: World) -> None:
        for line in world.self_monitoring:
            del line["processes"][name]

    return change


def garble_self_monitoring(world: World) -> None:
    """One line is cut short."""
    del world.self_monitoring[5]["mono_ns"]


def step_wall_clock(world: World) -> None:
    """The wall clock of the host is set back by 50 ms."""
    for line in _between(world.self_monitoring, MIDDLE_NS, 2 * MIDDLE_NS):
        line["wall_ns"] -= 50 * MS


def discipline_wall_clock(world: World) -> None:
    """The wall clock of the host is slowed down by 400 ppm."""
    for line in world.self_monitoring:
        line["wall_ns"] -= (line["mono_ns"] - T0_NS) * 400 // 1_000_000


def probe_only(*, before: bool, after: bool) -> Callable[[World], None]:
    """Clocks are probed during the load, and only before or after it, or neither."""

    def change(world: World) -> None:
        first_ns = int(min(part["sent_ns"].min() for part in world.attempts))
        last_ns = int(max(part["sent_ns"].max() for part in world.attempts))
        world.probes = [
            line
            for line in world.probes
            if (before or line["mono_ns"] > first_ns) and (after or line["mono_ns"] < last_ns)
        ]

    return change


def noise(world: World) -> None:
    """A busy host with nothing wrong: waits, small pauses, late samples, all cores in use."""
    for number, line in enumerate(world.self_monitoring):
        mono_ns = line["mono_ns"]
        line["mono_ns"] = mono_ns + (number % 3) * 300 * MS
        line["wall_ns"] += (number % 3) * 300 * MS
        line["late_ns"] = (number % 3) * 300 * MS
        line["cores"] = [
            {**core, "busy_ns": mono_ns * 96 // 100, "idle_ns": 0, "steal_ns": mono_ns * 3 // 100}
            for core in line["cores"]
        ]
    consume_share(world, "swarm-0", "wait_ns", 0.25)
    consume_share(world, "observer", "wait_ns", 0.6)
    pause_swarm(120 * MS, times=2)(world)
    for word in world.observer_statuses[1::4]:
        word["mono_ns"] += 700 * MS
        word["behind_bytes"] = 400_000


def _between(lines: list[dict[str, Any]], start_ns: int, end_ns: int) -> Iterator[dict[str, Any]]:
    return (line for line in lines if start_ns <= line["mono_ns"] < end_ns)


def starve_to_lateness(world: World) -> None:
    """The swarm's core is gone for the second half: each second's signals go out at its end."""
    starved(world)
    for attempts, acks in zip(world.attempts, world.acks, strict=True):
        late = attempts["intended_ns"] > MIDDLE_NS
        end_ns = (attempts["intended_ns"] // S + 1) * S
        delay = np.where(late, end_ns - attempts["sent_ns"], 0)
        moved = dict(zip(attempts[["trace_hi", "trace_lo"]].tolist(), delay.tolist(), strict=True))
        attempts["sent_ns"] += delay
        acks["acked_ns"] += delay
        later = np.array([moved[name] for name in _names(world.sightings)])
        world.sightings["seen_ns"] += later
        world.sightings["commit_us"] += later // 1_000
    world.attempts = [in_order(part, "sent_ns") for part in world.attempts]
    world.acks = [in_order(part, "acked_ns") for part in world.acks]
    world.sightings = in_order(world.sightings, "seen_ns")


def _names(records: Records) -> list[tuple[int, int]]:
    names: list[tuple[int, int]] = records[["trace_hi", "trace_lo"]].tolist()
    return names
