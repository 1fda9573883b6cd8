"""Monitoring a run: when it is over, and the events on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.clock import NS_PER_S
from harness.contract.names import Contract
from harness.evidence.run_documents import RunEvent
from harness.process.interrupt import Interrupted
from harness.run.monitor import SWARM_GRACE_NS, RunMonitor
from harness.schedule.plan import SwarmPlan
from tests.unit.fakes import FakeLive, FakeSwarm, Hook, World

LEAD_NS = 2 * NS_PER_S
LOAD_NS = 5 * NS_PER_S


def monitor_of(world: World) -> tuple[RunMonitor, FakeSwarm, FakeLive]:
    """A monitor whose load begins two seconds from now and lasts five."""
    parts = world.parts()
    t0_ns = world.clock.now_ns() + LEAD_NS
    plan = SwarmPlan(
        run_tag=1,
        seed=1,
        t0_ns=t0_ns,
        load=world.scenario.load,
        signals=world.scenario.signals,
        contract=Contract(),
        redis_url=SecretStr("redis://h"),
        folder=Path("unused"),
    )
    swarm = parts.measurement.make_swarm(plan)
    assert isinstance(swarm, FakeSwarm)
    live = parts.display.make_live(Path("unused"), plan, (), None)
    assert isinstance(live, FakeLive)
    monitor = RunMonitor(
        parts, swarm, world.observer, live, world.telemetry, world.scenario.load, t0_ns
    )
    return monitor, swarm, live


def kinds(monitor: RunMonitor) -> list[str]:
    """The kinds of its events."""
    return [event.kind for event in monitor.events]


def test_run_without_events_ends_soon_after_the_last_signal() -> None:
    """Nothing noticed, every phase shown, and no waiting for a drain that is not needed."""
    world = World()
    monitor, _, _ = monitor_of(world)
    begin_ns = world.clock.now_ns()
    monitor.until_sent()
    monitor.until_drained()
    assert kinds(monitor) == []
    took_ns = world.clock.now_ns() - begin_ns
    assert LEAD_NS + LOAD_NS < took_ns < LEAD_NS + LOAD_NS + 2 * NS_PER_S
    phases = [progress.phase for progress in world.shown]
    assert list(dict.fromkeys(phases)) == ["start", "warmup", "measure", "drain"]


def test_stuck_signals_are_waited_for_until_the_deadline() -> None:
    """The drain ends at the scenario's drain time when signals never become final."""
    world = World()
    monitor, _, live = monitor_of(world)
    live.stuck = 3
    monitor.until_sent()
    begin_ns = world.clock.now_ns()
    monitor.until_drained()
    assert world.clock.now_ns() - begin_ns >= 5 * NS_PER_S
    assert monitor.drain_deadline_ns == begin_ns + 5 * NS_PER_S


def test_refused_signals_are_not_waited_for() -> None:
    """A signal that Redis refused will never be final."""
    world = World()
    monitor, swarm, _ = monitor_of(world)
    swarm.refused = 4
    monitor.until_sent()
    begin_ns = world.clock.now_ns()
    monitor.until_drained()
    assert world.clock.now_ns() - begin_ns < 2 * NS_PER_S


@pytest.mark.parametrize("kind", ["observer_died", "swarm_died", "stack_lost"])
def test_a_death_ends_the_run_early_and_is_one_event(kind: str) -> None:
    """Without observer, swarm or stack nothing can come of the run any more."""
    hooks: dict[int, Hook] = {}
    world = World(at=hooks)
    monitor, swarm, _ = monitor_of(world)
    if kind == "observer_died":
        world.observer.death = "observer ended with -9"
    elif kind == "swarm_died":
        swarm.dies_at_ns = world.clock.now_ns() + NS_PER_S
    else:
        world.stack.lost = "ended 6 times within 10 s"
    monitor.until_sent()
    monitor.until_drained()
    assert set(kinds(monitor)) == {kind}
    assert len(kinds(monitor)) == 1
    assert world.clock.now_ns() < monitor.t0_ns + LOAD_NS


