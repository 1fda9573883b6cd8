"""A program that holds, drops or paces the packets of one direction of a link.

It reads a queue of the network namespace that it was started in (`packet_queue`), until its input
ends: then it lets everything go on that it holds, and is gone. Its input is a pipe of the harness,
so that it ends with it; and when it is killed, the queue is gone with it and packets pass again.
Started by path with the bare interpreter.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections import deque
from pathlib import Path

if __name__ == "__main__":
    # Last: an installed package lies among others, none of which may replace a standard module.
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from harness.faults.docker.link_model import LinkModel, LinkSettings
from harness.faults.docker.packet_queue import PacketQueue

READY = "ready"
_NS_PER_S = 1_000_000_000
# So many are received before those that are due go out.
_BATCH = 64


class PacketRelay:
    """Packets of one queue on their way through one line.

    Args:
        queue: where they come from.
        line: what becomes of them.
    """

    def __init__(self, queue: PacketQueue, line: LinkModel) -> None:
        self._queue = queue
        self._line = line
        self._held: deque[tuple[int, int]] = deque()

    def step(self, now_ns: int) -> None:
        """Take in what has come, let out what is due."""
        lost = []
        for number, size_bytes in self._queue.packets(_BATCH):
            out_ns = self._line.out_ns(now_ns, size_bytes)
            if out_ns is None:
                lost.append(number)
            else:
                self._held.append((out_ns, number))
        self._queue.send_verdicts(lost, accept=False)
        due = []
        while self._held and self._held[0][0] <= now_ns:
            due.append(self._held.popleft()[1])
        self._queue.send_verdicts(due, accept=True)

    def wait_s(self, now_ns: int) -> float | None:
        """How long until the next one is due; None while none is held."""
        return max(0, self._held[0][0] - now_ns) / _NS_PER_S if self._held else None

    def release_all(self) -> None:
        """Let out everything that is held, in its order."""
        self._queue.send_verdicts([number for _, number in self._held], accept=True)
        self._held.clear()


def main() -> None:
    """Run the program: its arguments are the number of the queue, and the link as JSON."""
    number, settings = int(sys.argv[1]), LinkSettings(**json.loads(sys.argv[2]))
    try:
        queue = PacketQueue(number)
    except OSError as error:
        sys.stderr.write(f"the kernel gives no packet queue: {error}\n")
        sys.exit(1)
    relay = PacketRelay(queue, LinkModel(settings))
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    while True:
        wait_s = relay.wait_s(time.monotonic_ns())
        readable, _, _ = select.select([queue, sys.stdin], [], [], wait_s)
        if sys.stdin in readable:
            relay.release_all()
            return
        relay.step(time.monotonic_ns())


if __name__ == "__main__":
    main()
