"""Hogs: what their probes accept as in force, and as over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.errors import StackError
from harness.faults.docker import container_inspection, container_program
from harness.faults.kinds import resource_hog
from harness.faults.kinds.resource_hog import CpuInjector, CpuProbe, MemoryInjector, MemoryProbe


class Container:
    """A container by its control group."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.pid, self.cores, self.allowed = 5, 0.1, 1.0
        self.kills: dict[int, int] = {5: 2, 6: 0}
        self.hogs: tuple[int, ...] = ()
        self.limit: int | None = 1 << 30
        self.commands: list[list[str]] = []
        answers: dict[str, Callable[..., object]] = {
            "cores_used": lambda *_: self.cores,
            "cores_allowed": lambda _: self.allowed,
            "cpu_used_ns": lambda _: 0,
            "oom_kills": lambda pid: self.kills[pid],
            "marked": lambda *_: self.hogs,
            "memory_limit_bytes": lambda _: self.limit,
        }
        for name, answer in answers.items():
            for module in (container_inspection, container_program, resource_hog):
                patch.setattr(module, name, answer, raising=False)

    def its_pid(self) -> int:
        return self.pid


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Container:
    """At rest, with one core and one GiB."""
    return Container(monkeypatch)


@pytest.mark.parametrize(("cores", "is_seen"), [(0.1, False), (0.2, False), (0.9, True)])
def test_force_is_a_part_of_what_it_could_have(
    cores: float, is_seen: bool, container: Container
) -> None:
    """By the quota where that is less than the host has."""
    probe = CpuProbe(container.its_pid, None, 4)
    probe.before()
    container.cores = cores
    assert bool(probe.holds()) is is_seen


def test_a_container_that_is_busy_anyhow_proves_nothing(container: Container) -> None:
    """No more than before is no hog's doing."""
    container.cores = 0.9
    probe = CpuProbe(container.its_pid, None, 4)
    probe.before()
    assert probe.holds() == ""


def test_over_is_when_no_hog_is_left_and_it_answers(container: Container) -> None:
    """Both."""
    answers = [""]
    probe = CpuProbe(container.its_pid, lambda: answers[0], 4)
    container.hogs = (77,)
    answers[0] = "it answers"
    assert probe.ended() == ""
    container.hogs, answers[0] = (), ""
    assert probe.ended() == ""
    answers[0] = "it answers"
    assert "it answers" in probe.ended()


def test_a_kill_for_want_of_memory_is_counted_from_before(container: Container) -> None:
    """A container that was started again counts from nothing."""
    probe = MemoryProbe(container.its_pid, None)
    probe.before()
    assert probe.holds() == ""
    container.kills[5] = 3
    assert "grew by 1" in probe.holds()
    container.pid = 6
    assert probe.holds() == ""
    container.kills[6] = 1
    assert "grew by 1" in probe.holds()


def test_programs_carry_their_mark_and_end_by_themselves(container: Container) -> None:
    """So that they are found, and do not outlive a harness that died for long."""
    CpuInjector(container.commands.append, container.its_pid, 3, 4.0).inject()
    MemoryInjector(container.commands.append, container.its_pid).inject()
    for command in container.commands:
        assert container_program.MARK in command
    assert container.commands[0][-2:] == ["34.0", "3"]
    assert int(container.commands[1][-1]) * (16 << 20) > 1 << 30


@pytest.mark.parametrize(("limit", "text"), [(None, "no memory limit"), (1 << 50, "can spare")])
def test_the_host_is_no_victim(limit: int | None, text: str, container: Container) -> None:
    """A hog without a limit of its own would use the host's memory."""
    container.limit = limit
    with pytest.raises(StackError, match=text):
        MemoryInjector(container.commands.append, container.its_pid).inject()
    assert container.commands == []
