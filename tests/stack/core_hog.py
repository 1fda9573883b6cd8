"""Takes a core away: `python core_hog.py CORE BURSTS`; real-time bursts of 0.9 s, one a second.

Above the priority that the swarm gives itself, and below the 95 % of a second that the kernel
leaves to real-time processes. Ends by itself after BURSTS seconds.
"""

from __future__ import annotations

import os
import sys
import time

BURST_S, EVERY_S = 0.9, 1.0
PRIORITY = 50
BURSTS_MAX = 30


def main() -> None:
    """Take the core."""
    core, bursts = int(sys.argv[1]), min(int(sys.argv[2]), BURSTS_MAX)
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    start = time.monotonic()
    for number in range(bursts):
        while time.monotonic() < start + number * EVERY_S + BURST_S:
            pass
        time.sleep(max(0.0, start + (number + 1) * EVERY_S - time.monotonic()))


if __name__ == "__main__":
    main()
