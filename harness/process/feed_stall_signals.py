"""Signals that stall and resume the chain feed of a process.

Two kinds of process that follow the chain handle them: the swarm's, and the RPC nodes of a local
chain. They would end any other process, so the kernel is asked first whether a handler is there.
"""

from __future__ import annotations

import os
import signal

from harness.errors import StackError
from harness.process.proc import PROC, is_running

STALL_FEED = signal.SIGUSR1
RESUME_FEED = signal.SIGUSR2


def send_feed_signal(pid: int, number: signal.Signals, who: str) -> None:
    """Send one of the two signals.

    Args:
        pid: of the process.
        number: which one.
        who: its name in messages.

    Raises:
        StackError: it is gone, has no handler, or may not be sent a signal.
    """
    if not is_running(pid):
        raise StackError("does not run", where=who)
    if not handles_signal(pid, number):
        raise StackError("has no handler to stall its chain feed", where=who)
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError) as error:
        raise StackError(f"cannot be sent a signal: {error}", where=who) from error


def handles_signal(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal (SigCgt of proc_pid_status(5))."""
    try:
        text = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    caught = next((line for line in text.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
