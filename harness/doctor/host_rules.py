"""What the facts about disks, kernel and network mean; pure.

What was not seen counts as the worst that it could be, so that the conclusion never claims more
than the probes saw.
"""

from __future__ import annotations

from harness.doctor.host_facts import Disk, HostFacts
from harness.doctor.report import Finding, Level, Suitability

GIB = 1024**3
REPORTS = "reports"
TEMPORARY = "temporary files"
ENGINE_DATA = "engine's data"
_ROLES = (REPORTS, TEMPORARY, ENGINE_DATA)
# A run of half an hour writes some hundred MB of evidence, and the offline images take 2 GB.
DISK_MIN = 1 * GIB
DISK_ROOM = 5 * GIB
# Each agent of the swarm has two connections, and so has each server's side of them.
OPEN_FILES_MIN = 512
OPEN_FILES_ROOM = 4096
# Where the engine's container works, and where its volume for core dumps is mounted.
CORE_FOLDER = "/var/crash"
# Read without a system call, or at least without touching slow hardware.
_QUICK_CLOCKS = frozenset(
    {"tsc", "kvm-clock", "xen", "hyperv_clocksource_tsc_page", "arch_sys_counter"}
)


def host_findings(facts: HostFacts) -> tuple[Finding, ...]:
    """Disks, kernel, limits and network."""
    return (
        *(disk_room(facts, role) for role in _ROLES),
        storage(facts),
        core_dumps(facts.core_pattern),
        open_files(facts),
        clock(facts.clock_source),
        ports(facts.free_port),
        network_faults(facts),
    )


def disk_room(facts: HostFacts, role: str) -> Finding:
    """Free space; without the engine's data there are no containers, without the rest no run."""
    topic = f"disk: {role}"
    process_min = Suitability.PROCESS if role == ENGINE_DATA else Suitability.NOTHING
    disk = _disk(facts, role)
    if disk is None or disk.free_bytes is None:
        return Finding(
            topic,
            Level.BAD,
            "free space not seen",
            "a full disk ends a run in the middle",
            "run where the folder can be read",
            docker_max=Suitability.NOTHING,
            process_max=process_min,
        )
    found = f"{disk.free_bytes / GIB:.1f} GiB free below {disk.path}"
    if disk.free_bytes < DISK_MIN:
        return Finding(
            topic,
            Level.BAD,
            found,
            "a run would fill it",
            f"free {DISK_ROOM // GIB} GiB",
            docker_max=Suitability.NOTHING,
            process_max=process_min,
        )
    if disk.free_bytes < DISK_ROOM:
        return Finding(
            topic,
            Level.WARN,
            found,
            "enough for short runs",
            f"free {DISK_ROOM // GIB} GiB before long ones",
            docker_max=Suitability.INDICATIVE,
        )
    return Finding(topic, Level.OK, found, "room for long runs")


def _disk(facts: HostFacts, role: str) -> Disk | None:
    return next((disk for disk in facts.disks if disk.role == role), None)


def storage(facts: HostFacts) -> Finding:
    """Whether the volumes of engine and PostgreSQL lie on NVMe, as the specification asks."""
    disk = _disk(facts, ENGINE_DATA)
    devices = disk.devices if disk else None
    if not devices:
        return Finding(
            "NVMe",
            Level.WARN,
            "the disk below the volumes was not seen",
            "the specification asks for NVMe below engine and PostgreSQL",
            "for a sign-off put the engine's data folder on a local NVMe disk",
            docker_max=Suitability.INDICATIVE,
        )
    found = f"volumes lie on {', '.join(devices)}"
    if all(device.startswith("nvme") for device in devices):
        return Finding("NVMe", Level.OK, found, "as specified for engine and PostgreSQL")
    return Finding(
        "NVMe",
        Level.WARN,
        found,
        "not shown to be NVMe: cache overflow and commits may be slower than in production",
        "for a sign-off put the engine's data folder on a local NVMe disk",
        docker_max=Suitability.INDICATIVE,
    )


