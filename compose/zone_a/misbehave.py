"""Misbehaving on demand, so that isolation can be tried with real containers.

The module needs nothing but the standard library and itself. So it can also be handed to an
interpreter as a text, in a container that has no such file:

    python3 -c TEXT MARK flood SECONDS PROCESSES PER_S KEY
    python3 -c TEXT MARK leak SECONDS PER_S STREAM GROUP

MARK identifies the program to others; Redis is that of DEFI_REDIS_URL.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
import time
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

_MIB = 1 << 20
_LOOPS = 200_000
# A flood goes in batches: so many entries written, and some of them read again.
_WRITES, _READS = 48, 16
_KEPT, _READ = 1000, 10
_PAYLOAD = b"x" * 64
# However long a leak lasts, it is no attack on the host's memory.
_GROUPS_MAX = 20_000
_BATCH_MAX = 100
_TICK_S = 0.02
_RETRY_S = 0.2
_TIMEOUT_S = 10.0
_PING = (b"PING", b"end-of-batch")
_PONG = b"$12\r\nend-of-batch\r\n"

# Whether to go on.
GoesOn = Callable[[], bool]
Command = tuple[bytes, ...]


def hog_memory(mebibytes: int) -> list[bytes]:
    """Take so much memory and touch every page of it; keep the answer to keep the memory.

    Beyond its limit the container is killed before this returns.
    """
    # Written, not zeroed: untouched zero pages take no memory.
    return [b"\1" * _MIB for _ in range(mebibytes)]


def burn_cpu(processes: int) -> list[int]:
    """Keep so many cores busy, in child processes that end with this one; their pids.

    More than one is needed to run against a quota of one core.
    """

    def burn(goes_on: GoesOn) -> None:
        while goes_on():
            for _ in range(_LOOPS):
                pass

    return in_children(processes, burn)


def in_children(processes: int, work: Callable[[GoesOn], None]) -> list[int]:
    """Do something in so many child processes, which end with this one; their pids."""
    parent = os.getpid()
    pids = []
    for _ in range(processes):
        pid = os.fork()
        if not pid:
            work(lambda: os.getppid() == parent)
            os._exit(0)
        pids.append(pid)
    return pids


class Line:
    """A connection to Redis that reads no answer, but waits for their end.

    Raises:
        OSError: there is no connection, or it does not answer in time.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or "127.0.0.1"
        self._socket = socket.create_connection((host, parts.port or 6379), _TIMEOUT_S)
        if parts.scheme == "rediss":
            context = ssl.create_default_context()
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        if parts.password:
            user = [unquote(parts.username).encode()] if parts.username else []
            self.send(packed((b"AUTH", *user, unquote(parts.password).encode())))
        if database := parts.path.strip("/"):
            self.send(packed((b"SELECT", database.encode())))

    def send(self, commands: bytes) -> None:
        """Send packed commands, and wait until every one has been answered."""
        self._socket.sendall(commands + packed(_PING))
        tail = b""
        while tail != _PONG:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("Redis hung up")
            tail = (tail + data)[-len(_PONG) :]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def packed(*commands: Command) -> bytes:
    """Commands as Redis takes them (RESP2)."""
    parts = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        parts += [b"$%d\r\n%b\r\n" % (len(part), part) for part in command]
    return b"".join(parts)


def flood_redis(url: str, key: str, per_s: float, goes_on: GoesOn) -> None:
    """Write to a stream of its own and read it, `per_s` commands a second (0: all it can)."""
    name = key.encode()
    write = (b"XADD", name, b"MAXLEN", b"~", b"%d" % _KEPT, b"*", b"data", _PAYLOAD)
    read = (b"XREVRANGE", name, b"+", b"-", b"COUNT", b"%d" % _READ)
    # Three writes, one read, ...: a slow flood has both too.
    turn = (*(write,) * (_WRITES // _READS), read)
    pace = _Pace(per_s)

    def once(line: Line) -> None:
        turns = pace.due() / len(turn) if per_s else _READS
        if turns >= 1:
            number = min(int(turns), _READS)
            line.send(packed(*turn * number))
            pace.done += number * len(turn)
        else:
            time.sleep(_TICK_S)

    _stubbornly(url, once, goes_on)


def leak_groups(url: str, stream: str, group: str, per_s: float, goes_on: GoesOn) -> None:
    """Make consumer groups `group` + number on a stream, and neither read nor delete them."""
    pace = _Pace(per_s)

    def once(line: Line) -> None:
        first = int(pace.done)
        number = min(int(pace.due()), _BATCH_MAX, _GROUPS_MAX - first)
        if number > 0:
            names = [f"{group}{first + step}".encode() for step in range(number)]
            commands = [(b"XGROUP", b"CREATE", stream.encode(), name, b"$") for name in names]
            line.send(packed(*commands))
            pace.done += number
        else:
            time.sleep(_TICK_S)

    _stubbornly(url, once, goes_on)


class _Pace:
    """How much is due by now, less what was done."""

    def __init__(self, per_s: float) -> None:
        self.done = 0.0
        self._per_s = per_s
        self._began_s = time.monotonic()

    def due(self) -> float:
        return (time.monotonic() - self._began_s) * self._per_s + 1 - self.done


def _stubbornly(url: str, once: Callable[[Line], None], goes_on: GoesOn) -> None:
    """Do something again and again, over a new connection when one is lost."""
    while goes_on():
        try:
            line = Line(url)
            try:
                while goes_on():
                    once(line)
            finally:
                line.close()
        except OSError:
            time.sleep(_RETRY_S)


def main(arguments: list[str]) -> int:
    """Run the load that the arguments name, for so long; 2 for wrong arguments."""
    url = os.environ.get("DEFI_REDIS_URL", "")
    kind, seconds, *rest = arguments
    end_s = time.monotonic() + float(seconds)

    def in_time() -> bool:
        return time.monotonic() < end_s

    if kind == "flood":
        processes, per_s, key = int(rest[0]), float(rest[1]), rest[2]

        def flood(goes_on: GoesOn) -> None:
            flood_redis(url, key, per_s / processes, lambda: in_time() and goes_on())

        in_children(processes - 1, flood)
        flood(in_time)
    elif kind == "leak":
        leak_groups(url, rest[1], rest[2], float(rest[0]), in_time)
    else:
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
