"""Names that one process of this host has to itself until it ends, held by the kernel.

A name is an abstract socket (unix(7)): it lies in no folder, belongs to the network namespace as
ports do, and goes with the process, however that ends.
"""

from __future__ import annotations

import atexit
import socket
import threading

_PREFIX = "\0signal-harness/"
_held: dict[str, socket.socket] = {}
_lock = threading.Lock()


def reserve(name: str) -> bool:
    """Reserve a name; False if a process has it, this one included."""
    with _lock:
        if name in _held:
            return False
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            holder.bind(f"{_PREFIX}{name}")
        except OSError:
            holder.close()
            return False
        _held[name] = holder
        return True


def release(name: str) -> None:
    """Let others have a name; harmless if this process has it not."""
    with _lock:
        holder = _held.pop(name, None)
    if holder is not None:
        holder.close()


@atexit.register
def _release_all() -> None:
    for name in tuple(_held):
        release(name)