def core_dumps(pattern: str | None) -> Finding:
    """Whether the engine's core file lands in its volume; core_pattern is the host's, not its."""
    topic = "core_pattern"
    todo = "sysctl -w kernel.core_pattern=core.%p (host-wide)"
    if pattern is None:
        return Finding(
            topic,
            Level.WARN,
            "not seen",
            "where a core dump goes is not known",
            todo,
            docker_max=Suitability.INDICATIVE,
        )
    if pattern.startswith("|"):
        return Finding(
            topic,
            Level.WARN,
            f"piped to {pattern[1:].split(' ')[0]}",
            "a core dump goes to a program of the host, never to the engine's volume",
            todo,
            docker_max=Suitability.INDICATIVE,
        )
    inside = pattern.startswith(f"{CORE_FOLDER}/") or "/" not in pattern
    if pattern and inside:
        return Finding(
            topic, Level.OK, pattern, f"a core dump lands in the engine's volume, {CORE_FOLDER}"
        )
    return Finding(
        topic,
        Level.WARN,
        pattern or "empty",
        f"a core dump does not land in {CORE_FOLDER}, where the engine's volume is",
        todo,
        docker_max=Suitability.INDICATIVE,
    )


def open_files(facts: HostFacts) -> Finding:
    """File descriptors for connections of agents."""
    topic, limit = "open files", facts.open_files
    todo = f"ulimit -n {OPEN_FILES_ROOM}"
    if facts.open_files_hard is not None and facts.open_files_hard < OPEN_FILES_ROOM:
        todo = f"raise the hard limit of {facts.open_files_hard} (limits.conf), then {todo}"
    if limit is None or limit < OPEN_FILES_MIN:
        return Finding(
            topic,
            Level.BAD,
            "not seen" if limit is None else str(limit),
            "the swarm cannot hold its connections",
            todo,
            docker_max=Suitability.NOTHING,
            process_max=Suitability.NOTHING,
        )
    if limit < OPEN_FILES_ROOM:
        return Finding(topic, Level.WARN, str(limit), "enough for some hundred agents", todo)
    return Finding(topic, Level.OK, str(limit), "enough for thousands of connections")


def clock(source: str | None) -> Finding:
    """Every latency is a difference of two readings of this clock."""
    if source in _QUICK_CLOCKS:
        return Finding("clock source", Level.OK, source or "", "quick to read and fine-grained")
    return Finding(
        "clock source",
        Level.WARN,
        source or "not seen",
        "reading the clock may be slow or coarse, and it is read for every signal",
        "boot with clocksource=tsc, or see /sys/devices/system/clocksource",
        docker_max=Suitability.INDICATIVE,
    )


def ports(free: int | None) -> Finding:
    """Whether servers can listen."""
    if free is None:
        return Finding(
            "ports",
            Level.BAD,
            "no free port of loopback below the ephemeral range",
            "no server can be started",
            "end what listens there, or raise net.ipv4.ip_local_port_range",
            docker_max=Suitability.NOTHING,
            process_max=Suitability.NOTHING,
        )
    return Finding("ports", Level.OK, f"{free} is free on loopback", "servers can listen")


def network_faults(facts: HostFacts) -> Finding:
    """Whether faults of the network can be injected."""
    programs = (("tc", facts.tc), ("iptables", facts.iptables))
    missing = [name for name, path in programs if not path]
    if missing or not facts.net_admin:
        why = [f"no {name}" for name in missing]
        why += [] if facts.net_admin else ["no right to change the network (CAP_NET_ADMIN)"]
        return Finding(
            "tc, iptables",
            Level.WARN,
            ", ".join(why),
            "faults of the network cannot be injected; every other scenario runs",
            "apt-get install iproute2 iptables, and run as root",
        )
    return Finding(
        "tc, iptables", Level.OK, f"{facts.tc}, {facts.iptables}", "network faults can be injected"
    )
