"""Faults that end a service's process, and how its end and its return are seen."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field

from harness.errors import StackError
from harness.faults.health_checks import HealthCheck
from harness.faults.instance import Services, state_of
from harness.process.proc import is_running, start_ticks


@dataclass
class ProcessSignalInjector:
    """Sends a signal to the service's own process, which its restart policy brings back."""

    services: Services
    name: str
    number: int = signal.SIGKILL

    def inject(self) -> None:
        state = state_of(self.services, self.name)
        if state is None or not state.alive:
            raise StackError("does not run, so it cannot be ended", where=self.name)
        try:
            os.kill(state.pid, self.number)
        except (ProcessLookupError, PermissionError) as error:
            raise StackError(f"cannot be sent a signal: {error}", where=self.name) from error

    def heal(self) -> None:
        """Whoever restarts it does so without being asked."""


@dataclass
class RestartProbe:
    """Sees by the process table that one process is gone and another one works in its place."""

    services: Services
    name: str
    health_check: HealthCheck | None
    _pid: int = field(default=0, init=False)
    _ticks: int = field(default=0, init=False)

    def before(self) -> None:
        state = state_of(self.services, self.name)
        if state is None or not is_running(state.pid):
            raise StackError("does not run before its fault", where=self.name)
        self._pid, self._ticks = state.pid, start_ticks(state.pid)

    def holds(self) -> str:
        return "" if is_running(self._pid, self._ticks) else f"process {self._pid} is gone"

    def ended(self) -> str:
        state = state_of(self.services, self.name)
        if state is None or not state.alive or not is_running(state.pid):
            return ""
        if (state.pid, start_ticks(state.pid)) == (self._pid, self._ticks):
            return ""
        answer = self.health_check() if self.health_check else "it runs"
        return f"process {state.pid} is in its place; {answer}" if answer else ""
