"""`fork_storm`: a program inside a container that forks as fast as it can."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from harness.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from harness.errors import StackError
from harness.faults.docker.container_inspection import (
    container_pid,
    marked,
    members,
    tasks_allowed,
)
from harness.faults.docker.container_program import (
    MARK,
    OVERTIME_S,
    Execute,
    Pid,
    programs_ended,
)
from harness.faults.instance import FaultInstance, HealthCheck, injection
from harness.process.proc import parent_of
from harness.scenario.fault_base import FaultBase, Length, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import ServiceTarget

if TYPE_CHECKING:  # an engine and its client
    from harness.faults.docker.factory import DockerFaultFactory

_INTERVAL_NS = 300 * NS_PER_MS
# Half of what could be there, and so many that were not there a moment before.
_FORCE = 0.5
_FRESH_MIN = 20
_GROWTH = 3
_TERM_MAX_NS = 2 * NS_PER_S
_POLL_NS = 20 * NS_PER_MS
_ROUNDS_MAX = 50

# The parent alone forks, ends and reaps: no number is used again while it is meant, and no zombie
# is left to a first process that reaps nothing. A child without its parent ends by a timer.
_STORM = """
import os, signal, sys, time
end = time.monotonic() + float(sys.argv[2])
most = int(sys.argv[3])
alive = []
def finish(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
def leave(*_):
    raise SystemExit
signal.signal(signal.SIGTERM, leave)
try:
    while time.monotonic() < end:
        if len(alive) >= most:
            finish(alive.pop(0))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
                signal.alarm(int(end - time.monotonic()) + 2)
                while True:
                    signal.pause()
            alive.append(child)
        except OSError:  # the container's own limit
            time.sleep(0.001)
            if alive:
                finish(alive.pop(0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
finally:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for child in alive:
        finish(child)
"""


@fault("fork_storm")
class ForkStorm(FaultBase):
    """A program inside the service's container that forks as fast as it can for `for_s`.

    Attributes:
        processes: the most that are alive at once, since a container need not limit them.
    """

    targets: ClassVar[TargetRule] = ServiceTarget()
    drawn: ClassVar = "always"

    kind: Literal["fork_storm"]
    processes: Annotated[int, Field(ge=10, le=2_000)] = 200
    for_s: Length


@injection(ForkStorm, "docker")
def _fork(fault: ForkStorm, on: DockerFaultFactory) -> FaultInstance:
    inside = on.inside(fault.target)
    return FaultInstance(
        StormInjector(inside.execute, inside.pid, fault.processes, fault.for_s),
        StormProbe(inside.pid, inside.health_check, fault.processes),
    )


@dataclass
class StormInjector:
    """Starts a program that forks without a pause and keeps so many processes alive."""

    execute: Execute
    pid: Pid
    processes: int
    for_s: float
    clock: Clock = field(default_factory=SystemClock)

    def inject(self) -> None:
        seconds = str(self.for_s + OVERTIME_S)
        self.execute(["python3", "-S", "-c", _STORM, MARK, seconds, str(self.processes)])

    def heal(self) -> None:
        """Ask it to end and reap its children; what is left is frozen first, then killed."""
        with suppress(StackError):
            if not (pid := self.pid()):
                return
            _signal(_roots(marked(pid, MARK)), signal.SIGTERM)
            deadline_ns = self.clock.now_ns() + _TERM_MAX_NS
            while marked(pid, MARK) and self.clock.now_ns() < deadline_ns:
                self.clock.sleep_ns(_POLL_NS)
            for _ in range(_ROUNDS_MAX):
                if not (left := marked(pid, MARK)):
                    return
                _signal(left, signal.SIGSTOP)
                _signal(left, signal.SIGKILL)
                self.clock.sleep_ns(_POLL_NS)


@dataclass
class StormProbe:
    """Sees by two polls of the control group that it is full of processes, and of new ones."""

    pid: Pid
    health_check: HealthCheck | None
    processes: int
    clock: Clock = field(default_factory=SystemClock)
    _at_rest: int = field(default=0, init=False)
    _fresh_at_rest: int = field(default=0, init=False)

    def before(self) -> None:
        self._at_rest, self._fresh_at_rest = self._poll(container_pid(self.pid))

    def holds(self) -> str:
        if not (pid := self.pid()):
            return ""
        could = min(float(self.processes), tasks_allowed(pid) - self._at_rest)
        there, fresh = self._poll(pid)
        if there - self._at_rest < _FORCE * could:
            return ""
        if fresh < max(_FRESH_MIN, _GROWTH * self._fresh_at_rest):
            return ""
        rate = fresh * NS_PER_S // _INTERVAL_NS
        return (
            f"its control group holds {there} processes, {self._at_rest} before, and receives"
            f" {rate} a second at least"
        )

    def ended(self) -> str:
        return programs_ended(self.pid, self.health_check)

    def _poll(self, pid: int) -> tuple[int, int]:
        """How many processes there are, and how many of them were not there a moment ago."""
        first = set(members(pid))
        self.clock.sleep_ns(_INTERVAL_NS)
        then = set(members(pid))
        return len(then), len(then - first)


def _roots(found: Iterable[int]) -> tuple[int, ...]:
    """Those whose parent is none of them."""
    everyone = frozenset(found)
    return tuple(pid for pid in everyone if parent_of(pid) not in everyone)


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
