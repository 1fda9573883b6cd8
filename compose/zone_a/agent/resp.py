"""Redis's protocol in a few lines, since the specified image holds nothing but Python."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import unquote, urlsplit


class RedisError(Exception):
    """The server refused a command."""


class Redis:
    """One connection.

    Args:
        url: `redis://:password@host:port/0`.
        timeout_s: the longest wait for an answer.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        address = (parts.hostname or "localhost", parts.port or 6379)
        self._socket = socket.create_connection(address, timeout_s)
        self._file = self._socket.makefile("rb")
        if parts.password:
            self.ask("AUTH", unquote(parts.password))

    def ask(self, *words: str | int) -> Any:
        """Send a command; its answer as bytes, int, None or a list of these.

        Raises:
            RedisError: the server refused it.
            OSError: the connection is lost.
        """
        encoded = [str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded)]
        parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded]
        self._socket.sendall(b"".join(parts))
        return self._answer()

    def _answer(self) -> Any:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("the server has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        size = int(rest)
        if size < 0:
            return None
        if kind == b"*":
            return [self._answer() for _ in range(size)]
        return self._file.read(size + 2)[:-2]
