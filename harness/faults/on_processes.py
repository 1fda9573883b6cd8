"""Faults of a stack of child processes."""

from __future__ import annotations

import signal

from harness.errors import UsageError
from harness.faults.answers import asks
from harness.faults.arms import Arm, Services
from harness.faults.clocks import ClockInjector, ClockProbe, told_by
from harness.faults.commands import arm_command
from harness.faults.ends import EndProbe, SignalInjector
from harness.faults.nodes import arm_node
from harness.faults.pauses import PauseInjector, PauseProbe
from harness.scenario.fault import Fault
from harness.scenario.within import ClockStep
from harness.stack.base import Endpoints

# What asks a service to end. PostgreSQL would wait for its clients on SIGTERM; SIGINT is its
# "fast" shutdown, with a checkpoint.
_STOP_SIGNALS = {"postgres": signal.SIGINT}


class ProcessArmory:
    """Makes faults ready by the processes of the services and the servers' own commands.

    Args:
        services: the services as they are now.
        endpoints: where they are reached.
    """

    def __init__(self, services: Services, endpoints: Endpoints) -> None:
        self._services = services
        self._endpoints = endpoints
        self._asks = asks(endpoints)

    def arm(self, fault: Fault) -> Arm:
        if (chore := arm_command(fault, self._endpoints)) is not None:
            return chore
        name, ask = fault.target, self._asks.get(fault.target)
        if isinstance(fault, ClockStep):
            told = told_by(self._endpoints.metrics_urls.get(name, ""))
            return Arm(
                ClockInjector(self._services, name, fault.step_s),
                ClockProbe(told, ask, fault.step_s),
            )
        match fault.kind:
            case "kill":
                number: int = signal.SIGKILL
                return Arm(
                    SignalInjector(self._services, name, number),
                    EndProbe(self._services, name, ask),
                )
            case "restart":
                number = _STOP_SIGNALS.get(name, signal.SIGTERM)
                return Arm(
                    SignalInjector(self._services, name, number),
                    EndProbe(self._services, name, ask),
                )
            case "pause" | "rpc_stall":
                silent = fault.kind == "rpc_stall"
                return Arm(
                    PauseInjector(self._services, name),
                    PauseProbe(self._services, name, ask, silent),
                )
            case "rpc_stale":
                return arm_node(fault, self._services, self._endpoints)
        raise UsageError(f"{fault.kind} cannot be done to a child process", where="fault")
