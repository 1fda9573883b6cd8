"""What the probes saw of a host; None is what they could not see."""

from __future__ import annotations

from dataclasses import dataclass

DOCKER = "Docker Engine"
DESKTOP = "Docker Desktop"
PODMAN = "Podman"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """A container engine that answered.

    Attributes:
        version: such as `28.2.2`.
        kernel: release of the kernel that containers run on.
        cpus: CPUs that it sees.
        cgroup: version of its control groups, `1` or `2`.
        cpu_quota, memory_limit, swap_limit: whether it can enforce them.
        data_folder: where images and volumes lie.
        cgroup_driver: who makes the control groups, `systemd` or `cgroupfs`.
        product: one of the three below.
        rootless: whether it runs as an ordinary user.
    """

    version: str
    kernel: str | None = None
    cpus: int | None = None
    memory_bytes: int | None = None
    cgroup: str | None = None
    cpu_quota: bool | None = None
    memory_limit: bool | None = None
    swap_limit: bool | None = None
    data_folder: str | None = None
    cgroup_driver: str | None = None
    product: str | None = None
    rootless: bool | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk below a folder.

    Attributes:
        role: what the folder is for.
        path: the folder, or its nearest parent that exists.
        devices: kernel names of the disks at the bottom, below partitions, mappings and arrays.
    """

    role: str
    path: str
    free_bytes: int | None = None
    devices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class InstalledProgram:
    """A program or package that was found."""

    version: str
    place: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Quotas:
    """Sum of the quotas of Zone B, and the quota of one agent: CPU cores, memory in bytes."""

    cpus: float
    memory_bytes: int
    containers: int
    agent_cpus: float = 0.0
    agent_memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A host.

    Attributes:
        engine: None if no engine answered; `engine_problem` then says why, `engine_todo` what to
            do about it.
        kernel: release of the kernel that the harness runs on.
        cpus: CPUs that this process may use.
        memory_available_bytes: what can be allocated now.
        disks: of reports, temporary files, and the engine's data if that is local.
        open_files: soft limit of file descriptors.
        open_files_hard: what the soft limit may be raised to.
        clock_source: where the kernel's clock comes from.
        postgres, redis, evm, anvil: programs and packages of the process stack; None if absent.
        free_port: a port of loopback that was free.
        tc, iptables: their paths; empty if absent.
        net_admin: whether this process may change the network.
    """

    engine: EngineFacts | None = None
    engine_problem: str = ""
    engine_todo: str = ""
    kernel: str | None = None
    cpus: int | None = None
    memory_bytes: int | None = None
    memory_available_bytes: int | None = None
    swap_bytes: int | None = None
    disks: tuple[Disk, ...] = ()
    core_pattern: str | None = None
    open_files: int | None = None
    open_files_hard: int | None = None
    clock_source: str | None = None
    redis: InstalledProgram | None = None
    postgres: InstalledProgram | None = None
    evm: InstalledProgram | None = None
    anvil: InstalledProgram | None = None
    free_port: int | None = None
    tc: str = ""
    iptables: str = ""
    net_admin: bool | None = None
