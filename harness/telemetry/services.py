"""The services of the system, from their control groups or their processes.

A container has a control group of its own, with limits in force. A child process usually shares
the group of the harness, whose counts are not those of the service; its processes are added up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from harness.process.cgroup import ControlGroup, group_of
from harness.process.usage import PRESSURES
from harness.telemetry.cgroup_files import CgroupFiles, CgroupUsage
from harness.telemetry.process_tree import ProcessTree, TreeTotals
from harness.telemetry.sample_batch import SampleBatch

CGROUP = "cgroup"
AFFINITY = "affinity"


class Services:
    """All services by name; their processes may be others at any time."""

    def __init__(self) -> None:
        self._pids: Mapping[str, int] = {}
        self._services: dict[str, _Service] = {}
        self._memory_limits: dict[str, int] = {}

    def follow(self, pids: Mapping[str, int]) -> None:
        """Set the first process of each service; may be called from another thread."""
        self._pids = {name: pid for name, pid in pids.items() if pid > 0}

    @property
    def pids(self) -> Mapping[str, int]:
        """First process of each service."""
        return self._pids

    def memory_limit_bytes(self, name: str) -> int | None:
        """Memory limit of a service's group; None if there is none, or it is not known."""
        return self._memory_limits.get(name)

    def sample(self, batch: SampleBatch, mono_ns: int) -> None:
        """Each service now."""
        pids = self._pids
        batch.unread("services", None if pids else "none of their processes is known on this host")
        for name, pid in pids.items():
            service = self._services.get(name)
            if service is None:
                service = self._services[name] = _Service(name, pid)
            service.follow(pid)
            service.sample(batch, mono_ns)
            if service.memory_limit_bytes is not None:
                self._memory_limits[name] = service.memory_limit_bytes

    def close(self) -> None:
        """Close all files."""
        for service in self._services.values():
            service.close()


class _Service:
    def __init__(self, name: str, pid: int) -> None:
        self._prefix = f"service.{name}"
        self._sampled_ns = 0
        self._pid = 0
        self._tree = ProcessTree(pid)
        self._group: CgroupFiles | None = None
        self.memory_limit_bytes: int | None = None

    def follow(self, pid: int) -> None:
        """Set its first process; a new one may be in a new group."""
        if pid == self._pid:
            return
        self._pid = pid
        self._tree.follow(pid)
        self._leave_group()

    def sample(self, batch: SampleBatch, mono_ns: int) -> None:
        """The service now; nothing while it does not run."""
        if not self._tree.sample():
            self._sampled_ns = 0
            return
        if self._group is None:
            self._find_group(batch)
        span_ns = mono_ns - self._sampled_ns if self._sampled_ns else 0
        self._sampled_ns = mono_ns
        self._put(batch, self._tree.totals, self._usage(), span_ns)

    def close(self) -> None:
        """Close all files."""
        self._tree.close()
        self._leave_group()

    def _find_group(self, batch: SampleBatch) -> None:
        try:
            group = unshared_controllers(group_of(os.getpid()), group_of(self._pid))
        except (OSError, ValueError) as error:
            batch.unread(f"{self._prefix}.limits", f"the control group cannot be read: {error}")
            return
        self._group = CgroupFiles(group)
        alone = None if group.folders else "it has no control group of its own"
        batch.unread(f"{self._prefix}.limits", alone)

    def _usage(self) -> CgroupUsage:
        if self._group is not None:
            try:
                return self._group.sample()
            except (OSError, ValueError, KeyError):  # gone; a new start makes a new one
                self._leave_group()
        return CgroupUsage()

    def _leave_group(self) -> None:
        if self._group is not None:
            self._group.close()
            self._group = None

    def _put(self, batch: SampleBatch, tree: TreeTotals, usage: CgroupUsage, span_ns: int) -> None:
        prefix = self._prefix
        if span_ns:
            batch.gauge(f"{prefix}.cpu_busiest_cores", tree.busiest_ns / span_ns)
            batch.limit(f"{prefix}.cpu_busiest_cores", 1, "")
        batch.time(f"{prefix}.cpu_wait_cores", tree.wait_ns)
        batch.time(f"{prefix}.cpu_cores", _first(usage.cpu_ns, tree.cpu_ns))
        batch.gauge(f"{prefix}.memory_bytes", _first(usage.memory_bytes, tree.memory_bytes))
        private_bytes = _first(usage.private_bytes, tree.private_bytes)
        batch.gauge(f"{prefix}.memory_private_bytes", private_bytes)
        for name, value in (
            ("faults_minor", _first(usage.faults_minor, tree.faults_minor)),
            ("faults_major", _first(usage.faults_major, tree.faults_major)),
            ("read_bytes", _first(usage.read_bytes, tree.read_bytes)),
            ("written_bytes", _first(usage.written_bytes, tree.written_bytes)),
        ):
            batch.total(f"{prefix}.{name}_per_s", value)
        self._limit(batch, usage)

    def _limit(self, batch: SampleBatch, usage: CgroupUsage) -> None:
        prefix = self._prefix
        cores, source = usage.cpu_limit_cores, CGROUP
        if cores is None:
            cores, source = _allowed_cores(self._pid), AFFINITY
        batch.limit(f"{prefix}.cpu_cores", cores, source if cores is not None else "")
        held = usage.memory_limit_bytes
        batch.limit(f"{prefix}.memory_bytes", held, CGROUP if held is not None else "")
        self.memory_limit_bytes = held
        if usage.periods is not None and usage.throttled is not None:
            batch.share(f"{prefix}.throttled_share", usage.throttled, usage.periods)
            batch.limit(f"{prefix}.throttled_share", 1, "")
        for name in PRESSURES:
            if name in usage.pressure_ns:
                batch.time(f"{prefix}.pressure_{name}_share", usage.pressure_ns[name])
                batch.limit(f"{prefix}.pressure_{name}_share", 1, "")
        why = None if usage.pressure_ns else "the kernel counts none for it alone"
        batch.unread(f"{prefix}.pressure", why)


def unshared_controllers(own: ControlGroup, group: ControlGroup) -> ControlGroup:
    """A group with only those controllers that it does not share with another one."""
    folders = {
        controller: folder
        for controller, folder in group.folders.items()
        if own.names.get(controller) != group.names.get(controller)
    }
    return replace(group, folders=folders)


def _first(counted: int | None, added_up: int | None) -> int | None:
    return added_up if counted is None else counted


def _allowed_cores(pid: int) -> int | None:
    """Cores that a process is bound to; None when it may use all."""
    with suppress(OSError, AttributeError):
        allowed = len(os.sched_getaffinity(pid))
        if allowed < (os.cpu_count() or 1):
            return allowed
    return None
