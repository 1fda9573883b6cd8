"""Faults of a stack of child processes."""

from __future__ import annotations

import signal

from harness.errors import UsageError
from harness.faults.clock_step import ClockInjector, ClockProbe, http_date_clock
from harness.faults.health_checks import health_checks
from harness.faults.instance import FaultInstance, Services
from harness.faults.pause import PauseInjector, PauseProbe
from harness.faults.process_kill import ProcessSignalInjector, RestartProbe
from harness.faults.server_commands import make_command_fault
from harness.faults.stale_node import make_stale_node_fault
from harness.scenario.fault import Fault
from harness.scenario.service_faults import ClockStep
from harness.stack.base import Endpoints

# What asks a service to end. PostgreSQL would wait for its clients on SIGTERM; SIGINT is its
# "fast" shutdown, with a checkpoint.
_STOP_SIGNALS = {"postgres": signal.SIGINT}


class ProcessFaultFactory:
    """Makes faults ready by the processes of the services and the servers' own commands.

    Args:
        services: the services as they are now.
        endpoints: where they are reached.
    """

    def __init__(self, services: Services, endpoints: Endpoints) -> None:
        self._services = services
        self._endpoints = endpoints
        self._asks = health_checks(endpoints)

    def create(self, fault: Fault) -> FaultInstance:
        if (chore := make_command_fault(fault, self._endpoints)) is not None:
            return chore
        name, ask = fault.target, self._asks.get(fault.target)
        if isinstance(fault, ClockStep):
            told = http_date_clock(self._endpoints.metrics_urls.get(name, ""))
            return FaultInstance(
                ClockInjector(self._services, name, fault.step_s),
                ClockProbe(told, ask, fault.step_s),
            )
        match fault.kind:
            case "kill":
                number: int = signal.SIGKILL
                return FaultInstance(
                    ProcessSignalInjector(self._services, name, number),
                    RestartProbe(self._services, name, ask),
                )
            case "restart":
                number = _STOP_SIGNALS.get(name, signal.SIGTERM)
                return FaultInstance(
                    ProcessSignalInjector(self._services, name, number),
                    RestartProbe(self._services, name, ask),
                )
            case "pause" | "rpc_stall":
                silent = fault.kind == "rpc_stall"
                return FaultInstance(
                    PauseInjector(self._services, name),
                    PauseProbe(self._services, name, ask, silent),
                )
            case "rpc_stale":
                return make_stale_node_fault(fault, self._services, self._endpoints)
        raise UsageError(f"{fault.kind} cannot be done to a child process", where="fault")
