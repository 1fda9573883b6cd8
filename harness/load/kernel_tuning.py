"""Best-effort kernel settings that wake the sender on time. The kernel may refuse each of them.

On a host that the system under test keeps busy, an ordinary process waits milliseconds for a core,
and a late generator makes a run INVALID. Real-time priority removes that wait and uses no more CPU
than the sending itself. If the process uses too much CPU, it drops the priority.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import time

from harness.clock import NS_PER_S

_PR_SET_TIMERSLACK = 29
_SYS_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SLICE_NS = 100_000
_NICE = -15
_REALTIME_PRIORITY = 1
# Above this share of a core, averaged over a second, a real-time process would starve others.
_REALTIME_SHARE_MAX = 0.8
# struct sched_attr (sched_setattr(2)): size, policy, flags, nice, priority, runtime, deadline,
# period. For an ordinary process the runtime requests a slice of that length (Linux 6.12 on): a
# process with short slices is scheduled sooner.
_SCHED_ATTR = struct.Struct("<IIQiIQQQ")


class KernelTuning:
    """Requests the settings.

    Attributes:
        granted: the kernel's answers, for the evidence.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.granted = {"timer_slack": _timer_slack(libc), "scheduling": _realtime()}
        self._is_realtime = self.granted["scheduling"].startswith("real-time")
        if not self._is_realtime:
            self.granted |= {"nice": _nice(), "slice": _slice(libc)}
        self._used_ns = time.process_time_ns()

    def check(self, elapsed_ns: int) -> None:
        """Drop real-time priority if the process used most of a core since the last call.

        Args:
            elapsed_ns: time since then.
        """
        used_ns = time.process_time_ns() - self._used_ns
        self._used_ns += used_ns
        if self._is_realtime and exceeds_realtime_share(used_ns, elapsed_ns):
            self._is_realtime = False
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            share = used_ns / elapsed_ns
            self.granted["scheduling"] = f"real-time, dropped at {share:.0%} of a core"


def exceeds_realtime_share(used_ns: int, elapsed_ns: int) -> bool:
    """Whether a process used too much of a core for real-time priority."""
    return elapsed_ns >= NS_PER_S // 2 and used_ns > _REALTIME_SHARE_MAX * elapsed_ns


def _timer_slack(libc: ctypes.CDLL) -> str:
    if not hasattr(libc, "prctl") or libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0) != 0:
        return "refused"
    return "1 ns"


def _realtime() -> str:
    try:
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(_REALTIME_PRIORITY))
    except (OSError, AttributeError) as error:
        return f"ordinary (real-time refused: {error})"
    return f"real-time, round robin, priority {_REALTIME_PRIORITY}"


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
