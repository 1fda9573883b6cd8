"""Loop devices that clear themselves: an unlinked backing file, and no later clean-up.

A device is bound with AUTOCLEAR, so the kernel unbinds it when the last user is gone: whoever holds
it here and the mounts of the containers. Its file has no name from the first moment on, so its
blocks are free then too. There is nothing to sweep, whatever ended the harness.

Source: include/uapi/linux/loop.h and loop(4).
"""

from __future__ import annotations

import fcntl
import os
import struct
import tempfile
from pathlib import Path

from harness.errors import StackError

LOOP_MAJOR = 7
# Not /tmp, which is memory on many hosts.
BACKING = Path("/var/tmp")  # noqa: S108 - the file in it has no name
_CONTROL = "/dev/loop-control"
_CTL_GET_FREE = 0x4C82
_CONFIGURE = 0x4C0A
_AUTOCLEAR = 4
_SECTOR_BYTES = 4096
# struct loop_config: fd, block_size, struct loop_info64, reserved.
_CONFIG = struct.Struct("=2I 5Q 4I 64s 64s 32s 2Q 64x")
# Another process may use the free number between two calls.
_TRIES_MAX = 10


def attach_loop_device(size_bytes: int, backing: Path = BACKING) -> tuple[str, int]:
    """A new device, and a descriptor that keeps it until it is closed or this process ends.

    Args:
        size_bytes: how much it holds; its file is sparse.
        backing: folder whose file system holds it.

    Raises:
        StackError: the host has no loop devices for this user, or no room.
    """
    try:
        with tempfile.TemporaryFile(dir=backing) as file:
            room = os.fstatvfs(file.fileno())
            if room.f_bavail * room.f_frsize < size_bytes:
                raise StackError(
                    f"has no room for a file system of {size_bytes >> 20:,} MiB", where=str(backing)
                )
            file.truncate(size_bytes)
            return _attach(file.fileno())
    except OSError as error:
        raise StackError(
            f"a loop device cannot be had: {error.strerror}",
            where=error.filename or _CONTROL,
            hint="disk faults need Linux 5.8 or later, root and /dev/loop-control",
        ) from error


def packed(file: int, name: str) -> bytes:
    """The kernel's `struct loop_config` for a file, with a name for messages."""
    device = (0, 0, 0, 0, 0)  # what the kernel fills in, offset and limit of size
    numbers = (0, 0, 0, _AUTOCLEAR)
    return _CONFIG.pack(file, _SECTOR_BYTES, *device, *numbers, name.encode(), b"", b"", 0, 0)


def name_of(pid: int) -> str:
    """What the devices of one process are called (LOOP_GET_STATUS64)."""
    return f"signal-harness/{pid}"


def _attach(file: int) -> tuple[str, int]:
    control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        for attempt in range(1, _TRIES_MAX + 1):
            path = f"/dev/loop{fcntl.ioctl(control, _CTL_GET_FREE)}"
            device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(device, _CONFIGURE, packed(file, name_of(os.getpid())))
            except OSError:
                os.close(device)
                if attempt == _TRIES_MAX:
                    raise
                continue
            return path, device
    finally:
        os.close(control)
    raise AssertionError("unreachable")
