"""Bare-metal hosts of Zone C against their profiles (`compose/zone-c.toml`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.doctor.report import Finding, Level
from harness.doctor.storage import disks_below, is_encrypted, nearest
from harness.errors import UsageError
from harness.scenario.file import read_toml

GIB = 1024**3
_CPUINFO = Path("/proc/cpuinfo")
_MEMORY = Path("/sys/devices/system/memory")
# Firmware and kernel keep some of what is installed; this much of it must be there at least.
# The figure is ours, and used only where the installed size itself cannot be read.
_VISIBLE_SHARE = 0.93


class HostProfile(BaseModel):
    """What a host must have: physical cores, GiB of memory, encrypted storage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str
    cpus: Annotated[int, Field(ge=1)]
    memory_gib: Annotated[int, Field(ge=1)]
    encrypted_storage: bool
    nodes_min: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine; None is what was not seen.

    Attributes:
        cores: physical ones.
        installed_bytes: memory as it is plugged in.
        visible_bytes: memory that the kernel manages.
        encrypted: whether the storage below `folder` is, by dm-crypt.
        virtual: whether a hypervisor runs it.
    """

    folder: str
    cores: int | None = None
    installed_bytes: int | None = None
    visible_bytes: int | None = None
    encrypted: bool | None = None
    disks: tuple[str, ...] | None = None
    virtual: bool | None = None


def read_profile(name: str, root: Path) -> HostProfile:
    """A profile by name.

    Raises:
        UsageError: there is none of this name, or the file is wrong.
    """
    path = root / "compose" / "zone-c.toml"
    profiles = read_toml(path)
    if name not in profiles:
        raise UsageError(
            f"no host profile {name!r}", where=str(path), hint=f"it has {', '.join(profiles)}"
        )
    try:
        return HostProfile.model_validate(profiles[name])
    except ValidationError as error:
        raise UsageError(f"profile {name} is wrong: {error}", where=str(path)) from error


def probe_machine(folder: Path) -> Machine:
    """The facts of this machine, and of the storage below a folder."""
    path = nearest(folder)
    return Machine(
        folder=str(path),
        cores=psutil.cpu_count(logical=False),
        installed_bytes=installed_memory(_MEMORY),
        visible_bytes=psutil.virtual_memory().total,
        encrypted=is_encrypted(path),
        disks=disks_below(path),
        virtual=is_virtual(_CPUINFO),
    )


def installed_memory(folder: Path) -> int | None:
    """Memory that is online, from the kernel's blocks; None where it does not report them."""
    try:
        size = int((folder / "block_size_bytes").read_text(encoding="ascii"), 16)
        states = [path.read_text(encoding="ascii") for path in folder.glob("memory*/online")]
    except (OSError, ValueError):
        return None
    return size * sum(state.strip() == "1" for state in states) or None


def is_virtual(cpuinfo: Path) -> bool | None:
    """Whether the CPU reports a hypervisor; only x86 does."""
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() == "flags":
            return "hypervisor" in flags.split()
    return None


def profile_findings(profile: HostProfile, machine: Machine) -> tuple[Finding, ...]:
    """A machine against a profile; pure."""
    findings = [cores(profile, machine), memory(profile, machine), metal(machine)]
    if profile.encrypted_storage:
        findings.append(encryption(machine))
    if profile.nodes_min > 1:
        findings.append(nodes(profile))
    return tuple(findings)


def cores(profile: HostProfile, machine: Machine) -> Finding:
    """Physical cores: threads of one core share its units."""
    wanted = f"the profile asks for {profile.cpus} physical cores"
    if machine.cores is None:
        return Finding("cores", Level.WARN, "not seen", wanted, "count them: lscpu")
    found = f"{machine.cores} physical cores"
    if machine.cores < profile.cpus:
        return Finding("cores", Level.BAD, found, wanted, "use a machine with more cores")
    return Finding("cores", Level.OK, found, wanted)


def memory(profile: HostProfile, machine: Machine) -> Finding:
    """Installed memory, or what the kernel sees of it."""
    wanted = f"the profile asks for {profile.memory_gib} GiB"
    least = profile.memory_gib * GIB
    if machine.installed_bytes is not None:
        size, found = machine.installed_bytes, f"{machine.installed_bytes / GIB:.1f} GiB installed"
    elif machine.visible_bytes is not None:
        size, found = machine.visible_bytes, f"{machine.visible_bytes / GIB:.1f} GiB visible"
        least = int(least * _VISIBLE_SHARE)
    else:
        return Finding("memory", Level.WARN, "not seen", wanted, "count it: dmidecode -t memory")
    if size < least:
        return Finding("memory", Level.BAD, found, wanted, "use a machine with more memory")
    return Finding("memory", Level.OK, found, wanted)


def encryption(machine: Machine) -> Finding:
    """Storage encrypted by dm-crypt."""
    wanted = "the profile asks for encrypted storage"
    below = f"{machine.folder} on {', '.join(machine.disks or ()) or 'a disk that was not seen'}"
    if machine.encrypted is None:
        return Finding(
            "encrypted storage",
            Level.WARN,
            below,
            f"{wanted}; this file system does not name its devices",
            "show the encryption by its own tool (zfs get encryption, the drive's maker's)",
        )
    if not machine.encrypted:
        return Finding(
            "encrypted storage",
            Level.BAD,
            f"{below}, without dm-crypt",
            f"{wanted}; a drive that encrypts itself cannot be seen from here",
            "set the volume up with LUKS (cryptsetup luksFormat)",
        )
    return Finding("encrypted storage", Level.OK, f"{below}, through dm-crypt", wanted)


def metal(machine: Machine) -> Finding:
    """Zone C runs on machines of its own."""
    wanted = "Zone C runs on bare metal"
    if machine.virtual is None:
        return Finding("bare metal", Level.WARN, "not seen", wanted, "ask systemd-detect-virt")
    if machine.virtual:
        return Finding(
            "bare metal",
            Level.BAD,
            "a hypervisor runs this machine",
            f"{wanted}: whoever has the hypervisor has the key shares",
            "use a physical machine",
        )
    return Finding("bare metal", Level.OK, "no hypervisor", wanted)


def nodes(profile: HostProfile) -> Finding:
    """How many machines there must be; the conclusion is about this one only."""
    return Finding(
        "number of machines",
        Level.OK,
        "this one, the others cannot be seen from here",
        f"{profile.nodes_min} are needed, each a machine of its own",
        "run this command on each of them",
    )
