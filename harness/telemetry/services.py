"""The services of the system: from their processes, and from their control groups if they have one.

A container has a group of its own, with limits in force. A child process usually shares the group
of the harness; what is counted there is not of this service, so its processes are added up.
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
        """From now on these are the first processes; may be called from another thread."""
        self._pids = {name: pid for name, pid in pids.items() if pid > 0}

    @property
    def pids(self) -> Mapping[str, int]:
        """First process of each service."""
        return self._pids

    def memory_limit_bytes(self, name: str) -> int | None:
        """What a service's group may hold."""
        return self._memory_limits.get(name)

    def sample(self, sheet: SampleBatch, mono_ns: int) -> None:
        """Each service now."""
        pids = self._pids
        sheet.unread("services", None if pids else "no process of theirs is known on this host")
        for name, pid in pids.items():
            service = self._services.get(name)
            if service is None:
                service = self._services[name] = _Service(name, pid)
            service.follow(pid)
            service.look(sheet, mono_ns)
            if service.memory_limit_bytes is not None:
                self._memory_limits[name] = service.memory_limit_bytes

    def close(self) -> None:
        """Let go of all files."""
        for service in self._services.values():
            service.close()


class _Service:
    def __init__(self, name: str, pid: int) -> None:
        self._of = f"service.{name}"
        self._looked_ns = 0
        self._pid = 0
        self._tree = ProcessTree(pid)
        self._group: CgroupFiles | None = None
        self.memory_limit_bytes: int | None = None

    def follow(self, pid: int) -> None:
        """Its first process; a new one may be in a new group."""
        if pid == self._pid:
            return
        self._pid = pid
        self._tree.follow(pid)
        self._leave_group()

    def look(self, sheet: SampleBatch, mono_ns: int) -> None:
        """The service now; nothing while it does not run."""
        if not self._tree.sample():
            self._looked_ns = 0
            return
        if self._group is None:
            self._find_group(sheet)
        span_ns = mono_ns - self._looked_ns if self._looked_ns else 0
        self._looked_ns = mono_ns
        self._tell(sheet, self._tree.totals, self._usage(), span_ns)

    def close(self) -> None:
        """Let go of all files."""
        self._tree.close()
        self._leave_group()

    def _find_group(self, sheet: SampleBatch) -> None:
        try:
            group = unshared_controllers(group_of(os.getpid()), group_of(self._pid))
        except (OSError, ValueError) as error:
            sheet.unread(f"{self._of}.limits", f"the control group cannot be read: {error}")
            return
        self._group = CgroupFiles(group)
        alone = None if group.folders else "it has no control group of its own"
        sheet.unread(f"{self._of}.limits", alone)

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

    def _tell(self, sheet: SampleBatch, tree: TreeTotals, usage: CgroupUsage, span_ns: int) -> None:
        of = self._of
        if span_ns:
            sheet.gauge(f"{of}.cpu_busiest_cores", tree.busiest_ns / span_ns)
            sheet.limit(f"{of}.cpu_busiest_cores", 1, "")
        sheet.time(f"{of}.cpu_wait_cores", tree.wait_ns)
        sheet.time(f"{of}.cpu_cores", _first(usage.cpu_ns, tree.cpu_ns))
        sheet.gauge(f"{of}.memory_bytes", _first(usage.memory_bytes, tree.memory_bytes))
        for name, value in (
            ("faults_minor", _first(usage.faults_minor, tree.faults_minor)),
            ("faults_major", _first(usage.faults_major, tree.faults_major)),
            ("read_bytes", _first(usage.read_bytes, tree.read_bytes)),
            ("written_bytes", _first(usage.written_bytes, tree.written_bytes)),
        ):
            sheet.total(f"{of}.{name}_per_s", value)
        self._limit(sheet, usage)

    def _limit(self, sheet: SampleBatch, usage: CgroupUsage) -> None:
        of = self._of
        cores, source = usage.cpu_limit_cores, CGROUP
        if cores is None:
            cores, source = _allowed_cores(self._pid), AFFINITY
        sheet.limit(f"{of}.cpu_cores", cores, source if cores is not None else "")
        held = usage.memory_limit_bytes
        sheet.limit(f"{of}.memory_bytes", held, CGROUP if held is not None else "")
        self.memory_limit_bytes = held
        if usage.periods is not None and usage.throttled is not None:
            sheet.share(f"{of}.throttled_share", usage.throttled, usage.periods)
            sheet.limit(f"{of}.throttled_share", 1, "")
        for name in PRESSURES:
            if name in usage.pressure_ns:
                sheet.time(f"{of}.pressure_{name}_share", usage.pressure_ns[name])
                sheet.limit(f"{of}.pressure_{name}_share", 1, "")
        told = None if usage.pressure_ns else "the kernel counts none for it alone"
        sheet.unread(f"{of}.pressure", told)


def unshared_controllers(own: ControlGroup, group: ControlGroup) -> ControlGroup:
    """A group with those controllers alone that it does not share with another one."""
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
