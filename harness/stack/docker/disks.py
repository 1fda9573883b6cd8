"""File systems of limited size for the volumes of services whose disk is to be harmed.

A volume of the engine is a folder of the host's file system: who fills it fills the host.
Where a scenario fills or slows the disk of a service, its volume lies on a file system of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import StackError, UsageError
from harness.scenario.fault import Fault
from harness.stack.compose_file import ContainerSpec
from harness.stack.docker.loop_devices import attach_loop_device

DISK_BYTES = 2 << 30
_DEVICE = "device"
_LOOP = "/dev/loop"
_COMMAND_MAX_S = 20
_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
# Everything now, so that no kernel thread does it later under load; nothing kept back for root.
_MKFS = ("mkfs.ext4", "-q", "-F", "-m", "0")
_AT_ONCE = ("-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0")
# A folder that is not empty is no place for a new database.
_EMPTIED = ("debugfs", "-w", "-R", "rmdir lost+found")


def disk_targets(faults: Iterable[Fault]) -> frozenset[str]:
    """The services whose disk a scenario harms, as the scenario calls them."""
    return frozenset(fault.target for fault in faults if fault.needs_own_disk)


def data_volume(spec: ContainerSpec) -> str:
    """The key of the volume that a service writes its data to: the first that it may write.

    Raises:
        UsageError: it has none.
    """
    for mount in spec.mounts:
        if not mount.is_folder and not mount.read_only:
            return mount.source
    raise UsageError("has no volume, hence no disk of its own to be harmed", where=spec.name)


class Disks:
    """The file systems of one stack.

    Args:
        make: gives a device and what keeps it.
    """

    def __init__(self, make: Callable[[int], tuple[str, int]] = attach_loop_device) -> None:
        self._make = make
        self._held: dict[str, tuple[str, int]] = {}

    def make(self, volume: str) -> dict[str, str]:
        """A new file system for a volume; the options of the engine's local driver for it.

        Raises:
            StackError: it cannot be made on this host.
        """
        for command in (_MKFS, _EMPTIED):
            _program(command[0])
        path, device = self._make(DISK_BYTES)
        self._held[volume] = path, device
        _run(*_MKFS, *_AT_ONCE, path)
        _run(*_EMPTIED, path)
        return {"type": "ext4", _DEVICE: path}

    def describe(self) -> dict[str, Any]:
        """Device and size in bytes by volume."""
        return {
            volume: {"device": path, "bytes": DISK_BYTES}
            for volume, (path, _) in self._held.items()
        }

    def reasons(self) -> list[str]:
        """What keeps a run with them from a sign-off, one sentence each."""
        size = f"{DISK_BYTES >> 30} GiB"
        return [f"{volume} lies on a file system of {size} in a file" for volume in self._held]

    def close(self) -> None:
        """Hold them no longer: each is gone with its last mount. May be called twice."""
        held, self._held = self._held, {}
        for _, device in held.values():
            with suppress(OSError):
                os.close(device)


def own_disk(document: Mapping[str, Any], options: Callable[[str], Mapping[str, str]]) -> str:
    """Where a container has a file system of its own.

    Args:
        document: what the engine reports of the container.
        options: the driver's options of a volume, by its name.

    Raises:
        StackError: it has none.
    """
    for mount in document["Mounts"]:
        device = options(mount["Name"]).get(_DEVICE, "") if mount["Type"] == "volume" else ""
        if device.startswith(_LOOP):
            return str(mount["Destination"])
    raise StackError("has no file system of its own", where=str(document.get("Name", "fault")))


def _program(name: str) -> str:
    found = shutil.which(name, path=_PLACES)
    if found is None:
        raise StackError("is not installed", where=name, hint="it comes with e2fsprogs")
    return found


def _run(name: str, *arguments: str) -> None:
    try:
        done = subprocess.run(
            [_program(name), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_MAX_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"cannot be run: {error}", where=name) from error
    if done.returncode != 0:
        raise StackError(f"refuses: {(done.stdout + done.stderr).strip()}", where=name)


def folder_in(pid: int, target: str) -> Path:
    """A folder of a container, as this host reaches it."""
    return Path(f"/proc/{pid}/root") / target.lstrip("/")
