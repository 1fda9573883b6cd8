"""Faults that a server is asked for with a command of its own, the same on every kind of stack."""

from __future__ import annotations

from harness.faults.arms import Arm
from harness.faults.chores import (
    CheckpointInjector,
    CheckpointProbe,
    RewriteInjector,
    RewriteProbe,
)
from harness.faults.snapshot import SnapshotInjector, SnapshotProbe
from harness.scenario.fault import Fault
from harness.stack.base import Endpoints


def arm_command(fault: Fault, endpoints: Endpoints) -> Arm | None:
    """What injects and proves such a fault; None for a fault of another kind."""
    conninfo = endpoints.admin_dsn.get_secret_value()
    match fault.kind:
        case "aof_rewrite":
            url = endpoints.redis_url.get_secret_value()
            return Arm(RewriteInjector(url), RewriteProbe(url))
        case "checkpoint":
            return Arm(CheckpointInjector(conninfo), CheckpointProbe(conninfo))
        case "snapshot":
            return Arm(SnapshotInjector(conninfo), SnapshotProbe(conninfo))
    return None
