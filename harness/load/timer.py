"""Timers of microsecond resolution in a gevent loop.

The loop's own timers use epoll's timeout, which has whole milliseconds; a Linux timer with a file
descriptor (timerfd_create(2)) wakes the loop as a socket does.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from harness.clock import NS_PER_S, Clock
from harness.schedule.agent_schedule import NEVER_NS

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1
_READ = 1


class _TimeSpec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("it_interval", _TimeSpec), ("it_value", _TimeSpec))


class TimerfdTimer:
    """Calls back once for each time that is set; never early.

    Args:
        loop: the gevent loop.
        callback: called in the loop itself, so it must not block.

    Raises:
        OSError: the kernel has no such timers, or no more of them.
    """

    resolution = "timerfd"

    def __init__(self, loop: Any, callback: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            self._settime = libc.timerfd_settime
            create = libc.timerfd_create
        except AttributeError as error:
            raise OSError("no timerfd on this system") from error
        self._fd = create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _TimerSpec()
        self._pointer = ctypes.byref(self._spec)
        self._at_ns = NEVER_NS
        self._callback = callback
        # It runs before all other watchers that are ready.
        self._watcher = loop.io(self._fd, _READ, priority=loop.MAXPRI)
        self._watcher.start(self._fire)

    def set(self, at_ns: int) -> None:
        """Call back at this monotonic time, at once if it has passed; NEVER_NS: not at all."""
        if at_ns == self._at_ns:
            return
        self._at_ns = at_ns
        value = self._spec.it_value
        if at_ns >= NEVER_NS:
            value.tv_sec = value.tv_nsec = 0  # disarms
        else:
            value.tv_sec, value.tv_nsec = divmod(at_ns, NS_PER_S)
        self._settime(self._fd, _TFD_TIMER_ABSTIME, self._pointer, None)

    def close(self) -> None:
        """Close the descriptor."""
        self._watcher.stop()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _fire(self) -> None:
        with suppress(BlockingIOError):  # it was set again after it expired
            os.read(self._fd, 8)
        self._at_ns = NEVER_NS
        self._callback()


class LoopTimer:
    """The same with the loop's own timer: late by up to a millisecond, but on any system."""

    resolution = "loop timer"

    def __init__(self, loop: Any, callback: Callable[[], None], clock: Clock) -> None:
        self._loop = loop
        self._callback = callback
        self._clock = clock
        self._timer: Any = None

    def set(self, at_ns: int) -> None:
        """Call back at this monotonic time, at once if it has passed; NEVER_NS: not at all."""
        self.close()
        if at_ns < NEVER_NS:
            wait_ns = max(0, at_ns - self._clock.now_ns())
            self._timer = self._loop.timer(wait_ns / NS_PER_S)
            self._timer.start(self._callback, update=True)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None


def make_timer(loop: Any, callback: Callable[[], None], clock: Clock) -> TimerfdTimer | LoopTimer:
    """The most precise timer of this system."""
    try:
        return TimerfdTimer(loop, callback)
    except OSError:
        return LoopTimer(loop, callback, clock)