def test_restart_is_noted_with_its_exit() -> None:
    """A restarted service is an event, and the run continues."""
    world = World()
    monitor, _, _ = monitor_of(world)
    world.stack.restarts = 2
    monitor.until_sent()
    assert kinds(monitor) == ["service_restarted"]
    (event,) = monitor.events
    assert (event.subject, event.exit_code, event.restarts) == ("engine", -9, 2)


def test_a_foreign_server_has_no_exit_code() -> None:
    """Only its restart is noted."""
    world = World()
    monitor, _, _ = monitor_of(world)
    world.stack.restarts, world.stack.last_exit = 1, None
    monitor.until_sent()
    (event,) = monitor.events
    assert (event.subject, event.exit_code, event.restarts) == ("engine", None, 1)


def test_who_leaves_the_pool_is_an_alert() -> None:
    """Noted once, after the restarts before."""
    world = World()
    monitor, _, _ = monitor_of(world)
    world.stack.restarts, world.stack.out_of_pool = 3, True
    monitor.until_sent()
    assert sorted(kinds(monitor)) == ["out_of_pool", "service_restarted"]
    (alert,) = (event for event in monitor.events if event.kind == "out_of_pool")
    assert (alert.subject, alert.exit_code, alert.restarts) == ("engine", -9, 3)


def test_swarm_that_does_not_end_is_given_up() -> None:
    """The wait for a swarm has a bound."""
    world = World()
    monitor, swarm, _ = monitor_of(world)
    swarm.hangs = True
    monitor.until_sent()
    assert kinds(monitor) == ["swarm_died"]
    assert world.clock.now_ns() <= monitor.t0_ns + LOAD_NS + SWARM_GRACE_NS + NS_PER_S


def test_failed_objective_ends_the_load_and_the_drain_goes_on() -> None:
    """The swarm is stopped, which is no death; signals under way are still waited for."""
    world = World()
    monitor, swarm, live = monitor_of(world)
    live.fails_at_ns = monitor.t0_ns + 2 * NS_PER_S
    live.stuck = 1
    monitor.until_sent()
    assert swarm.stopped
    assert world.clock.now_ns() < monitor.t0_ns + 3 * NS_PER_S
    swarm.dies_at_ns = world.clock.now_ns()
    begin_ns = world.clock.now_ns()
    monitor.until_drained()
    assert kinds(monitor) == ["aborted"]
    assert monitor.events[0].what == "made up"
    assert world.clock.now_ns() - begin_ns >= 5 * NS_PER_S


def test_events_are_passed_on_at_once_and_services_counted() -> None:
    """Who watches from outside learns of an event when it happens, not at the end."""
    world = World()
    monitor, _, _ = monitor_of(world)
    passed: list[RunEvent] = []
    monitor.on_event = passed.append
    world.stack.restarts = 2
    monitor.until_sent()
    assert passed == monitor.events
    assert world.shown[-1].restarts == (("engine", 2),)
    assert world.shown[-1].events == tuple(passed)


def test_the_last_snapshot_has_everything() -> None:
    """Files that were followed with a lag are caught up with before it is shown."""
    world = World()
    monitor, swarm, live = monitor_of(world)
    monitor.until_sent()
    live.unread_until = live.updates + 3
    monitor.finish()
    assert live.updates == live.unread_until + 1
    last = world.shown[-1]
    assert (last.phase, last.sent) == ("finish", swarm.totals().sent)
    assert last.summary.final == last.sent


def test_interrupt_passes_through() -> None:
    """Ctrl-C is for the run to handle, at once."""

    def interrupt() -> None:
        raise Interrupted(2)

    monitor, _, _ = monitor_of(World(at={NS_PER_S: interrupt}))
    with pytest.raises(Interrupted):
        monitor.until_sent()
