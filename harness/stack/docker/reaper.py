"""The reaper of containers: removes a run's containers, networks and volumes after a crash.

It reads from a pipe whose other end the harness holds. When the harness is gone, by whatever way,
the pipe ends. A message before that end reports that nothing is left to do. Started by path with
the bare interpreter, so that it reads within milliseconds; the engine's client is imported only
when it is needed.
"""

from __future__ import annotations

import signal
import site
import sys
import time
from pathlib import Path

_TRIES_MAX = 5


def main() -> int:
    """Wait for the end of the harness and clean up after it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    token = sys.argv[1]
    if b'"done"' in sys.stdin.buffer.read():
        return 0
    return 1 if _sweep(token) else 0


def _sweep(token: str) -> bool:
    site.main()  # the bare interpreter knows no installed package
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
