"""Supervision, with processes and a clock that a test controls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import NS_PER_MS, NS_PER_S, ManualClock
from harness.errors import StackError
from harness.process.program import Program
from harness.stack.process.restart_policy import ALWAYS, NEVER, RestartPolicy
from harness.stack.process.supervisor import Service, Supervisor


class FakeProcess:
    """A process that lives until it gets a signal or a code."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        self.signals: list[int] = []
        self.stubborn = False

    def poll(self) -> int | None:
        return self.code

    def send_signal(self, sig: int, /) -> None:
        self.signals.append(sig)
        if not self.stubborn or sig == 9:
            self.code = -sig


class World:
    """A supervisor and all it touches."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = ManualClock()
        self.spawned: list[FakeProcess] = []
        self.buried: list[int] = []
        self.log = tmp_path / "service.log"
        self.fail_spawn = False
        self.supervisor = Supervisor(self.spawn, self.buried.append, self.clock, ("hunter2",))

    def spawn(self, program: Program) -> FakeProcess:
        if self.fail_spawn:
            raise StackError("no such program", where=program.name)
        process = FakeProcess(100 + len(self.spawned))
        self.spawned.append(process)
        return process

    def service(self, name: str = "engine", policy: RestartPolicy = ALWAYS) -> Service:
        program = Program(name, ("true",), self.log.parent, self.log)
        return Service(program, lambda: True, policy=policy)

    def crash(self, code: int = 1) -> None:
        """End the newest process and let the supervisor notice."""
        self.spawned[-1].code = code
        self.supervisor.tick()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world with nothing started."""
    return World(tmp_path)


def test_restart_waits_first(world: World) -> None:
    """An ended service is down for 100 ms, then back, counted, its end kept."""
    world.supervisor.start(world.service())
    world.clock.advance(NS_PER_S)
    world.crash(-9)
    (down,) = world.supervisor.states()
    assert (down.alive, down.restarts, down.last_exit) == (False, 0, -9)
    world.clock.advance(100 * NS_PER_MS - 1)
    world.supervisor.tick()
    assert len(world.spawned) == 1
    world.clock.advance(1)
    world.supervisor.tick()
    (up,) = world.supervisor.states()
    assert (up.alive, up.restarts, up.pid, up.last_exit) == (True, 1, 101, -9)
    assert world.buried == [100]
    (exit_record,) = world.supervisor.describe()["engine"]["exits"]
    assert exit_record["uptime_ns"] == NS_PER_S
    assert exit_record["code"] == -9


def test_crash_loop_is_a_loss(world: World) -> None:
    """Who ends again and again is lost; the error shows its last output without secrets."""
    world.log.write_text("first line\ncannot log in with hunter2\n")
    world.supervisor.start(world.service(policy=RestartPolicy(retries_max=2)))
    for wait_ms in (100, 200):
        world.crash(3)
        world.supervisor.check()
        world.clock.advance(wait_ms * NS_PER_MS)
        world.supervisor.tick()
    world.crash(3)
    with pytest.raises(StackError, match=r"engine: is lost: ended 3 times in a row, last with 3"):
        world.supervisor.check()
    with pytest.raises(StackError, match=r"cannot log in with \*{8}") as caught:
        world.supervisor.check()
    assert "hunter2" not in str(caught.value)
    world.clock.advance(NS_PER_S)
    world.supervisor.tick()
    assert len(world.spawned) == 3


def test_no_restart_without_policy(world: World) -> None:
    """A service on demand that ends is lost at once."""
    world.supervisor.start(world.service(policy=NEVER))
    world.crash(0)
    with pytest.raises(StackError, match="ended 1 times in a row, last with 0"):
        world.supervisor.check()


def test_restart_that_cannot_start(world: World) -> None:
    """A program that is gone when it is to be restarted is a loss, not a crash of the watcher."""
    world.supervisor.start(world.service())
    world.crash()
    world.fail_spawn = True
    world.clock.advance(NS_PER_S)
    world.supervisor.tick()
    with pytest.raises(StackError, match="is lost"):
        world.supervisor.check()


def test_end_before_ready(world: World) -> None:
    """A service that ends before it is ready is reported with its exit code."""
    service = Service(world.service().program, lambda: False)
    world.supervisor.start(service)
    world.spawned[-1].code = 7
    with pytest.raises(StackError, match="engine: ended with 7 before it was ready"):
        world.supervisor.await_ready("engine", NS_PER_S)


def test_readiness_is_timed_from_the_start(world: World) -> None:
    """Also when others were waited for in between."""
    world.supervisor.start(world.service())
    world.clock.advance(2 * NS_PER_S)
    assert world.supervisor.await_ready("engine", NS_PER_S) == 2 * NS_PER_S


def test_never_ready(world: World) -> None:
    """Waiting has an end, and the message says how long it was."""
    world.supervisor.start(Service(world.service().program, lambda: False))
    with pytest.raises(StackError, match=r"was not ready after 1\.5 s"):
        world.supervisor.await_ready("engine", 1_500 * NS_PER_MS)
    assert 1_500 * NS_PER_MS <= world.clock.now_ns() < 1_600 * NS_PER_MS


def test_stop_asks_then_insists(world: World) -> None:
    """The polite signal comes first, SIGKILL after 3 s, and nothing is restarted afterwards."""
    world.supervisor.start(world.service())
    (process,) = world.spawned
    process.stubborn = True
    world.supervisor.stop()
    assert process.signals == [15, 9]
    assert world.clock.now_ns() >= 3 * NS_PER_S
    world.supervisor.tick()
    assert len(world.spawned) == 1


def test_dependents_stop_first(world: World) -> None:
    """Services end before the servers they talk to."""
    order: list[str] = []

    class Noting(FakeProcess):
        def __init__(self, name: str) -> None:
            super().__init__(1)
            self.name = name

        def send_signal(self, sig: int, /) -> None:
            order.append(self.name)
            super().send_signal(sig)

    supervisor = Supervisor(lambda p: Noting(p.name), world.buried.append, world.clock)
    for name, rank in (("redis", 0), ("engine", 1), ("postgres", 0)):
        program = world.service(name).program
        supervisor.start(Service(program, lambda: True, rank=rank))
    supervisor.stop()
    assert order == ["engine", "redis", "postgres"]


def test_a_service_is_started_later_by_the_thread_that_watches(world: World) -> None:
    """The caller waits for it, and an error there is the caller's."""
    world.supervisor.watch()
    world.supervisor.start_later([world.service(f"agent-{n}") for n in range(6)])
    assert [state.name for state in world.supervisor.states()] == [f"agent-{n}" for n in range(6)]
    world.fail_spawn = True
    with pytest.raises(StackError, match="no such program"):
        world.supervisor.start_later([world.service("another")])
    world.supervisor.stop()


def test_a_retired_service_is_ended_and_stays_on_record(world: World) -> None:
    """It is no service any more, and no loss."""
    world.supervisor.start(world.service("engine"))
    world.supervisor.start(world.service("agent"))
    world.supervisor.retire(["agent"])
    assert world.spawned[1].signals == [15]
    assert [state.name for state in world.supervisor.states()] == ["engine"]
    world.supervisor.tick()
    assert len(world.spawned) == 2
    assert set(world.supervisor.describe()) == {"engine", "agent"}


def test_a_service_that_is_not_essential_leaves_the_pool(world: World) -> None:
    """The stack goes on without it."""
    service = replace(world.service("agent", NEVER), is_essential=False)
    world.supervisor.start(service)
    world.crash()
    world.supervisor.check()
    (state,) = world.supervisor.states()
    assert (state.alive, state.out_of_pool) == (False, True)
