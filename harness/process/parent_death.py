"""Tying a process's life to its parent's."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal_number: int = signal.SIGKILL, *, parent: int | None = None) -> None:
    """Ask the kernel to send this process a signal when its parent ends.

    Args:
        signal_number: what the kernel sends.
        parent: pid the caller expects as its parent; if it is already gone the process ends at
            once, since the kernel reports only deaths after the call.

    Linux only (prctl(2)); elsewhere nothing happens.
    """
    prctl = getattr(_LIBC, "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(1)
