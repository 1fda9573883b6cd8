"""The reference agents of Zone A as child processes, for a scale-out without containers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from harness.clock import Clock
from harness.errors import StackError
from harness.evidence.scale_log import AgentInstance
from harness.process.proc import age_ns
from harness.process.program import Program
from harness.stack.process.restart_policy import RestartPolicy
from harness.stack.process.supervisor import Service, Supervisor
from harness.stack.settings import StackSettings

# As the containers of the strategy zone are called, which makes their signals nobody else's.
AGENT = "python-agent"
_RANK = 2
# As in `compose/zone-a.yaml`.
_POLICY = RestartPolicy(retries_max=3)


class AgentProcesses:
    """Starts and ends agents.

    Args:
        settings: names on the wire, and the variables of the agents.
        supervisor: keeps them.
        folder: private folder that they work in.
        logs: folder for their logs.
        clock: time of their start.
    """

    def __init__(
        self,
        settings: StackSettings,
        supervisor: Supervisor,
        folder: Path,
        logs: Path,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._folder = folder
        self._logs = logs
        self._clock = clock
        self._hosts: dict[str, str] = {}
        self._started = 0

    def scale(self, wanted: int, redis_url: SecretStr) -> None:
        """Start or end agents until there are so many.

        Raises:
            StackError: one cannot be started.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(f"cannot be made: {error}", where=str(self._folder)) from error
        names = [f"{AGENT}-{number}" for number in range(1, wanted + 1)]
        missing = [name for name in names if name not in self._hosts]
        services = [self._service(name, redis_url) for name in missing]
        self._supervisor.start_later(services)
        leaving = [name for name in self._hosts if name not in names]
        self._supervisor.retire(leaving)
        for name in leaving:
            del self._hosts[name]

    def instances(self) -> tuple[AgentInstance, ...]:
        """The agents that run."""
        pids = {state.name: state.pid for state in self._supervisor.states() if state.alive}
        return tuple(
            AgentInstance(
                name=name, host=host, running_ns=self._clock.now_ns() - age_ns(pids[name])
            )
            for name, host in self._hosts.items()
            if name in pids
        )

    def _service(self, name: str, redis_url: SecretStr) -> Service:
        # Each start has a name of its own in the group, and none is the beginning of another.
        self._started += 1
        host = self._hosts[name] = f"p{self._started:05d}"
        variables: Mapping[str, str] = {
            "DEFI_REDIS_URL": redis_url.get_secret_value(),
            "DEFI_PREFIX": self._settings.contract.prefix,
            "AGENT_NAME": host,
            **self._settings.agent_variables,
        }
        script = self._settings.root / "compose" / "zone_a" / "agent.py"
        program = Program(
            name,
            (sys.executable, str(script)),
            self._folder,
            self._logs / f"{name}.log",
            (("PYTHONDONTWRITEBYTECODE", "1"), *variables.items()),
        )
        return Service(program, lambda: True, _RANK, _POLICY, is_essential=False)
