"""Best-effort requests to the kernel that the sender be woken on time. Each may be refused."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

_PR_SET_TIMERSLACK = 29
_SYS_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SLICE_NS = 100_000
_NICE = -5
# struct sched_attr (sched_setattr(2)): size, policy, flags, nice, priority, runtime, deadline,
# period. For an ordinary process the runtime asks for a slice of that length (Linux 6.12 on):
# who asks for short slices is let in sooner.
_SCHED_ATTR = struct.Struct("<IIQiIQQQ")


def tune() -> dict[str, str]:
    """Ask for all of it; what was granted, for the record."""
    libc = ctypes.CDLL(None, use_errno=True)
    return {"timer_slack": _timer_slack(libc), "nice": _nice(), "slice": _slice(libc)}


def _timer_slack(libc: ctypes.CDLL) -> str:
    if not hasattr(libc, "prctl") or libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0) != 0:
        return "refused"
    return "1 ns"


def _nice() -> str:
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    except OSError as error:
        return f"refused: {error.strerror}"
    return str(_NICE)


def _slice(libc: ctypes.CDLL) -> str:
    number = _SYS_SCHED_SETATTR.get(platform.machine())
    if number is None or platform.system() != "Linux":
        return "not known on this system"
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _SCHED_ATTR.pack(_SCHED_ATTR.size, os.SCHED_OTHER, 0, nice, 0, _SLICE_NS, 0, 0)
    if libc.syscall(number, 0, attributes, 0) != 0:
        return f"refused: {os.strerror(ctypes.get_errno())}"
    return f"{_SLICE_NS // 1000} us"
