"""Fork storms: what the probe accepts as in force, and that no process is left."""

from __future__ import annotations

import os
import signal

import pytest

from harness.clock import ManualClock
from harness.faults.docker.container_program import MARK, OVERTIME_S
from harness.faults.kinds import fork_storm
from harness.faults.kinds.fork_storm import StormInjector, StormProbe

SERVICE = (5, 6)
STORM = tuple(range(100, 200))


class Container:
    """A container whose processes are given poll by poll, and obey signals."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.polls: list[tuple[int, ...]] = []
        self.allowed = float("inf")
        self.marked: list[int] = []
        self.parents: dict[int, int] = {}
        self.deaf: set[int] = set()
        self.signals: list[tuple[int, int]] = []
        patch.setattr(fork_storm, "members", lambda _: self.polls.pop(0))
        patch.setattr(fork_storm, "container_pid", lambda of: of())
        patch.setattr(fork_storm, "tasks_allowed", lambda _: self.allowed)
        patch.setattr(fork_storm, "marked", lambda *_: tuple(self.marked))
        patch.setattr(fork_storm, "parent_of", lambda pid: self.parents.get(pid, 1))
        patch.setattr(os, "kill", self.kill)

    def kill(self, pid: int, number: int) -> None:
        self.signals.append((pid, number))
        if pid not in self.marked:
            raise ProcessLookupError
        if number == signal.SIGTERM and pid not in self.deaf:
            self.marked.clear()  # it ends its children and then itself
        elif number == signal.SIGKILL:
            self.marked.remove(pid)
            if (late := pid + 1_000) in self.deaf:  # was forked before its parent was stopped
                self.marked.append(late)
                self.deaf.remove(late)

    def probe(self) -> StormProbe:
        probe = StormProbe(lambda: 5, lambda: "it answers", 100, ManualClock())
        self.polls = [SERVICE, SERVICE]
        probe.before()
        return probe

    def injector(self, commands: list[list[str]] | None = None) -> StormInjector:
        sink = commands if commands is not None else []
        return StormInjector(sink.append, lambda: 5, 100, 4.0, ManualClock())


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Container:
    """With a service of two processes."""
    return Container(monkeypatch)


@pytest.mark.parametrize(
    ("first", "then", "is_seen"),
    [
        (SERVICE, SERVICE, False),
        (SERVICE, SERVICE + STORM, True),
        (SERVICE + STORM[:60], SERVICE + STORM[30:], True),
        (SERVICE + STORM, SERVICE + STORM, False),  # many without turnover are no storm
        (SERVICE + STORM[:30], SERVICE + STORM[20:60], False),  # coming and going, but few
    ],
    ids=["rest", "begun", "turnover", "crowd", "weak"],
)
def test_a_storm_is_many_processes_and_new_ones(
    first: tuple[int, ...], then: tuple[int, ...], is_seen: bool, container: Container
) -> None:
    """Both at once, by the control group alone."""
    probe = container.probe()
    container.polls = [first, then]
    assert bool(probe.holds()) is is_seen


def test_a_limit_of_the_container_lowers_what_can_be_there(container: Container) -> None:
    """A storm that has reached it is in force."""
    container.allowed = 52
    probe = container.probe()
    container.polls = [SERVICE, SERVICE + STORM[:26]]
    assert probe.holds()


def test_a_storm_carries_its_mark_and_ends_by_itself(container: Container) -> None:
    """So that it is found, and does not outlive a harness that died for long."""
    commands: list[list[str]] = []
    container.injector(commands).inject()
    (argv,) = commands
    assert argv[-3:] == [MARK, str(4.0 + OVERTIME_S), "100"]
    compile(argv[argv.index("-c") + 1], "storm", "exec")


def test_the_parent_is_asked_to_reap_its_children(container: Container) -> None:
    """Nobody else would: a zombie of a parent that was killed stays."""
    container.marked = [100, 101, 102]
    container.parents = {101: 100, 102: 100}
    container.injector().heal()
    assert container.signals == [(100, signal.SIGTERM)]


def test_who_does_not_listen_is_frozen_and_ended(container: Container) -> None:
    """And those that were forked meanwhile."""
    container.marked = [100, 101]
    container.parents = {101: 100}
    container.deaf = {100, 1_101}
    container.injector().heal()
    assert container.marked == []
    numbers = [number for pid, number in container.signals if pid == 100]
    assert numbers == [signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL]
    assert (1_101, signal.SIGKILL) in container.signals


def test_nothing_to_heal_is_no_error(container: Container) -> None:
    """A container that is away took them along."""
    injector = container.injector()
    injector.heal()
    injector.pid = lambda: 0
    injector.heal()
    assert container.signals == []
