"""Runs that never were: what may happen to a run, so that nothing follows from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.contract.names import State
from harness.evidence.manifest import write_manifest
from harness.evidence.run_folder import RunFolder
from tests.corpus.entries import Entry, of_world, tiny
from tests.corpus.worlds_system import attach, slow
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy, load_of, without
from tests.unit.analysis.stream_polls import BEFORE
from tests.unit.judge import self_monitoring_spoilers as monitoring
from tests.unit.judge import (
    spoilers,
    test_host_interference,
    test_stack_consistency,
    test_unreadable,
    violations,
)

HALF_NS = T0_NS + 11 * S


def park(world: World) -> None:
    """An attached system leaves signals in a status that the contract does not name."""
    attach(world)
    world.observer["way"] = "polling"
    assert world.final is not None
    world.final["postgres"]["statuses"] = {"SIMULATED": 207, "Parked": 3}
    for number in (100, 120, 150):
        world.sightings = without(world.sightings, world.of(world.sightings, number))
        violations.field(world.tasks, world, number, "state", State.OTHER)


def attached() -> World:
    """A healthy run on a system that somebody else runs."""
    world = tiny()
    attach(world)
    world.observer["way"] = "logical"
    return world


def send_half(world: World) -> None:
    """Half of the plan is attempted, and Redis took no more."""
    spoilers.half_sent(world)
    violations.stream(world)["entries_added"] = BEFORE + len(world.attempts[0])


def be_cut_short(world: World) -> None:
    """A person breaks the run off half way."""
    send_half(world)
    world.event("interrupted", HALF_NS)


def gap(world: World) -> None:
    """The server cut the observer off for a while; it read what it missed."""
    world.observer |= {"gaps": 1, "cause": "connection lost: terminating connection"}


def restart(world: World) -> None:
    """A service restarted, and nobody had planned it."""
    world.event("service_restarted", HALF_NS)


def miss_probes(world: World) -> None:
    """No clock is probed before the first signal."""
    monitoring.probe_only(before=False, after=True)(world)


def read_late(world: World) -> None:
    """Words of the system came before its table showed the state."""
    attach(world)
    world.observer |= {"way": "notification", "words_checked": 50, "words_early": 2}
    world.observer |= {"words_early_max_ns": 40 * MS}


def _after(
    name: str,
    shows: str,
    build: Callable[[], World],
    change: Callable[[RunFolder], object],
    *,
    sealed: bool = False,
) -> Entry:
    """A run whose files are changed after they were written, and sealed again or not."""

    def record(place: Path) -> Path:
        folder = build().write(place)
        change(folder)
        if sealed:
            write_manifest(folder)
        return folder.path

    return Entry(name, shows, record)


def _edit_clock(folder: RunFolder) -> None:
    text = folder.clock.read_text("utf-8")
    folder.clock.write_text(text.replace("100000", "100001", 1), "utf-8")


def _tear(folder: RunFolder) -> None:
    path = folder.journal / "acks-0.bin"
    path.write_bytes(path.read_bytes()[:-16])


def _remove(*names: str) -> Callable[[RunFolder], object]:
    def change(folder: RunFolder) -> None:
        for name in names:
            (folder.path / name).unlink()

    return change


def _beside(change: dict[str, float], seconds: range) -> Callable[[RunFolder], object]:
    text = test_host_interference.telemetry(change, seconds)
    return lambda folder: folder.telemetry.write_text(text, encoding="utf-8")


SPOILED = (
    of_world(
        "invalid-late-generator",
        "signals go out late",
        lambda: healthy(load_of(agents=4, rate=40.0, duration_s=20.0)),
        spoilers.late,
    ),
    of_world("invalid-half-sent", "half of the plan is attempted", tiny, send_half),
    of_world("invalid-overflow", "a duration beyond the histogram", tiny, spoilers.overflow),
    of_world("invalid-clock-jump", "PostgreSQL's clock is stepped", tiny, spoilers.step_clock),
    of_world("invalid-negative", "commits after their sighting", tiny, spoilers.skew_clock),
    of_world(
        "invalid-slow-observer",
        "seen late, and a verdict rests on it",
        lambda: healthy(delays=slow(0, 60, ms=470)),
        spoilers.slow_observer(60),
    ),
    of_world(
        "invalid-other-plan",
        "an intended time that the seed does not give",
        tiny,
        spoilers.intended_later,
    ),
    of_world("inconclusive-cut-short", "a person broke the run off", tiny, be_cut_short),
    of_world(
        "pass-observer-gap", "the observer was cut off, and read what it had missed", tiny, gap
    ),
    of_world("invalid-unplanned-restart", "a service restarted unplanned", tiny, restart),
    of_world(
        "inconclusive-in-flight",
        "interrupted before the drain, with signals under way",
        tiny,
        spoilers.cut_drain,
    ),
    of_world(
        "invalid-sighting-gone",
        "the table tells of an end that nobody saw",
        tiny,
        spoilers.forget_sighting,
    ),
    of_world(
        "invalid-starved",
        "another process holds the swarm's core: late",
        lambda: healthy(None, "p99 < 500 ms"),
        monitoring.starve_to_lateness,
    ),
    of_world(
        "invalid-paused-swarm",
        "the swarm sleeps for 600 ms",
        tiny,
        monitoring.pause_swarm(600 * MS),
    ),
    of_world(
        "invalid-stopped-observer",
        "the observer is stopped for 2 s",
        tiny,
        monitoring.stop_observer,
    ),
    of_world("invalid-vitals-gap", "no sample of the host for 7 s", tiny, monitoring.skip_polls),
    of_world(
        "invalid-wall-clock",
        "the host's wall clock is set back",
        tiny,
        monitoring.step_wall_clock,
    ),
    of_world("invalid-unprobed", "no clock is probed before the load", tiny, miss_probes),
    of_world("invalid-steal", "the hypervisor takes a fifth of the cores", tiny, monitoring.stolen),
    of_world("pass-noise", "a busy host with nothing wrong", tiny, monitoring.noise),
    of_world(
        "invalid-unread-final",
        "the server is away to the end, and the observer barred",
        attached,
        test_unreadable.lose_server,
    ),
    of_world(
        "invalid-hidden-rows",
        "row-level security hides rows of the FSM table",
        attached,
        test_unreadable.hide("tasks"),
    ),
    of_world("invalid-unknown-state", "signals are left in a status without a name", tiny, park),
    of_world("invalid-early-words", "the system's word came before its table", tiny, read_late),
    of_world(
        "invalid-forged-kind",
        "the stack claims to be attached, and is none",
        tiny,
        test_stack_consistency.claim_attach,
    ),
)

EDITED = (
    _after("invalid-edited", "a file was edited after the run", tiny, _edit_clock),
    _after("invalid-torn", "a record is cut short, sealed anew", tiny, _tear, sealed=True),
    _after(
        "invalid-no-stack",
        "the stack says nothing of itself",
        tiny,
        _remove("stack.json", "environment.json"),
        sealed=True,
    ),
    _after(
        "unreadable-plan",
        "the plan is no JSON",
        tiny,
        lambda folder: folder.plan.write_text("{", "utf-8"),
    ),
)

_SLOW: Any = slow(0, 30, ms=900)
NEIGHBOURS = (
    _after(
        "invalid-cores-taken",
        "slow while other programs had the cores",
        lambda: healthy(delays=_SLOW),
        _beside(test_host_interference.BURNERS, test_host_interference.ALL),
        sealed=True,
    ),
    _after(
        "invalid-storage-taken",
        "slow while other programs had the storage",
        lambda: healthy(delays=_SLOW),
        _beside(test_host_interference.WRITERS, test_host_interference.ALL),
        sealed=True,
    ),
    _after(
        "fail-slow-alone",
        "as slow with the host to itself: the diagnosis says why",
        lambda: healthy(delays=_SLOW),
        _beside({}, test_host_interference.ALL),
        sealed=True,
    ),
    _after(
        "pass-beside-others",
        "an objective met beside others is met",
        healthy,
        _beside(test_host_interference.BURNERS, test_host_interference.ALL),
        sealed=True,
    ),
    _after(
        "invalid-window-affected",
        "maxima and windows of a few affected seconds",
        lambda: healthy(
            None,
            "max < 500 ms",
            "p90 over any 2 s < 500 ms",
            delays=slow(8, 11),
        ),
        _beside(test_host_interference.BURNERS, range(8, 13)),
        sealed=True,
    ),
)

ENTRIES: tuple[Entry, ...] = (*SPOILED, *EDITED, *NEIGHBOURS)
