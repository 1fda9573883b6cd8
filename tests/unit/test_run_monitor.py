"""Following a run: when it is over, and what is noticed on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.clock import NS_PER_S
from harness.contract.names import Contract
from harness.process.interrupt import Interrupted
from harness.run.monitor import SWARM_GRACE_NS, RunMonitor
from harness.run.parts import RunEvent
from harness.schedule.plan import SwarmPlan
from tests.unit.fakes import FakeLive, FakeSwarm, Hook, World

LEAD_NS = 2 * NS_PER_S
LOAD_NS = 5 * NS_PER_S


def follower_of(world: World) -> tuple[RunMonitor, FakeSwarm, FakeLive]:
    """A follower whose load begins two seconds from now and lasts five."""
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
    follower = RunMonitor(
        parts, swarm, world.observer, live, world.telemetry, world.scenario.load, t0_ns
    )
    return follower, swarm, live


def kinds(follower: RunMonitor) -> list[str]:
    """The kinds of its events."""
    return [event.kind for event in follower.events]


def test_quiet_run_ends_soon_after_the_last_signal() -> None:
    """Nothing noticed, every phase shown, and no waiting for a drain that is not needed."""
    world = World()
    follower, _, _ = follower_of(world)
    begin_ns = world.clock.now_ns()
    follower.until_sent()
    follower.until_drained()
    assert kinds(follower) == []
    took_ns = world.clock.now_ns() - begin_ns
    assert LEAD_NS + LOAD_NS < took_ns < LEAD_NS + LOAD_NS + 2 * NS_PER_S
    phases = [progress.phase for progress in world.shown]
    assert list(dict.fromkeys(phases)) == ["start", "warmup", "measure", "drain"]


def test_stuck_signals_are_waited_for_until_the_deadline() -> None:
    """The drain ends at the scenario's drain time when signals never become final."""
    world = World()
    follower, _, live = follower_of(world)
    live.stuck = 3
    follower.until_sent()
    begin_ns = world.clock.now_ns()
    follower.until_drained()
    assert world.clock.now_ns() - begin_ns >= 5 * NS_PER_S
    assert follower.drain_deadline_ns == begin_ns + 5 * NS_PER_S


def test_refused_signals_are_not_waited_for() -> None:
    """A signal that Redis refused will never be final."""
    world = World()
    follower, swarm, _ = follower_of(world)
    swarm.refused = 4
    follower.until_sent()
    begin_ns = world.clock.now_ns()
    follower.until_drained()
    assert world.clock.now_ns() - begin_ns < 2 * NS_PER_S


@pytest.mark.parametrize("kind", ["observer_died", "swarm_died", "stack_lost"])
def test_a_death_ends_the_run_early_and_is_told_once(kind: str) -> None:
    """Without observer, swarm or stack nothing can come of the run any more."""
    hooks: dict[int, Hook] = {}
    world = World(at=hooks)
    follower, swarm, _ = follower_of(world)
    if kind == "observer_died":
        world.observer.death = "observer ended with -9"
    elif kind == "swarm_died":
        swarm.dies_at_ns = world.clock.now_ns() + NS_PER_S
    else:
        world.stack.lost = "ended 6 times within 10 s"
    follower.until_sent()
    follower.until_drained()
    assert set(kinds(follower)) == {kind}
    assert len(kinds(follower)) == 1
    assert world.clock.now_ns() < follower.t0_ns + LOAD_NS


def test_restart_is_noted_with_its_exit() -> None:
    """A service that ended and came back is told, and the run goes on."""
    world = World()
    follower, _, _ = follower_of(world)
    world.stack.restarts = 2
    follower.until_sent()
    assert kinds(follower) == ["service_restarted"]
    assert "engine ended with -9" in follower.events[0].what


def test_of_a_server_of_others_nobody_knows_how_it_ended() -> None:
    """It was restarted, and no more is said."""
    world = World()
    follower, _, _ = follower_of(world)
    world.stack.restarts, world.stack.last_exit = 1, None
    follower.until_sent()
    assert follower.events[0].what == "engine was restarted (restart 1)"


def test_who_leaves_the_pool_is_an_alert() -> None:
    """Told once, after the restarts that came before."""
    world = World()
    follower, _, _ = follower_of(world)
    world.stack.restarts, world.stack.out_of_pool = 3, True
    follower.until_sent()
    assert sorted(kinds(follower)) == ["out_of_pool", "service_restarted"]
    (alert,) = (event for event in follower.events if event.kind == "out_of_pool")
    assert "engine is out of the pool: it ended with -9 after 3 restarts" in alert.what


def test_swarm_that_does_not_end_is_given_up() -> None:
    """The wait for a swarm has a bound."""
    world = World()
    follower, swarm, _ = follower_of(world)
    swarm.hangs = True
    follower.until_sent()
    assert kinds(follower) == ["swarm_died"]
    assert world.clock.now_ns() <= follower.t0_ns + LOAD_NS + SWARM_GRACE_NS + NS_PER_S


def test_failed_objective_ends_the_load_and_the_drain_goes_on() -> None:
    """The swarm is told to end, which is no death; what is under way is still waited for."""
    world = World()
    follower, swarm, live = follower_of(world)
    live.fails_at_ns = follower.t0_ns + 2 * NS_PER_S
    live.stuck = 1
    follower.until_sent()
    assert swarm.stopped
    assert world.clock.now_ns() < follower.t0_ns + 3 * NS_PER_S
    swarm.dies_at_ns = world.clock.now_ns()
    begin_ns = world.clock.now_ns()
    follower.until_drained()
    assert kinds(follower) == ["aborted"]
    assert follower.events[0].what == "made up"
    assert world.clock.now_ns() - begin_ns >= 5 * NS_PER_S


def test_events_are_told_at_once_and_services_counted() -> None:
    """Who watches from outside learns of an event when it happens, not at the end."""
    world = World()
    follower, _, _ = follower_of(world)
    told: list[RunEvent] = []
    follower.on_event = told.append
    world.stack.restarts = 2
    follower.until_sent()
    assert told == follower.events
    assert world.shown[-1].restarts == (("engine", 2),)
    assert world.shown[-1].events == tuple(told)


def test_the_last_picture_holds_everything() -> None:
    """Files that were followed with a lag are caught up with before it is shown."""
    world = World()
    follower, swarm, live = follower_of(world)
    follower.until_sent()
    live.behind_for = live.updates + 3
    follower.finish()
    assert live.updates == live.behind_for + 1
    last = world.shown[-1]
    assert (last.phase, last.sent) == ("finish", swarm.totals().sent)
    assert last.summary.final == last.sent


def test_interrupt_passes_through() -> None:
    """Ctrl-C is for the run to handle, at once."""

    def interrupt() -> None:
        raise Interrupted(2)

    follower, _, _ = follower_of(World(at={NS_PER_S: interrupt}))
    with pytest.raises(Interrupted):
        follower.until_sent()
