"""The warden: removes a run's containers, networks and volumes when the harness cannot.

It reads from a pipe whose other end the harness holds. When the harness is gone, by whatever way,
the pipe ends. A line before that end says that nothing is left to do. Started by path, so that it
watches within milliseconds; the engine's client is imported only when it is needed.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

DONE = b"done\n"
_TRIES_MAX = 5


def main() -> int:
    """Wait for the end of the harness and clean up after it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    token = sys.argv[1]
    if DONE in sys.stdin.buffer.read():
        return 0
    return 1 if _sweep(token) else 0


def _sweep(token: str) -> bool:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from harness.errors import StackError
    from harness.stack.docker.client import connect
    from harness.stack.docker.sweep import sweep

    for _ in range(_TRIES_MAX):
        try:
            return bool(sweep(connect(), token, settle=True))
        except StackError:  # an engine that is busy or restarting
            time.sleep(1.0)
    return True


if __name__ == "__main__":
    sys.exit(main())
