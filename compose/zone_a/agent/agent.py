"""A stand-in for a strategy: follows the chain in a shared consumer group, and decides nothing.

Every instance is a consumer of its own, so scaling out spreads the events. Signals are the
swarm's work, since only its journal makes a signal accountable.

Variables: DEFI_REDIS_URL, DEFI_PREFIX; AGENT_LEAK_MB: memory in MiB to take at the start, to see
what the memory limit does.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType

from resp import Redis, RedisError

_GROUP = "cg:agents"
_BATCH = 16
_BLOCK_MS = 1_000
_TIMEOUT_S = 10.0
_MIB = 1024 * 1024
_PAGE = 4096


class Stopped(Exception):  # noqa: N818 - a wish, not an error
    """Somebody asked the agent to end."""


def main() -> int:
    """Follow the chain until told to end; the exit code."""
    signal.signal(signal.SIGTERM, _stop)
    leak = _leak(int(os.environ.get("AGENT_LEAK_MB", "0")))
    key = os.environ.get("DEFI_PREFIX", "dev:") + "stream:chain:events"
    name = socket.gethostname()
    client = Redis(os.environ["DEFI_REDIS_URL"], _TIMEOUT_S)
    try:
        with suppress(RedisError):  # the group is there already
            client.ask("XGROUP", "CREATE", key, _GROUP, "$", "MKSTREAM")
        print(f"following {key} as {name}, holding {len(leak)} MiB", flush=True)  # noqa: T201 - its log
        while True:
            _take(client, key, name)
    except Stopped:
        client = Redis(os.environ["DEFI_REDIS_URL"], _TIMEOUT_S)
        client.ask("XGROUP", "DELCONSUMER", key, _GROUP, name)
        return 0


def _take(client: Redis, key: str, name: str) -> None:
    options = ("COUNT", _BATCH, "BLOCK", _BLOCK_MS, "STREAMS", key, ">")
    for _, entries in client.ask("XREADGROUP", "GROUP", _GROUP, name, *options) or ():
        ids = [entry[0].decode() for entry in entries]
        client.ask("XACK", key, _GROUP, *ids)


def _leak(size_mib: int) -> list[bytearray]:
    held = []
    for _ in range(size_mib):
        block = bytearray(_MIB)
        block[::_PAGE] = b"x" * (_MIB // _PAGE)  # a page counts once it is written to
        held.append(block)
    return held


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
