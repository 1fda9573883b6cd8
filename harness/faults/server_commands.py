"""Faults that a server is asked for with a command of its own, the same on every kind of stack."""

from __future__ import annotations

from harness.faults.database_dump import DumpInjector, DumpProbe
from harness.faults.instance import FaultInstance
from harness.faults.maintenance import (
    CheckpointInjector,
    CheckpointProbe,
    RewriteInjector,
    RewriteProbe,
)
from harness.scenario.fault import Fault
from harness.stack.base import Endpoints


def make_command_fault(fault: Fault, endpoints: Endpoints) -> FaultInstance | None:
    """What injects and proves such a fault; None for a fault of another kind."""
    conninfo = endpoints.admin_dsn.get_secret_value()
    match fault.kind:
        case "aof_rewrite":
            url = endpoints.redis_url.get_secret_value()
            return FaultInstance(RewriteInjector(url), RewriteProbe(url))
        case "checkpoint":
            return FaultInstance(CheckpointInjector(conninfo), CheckpointProbe(conninfo))
        case "snapshot":
            return FaultInstance(DumpInjector(conninfo), DumpProbe(conninfo))
    return None
