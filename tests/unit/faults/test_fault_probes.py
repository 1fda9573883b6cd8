"""Exits, pauses and maintenance: injectors and probes on processes of no importance."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from harness.errors import StackError
from harness.faults.kinds.pause import PauseInjector, PauseProbe, process_tree
from harness.faults.kinds.process_exit import ProcessSignalInjector, RestartProbe
from harness.process.proc import state_of
from harness.stack.base import ServiceState

NAME = "sleeper"
# With a child, since a service may have some.
PROGRAM = (
    "import subprocess, sys\n"
    "child = subprocess.Popen(['sleep', '60'])\n"
    "print('up', flush=True)\n"
    "child.wait()\n"
)


@dataclass
class Sleepers:
    """A service that is started again when a test wants it."""

    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", PROGRAM],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"

    def services(self) -> tuple[ServiceState, ...]:
        last = self.running[-1]
        return (ServiceState(NAME, last.pid, last.poll() is None, len(self.running) - 1, None),)


@pytest.fixture
def sleepers() -> Iterator[Sleepers]:
    """One that runs."""
    made = Sleepers()
    made.start()
    yield made
    for process in made.running:
        for pid in reversed(process_tree(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def soon(question: Callable[[], object]) -> bool:
    """Whether something becomes true within a number of polls, each of which needs some time."""
    return any(question() for _ in range(20_000))


def test_an_end_is_seen_and_so_is_the_return(sleepers: Sleepers) -> None:
    """Only another process that answers is a return."""
    answers = [""]
    probe = RestartProbe(sleepers.services, NAME, lambda: answers[0])
    probe.before()
    assert probe.holds() == ""
    assert probe.ended() == ""
    ProcessSignalInjector(sleepers.services, NAME, signal.SIGKILL).inject()
    assert soon(probe.holds)
    assert sleepers.running[0].wait(10) == -signal.SIGKILL
    assert probe.ended() == ""
    sleepers.start()
    assert probe.ended() == ""
    answers[0] = "it answers"
    assert "is in its place; it answers" in probe.ended()


def test_a_service_that_is_gone_cannot_be_ended(sleepers: Sleepers) -> None:
    """Neither injected nor proven."""
    sleepers.running[0].kill()
    sleepers.running[0].wait(10)
    with pytest.raises(StackError, match="does not run"):
        ProcessSignalInjector(sleepers.services, NAME).inject()
    with pytest.raises(StackError, match="does not run before"):
        RestartProbe(sleepers.services, NAME, None).before()
    with pytest.raises(StackError, match="does not run"):
        ProcessSignalInjector(lambda: (), NAME).inject()


def test_a_pause_holds_the_whole_family(sleepers: Sleepers) -> None:
    """The child too, and it goes on when it is healed."""
    probe = PauseProbe(sleepers.services, NAME, lambda: "it answers")
    probe.before()
    assert probe.holds() == ""
    injector = PauseInjector(sleepers.services, NAME)
    injector.inject()
    assert soon(probe.holds)
    assert "(2) are in state T" in probe.holds()
    assert probe.ended() == ""
    with pytest.raises(StackError, match="is stopped before"):
        PauseProbe(sleepers.services, NAME, None).before()
    injector.heal()
    assert soon(probe.ended)
    assert probe.holds() == ""


def test_half_a_pause_is_none(sleepers: Sleepers) -> None:
    """A service of which one process goes on is not frozen."""
    probe = PauseProbe(sleepers.services, NAME, None)
    pid = sleepers.running[0].pid
    sleepers.running[0].send_signal(signal.SIGSTOP)
    assert soon(lambda: state_of(pid) == "T")
    assert probe.holds() == ""
    assert probe.ended() == ""
    sleepers.running[0].send_signal(signal.SIGCONT)
    assert soon(probe.ended)


def test_a_stall_is_one_only_when_nobody_is_answered(sleepers: Sleepers) -> None:
    """Frozen, and yet a request was answered: another process has its port."""
    answers = ["it answers"]
    probe = PauseProbe(sleepers.services, NAME, lambda: answers[0], silent=True)
    injector = PauseInjector(sleepers.services, NAME)
    injector.inject()
    pids = process_tree(sleepers.running[0].pid)
    assert soon(lambda: all(state_of(pid) == "T" for pid in pids))
    assert probe.holds() == ""
    answers[0] = ""
    assert "a request was not answered" in probe.holds()
    injector.heal()
