"""Connections to Redis: redis-py opens them, this module sends and receives on their sockets.

redis-py parses the URL, connects, starts TLS and authenticates. After that a packed pipeline goes
to the socket in one call, and hiredis parses the answers.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import hiredis
import redis
from pydantic import SecretStr
from redis.exceptions import AuthenticationError, RedisError

from harness.errors import StackError, UsageError
from harness.redis_connection import node_url

CONNECT_TIMEOUT_S = 2.0
_READ, _WRITE = 1, 2
# About 700 answers, which need 1.5 ms; then the sender may run again.
_CHUNK = 16_384
_TLS_ROUNDS_MAX = 16
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class RedisConnection:
    """An authenticated connection.

    Attributes:
        socket: the connected socket.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.socket = connection._sock  # noqa: SLF001 - redis-py opens the connection, but offers no other access to its socket

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()


def open_connection(url: SecretStr, name: str, key: str = "") -> RedisConnection:
    """Connect and authenticate, within seconds.

    Args:
        url: `redis://`, `rediss://` or `unix://`; of a cluster or a Sentinel the server that
            serves `key` now.
        name: shown by CLIENT LIST.
        key: the key that is used on the connection.

    Raises:
        UsageError: the URL cannot be understood, or its password is wrong.
        StackError: no server answers, or it is no Redis server.
    """
    try:
        pool = redis.ConnectionPool.from_url(
            node_url(url.get_secret_value(), key),
            protocol=2,
            client_name=name,
            driver_info=None,
            socket_timeout=CONNECT_TIMEOUT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
        )
    except ValueError:
        # Without its text, which may quote a part of the password.
        raise UsageError(
            "cannot be understood",
            where="Redis URL",
            hint="write redis://:password@host:port/0, rediss://, redis+cluster:// or"
            " redis+sentinel://host:port/SERVICE",
        ) from None
    except AuthenticationError as error:
        raise UsageError(str(error), where="Redis", hint="check the URL's password") from error
    except (RedisError, OSError) as error:
        raise StackError(str(error), where="Redis") from error
    connection: Any = pool.make_connection()
    try:
        connection.connect()
    except AuthenticationError as error:
        connection.disconnect()
        raise UsageError(str(error), where="Redis", hint="check the URL's password") from error
    except (RedisError, OSError) as error:
        connection.disconnect()
        raise StackError(str(error), where="Redis") from error
    return RedisConnection(connection)


class LoopLink:
    """A connection in a gevent loop: sends without waiting, passes answers on as they arrive.

    Args:
        connection: open; closed with the link.
        loop: the gevent loop.
        on_replies: receives parsed answers, in order. Called in the loop, so it must not block.
        on_ready: called when the kernel accepts bytes again after its buffer was full.
        on_loss: called when the server closes the connection.
    """

    def __init__(
        self,
        connection: RedisConnection,
        loop: Any,
        on_replies: Callable[[list[object]], None],
        on_ready: Callable[[], None],
        on_loss: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._socket = connection.socket
        self._socket.settimeout(0.0)
        self._reader = hiredis.Reader()
        self._on_replies = on_replies
        self._on_ready = on_ready
        self._on_loss = on_loss
        self._loop = loop
        self._is_closed = False
        self._unsent = memoryview(b"")
        number = self._socket.fileno()
        self._readable = loop.io(number, _READ)
        self._writable = loop.io(number, _WRITE)
        self._readable.start(self._read)

    @property
    def has_unsent_bytes(self) -> bool:
        """Whether bytes are left that the kernel has not accepted yet."""
        return len(self._unsent) > 0

    def send(self, data: bytes) -> None:
        """Hand bytes to the kernel; the rest follows as soon as the kernel accepts it.

        Raises:
            OSError: the connection is lost.
        """
        self._unsent = memoryview(data)
        self._push()
        if self._unsent:
            self._writable.start(self._resume)

    def close(self) -> None:
        """Close the connection and its watchers."""
        self._is_closed = True
        self._readable.stop()
        self._writable.stop()
        self._connection.close()

    def _push(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except _WOULD_BLOCK:
            pass

    def _resume(self) -> None:
        try:
            self._push()
        except OSError:
            self._on_loss()
            return
        if not self._unsent:
            self._writable.stop()
            self._on_ready()

    def _read(self) -> None:
        """Read one chunk; of TLS as many as are decrypted, for which there is no event."""
        rounds = _TLS_ROUNDS_MAX if isinstance(self._socket, ssl.SSLSocket) else 1
        for _ in range(rounds):
            try:
                data = self._socket.recv(_CHUNK)
            except _WOULD_BLOCK:
                return
            except OSError:
                data = b""
            if not data:
                self._on_loss()
                return
            self._reader.feed(data)
            replies = self._replies()
            if replies:
                self._on_replies(replies)
            if self._is_closed:
                return
        if rounds > 1:
            self._loop.run_callback(self._read_on)

    def _read_on(self) -> None:
        if not self._is_closed:
            self._read()

    def _replies(self) -> list[object]:
        replies: list[object] = []
        while (reply := self._reader.gets()) is not False:
            replies.append(reply)
        return replies
