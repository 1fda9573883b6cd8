"""Waits for the exclusive lock of a file, for a bounded time."""

from __future__ import annotations

import fcntl

from harness.clock import NS_PER_MS, SystemClock

_RETRY_NS = 50 * NS_PER_MS


def lock_within(fd: int, timeout_ns: int) -> bool:
    """Lock an open file; False if others still have it after `timeout_ns`.

    Closing the descriptor releases the lock.

    Raises:
        OSError: the file cannot be locked at all.
    """
    clock = SystemClock()
    deadline_ns = clock.now_ns() + timeout_ns
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.now_ns() >= deadline_ns:
                return False
            clock.sleep_ns(_RETRY_NS)
        else:
            return True
