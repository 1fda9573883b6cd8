"""One RPC node over HTTP, with a time limit that holds for the whole call.

A socket's own time limit starts anew with every byte, so a node that trickles would never be too
late. Calls therefore run in threads of the node's own, and the caller waits so long and no longer.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from zone_b.settings import SettingsError

_CALLS_MAX = 32
_IDLE_MAX = 16
_ANSWER_MAX = 16 << 20
_HEAD = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}).encode()
_TOO_MANY = 429


class NodeError(Exception):
    """The node gave no answer.

    Args:
        reason: why, as a metric's label.
        sent: whether the question may have reached the node.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Reply:
    """What a node answered, unread."""

    code: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node is. Path and query may hold a key, so neither shows in a log."""

    secure: bool
    host: str
    port: int
    path: str = field(repr=False)


def parse_url(url: str, name: str) -> Address:
    """An `http://` or `https://` URL.

    Args:
        url: may hold a key, so the error does not repeat it.
        name: what the error calls it.

    Raises:
        SettingsError: not such a URL.
    """
    try:
        parts = urlsplit(url)
        secure = {"http": False, "https": True}[parts.scheme]
        port = parts.port or (443 if secure else 80)
    except (KeyError, ValueError):
        raise SettingsError(f"{name} must be an http:// or https:// URL") from None
    if not parts.hostname or parts.username is not None:
        raise SettingsError(f"{name} needs a host, and cannot hold user and password")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(secure, parts.hostname, port, path)


class _Call:
    """What a call's thread and who waits for it must agree on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._over = False
        self.sent = False

    def send_on(self, connection: http.client.HTTPConnection) -> None:
        """Begin to send, unless no caller waits any more: then it must not be done at all."""
        with self._lock:
            if self._over:
                raise TimeoutError
            self._connection = connection
            self.sent = True

    def give_up(self) -> bool:
        """Wait no longer; whether the question may have reached the node."""
        with self._lock:
            self._over = True
            sock = self._connection.sock if self._connection else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # frees the thread that reads from it
        return self.sent


class Node:
    """A node.

    Args:
        name: for metrics; never the URL.
        address: where it is.
        timeout_s: how long a whole call may take.
    """

    def __init__(self, name: str, address: Address, timeout_s: float) -> None:
        self.name = name
        self._address = address
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(_CALLS_MAX, thread_name_prefix=f"rpc-{name}")
        self._idle: list[http.client.HTTPConnection] = []

    def call(self, body: bytes) -> Reply:
        """Ask.

        Raises:
            NodeError: no answer in time, or one that means "not now" (HTTP 429 and 5xx).
        """
        call = _Call()
        future = self._threads.submit(self._exchange, call, body)
        try:
            reply = future.result(self._timeout_s)
        except TimeoutError:
            future.cancel()
            raise NodeError("timeout", sent=call.give_up()) from None
        except (OSError, http.client.HTTPException) as error:
            reason = "broken" if call.sent else "unreachable"
            raise NodeError(reason, sent=call.sent) from error
        if reply.code == _TOO_MANY or reply.code >= http.client.INTERNAL_SERVER_ERROR:
            raise NodeError(f"http_{reply.code}", sent=True)
        return reply

    def head(self) -> int:
        """Its newest block.

        Raises:
            NodeError: it does not answer it.
        """
        try:
            return int(json.loads(self.call(_HEAD).body)["result"], 16)
        except (ValueError, KeyError, TypeError):
            raise NodeError("nonsense", sent=True) from None

    def close(self) -> None:
        """End its threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        while self._idle:
            self._idle.pop().close()

    def _exchange(self, call: _Call, body: bytes) -> Reply:
        connection = self._connection()
        try:
            if connection.sock is None:
                connection.connect()
            call.send_on(connection)
            connection.request(
                "POST", self._address.path, body, {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            data = response.read(_ANSWER_MAX + 1)
            if len(data) > _ANSWER_MAX:
                raise http.client.HTTPException("answer too large")
        except BaseException:
            connection.close()
            raise
        if response.will_close or len(self._idle) >= _IDLE_MAX:
            connection.close()
        else:
            self._idle.append(connection)
        return Reply(response.status, data)

    def _connection(self) -> http.client.HTTPConnection:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            # An idle connection that is readable has been closed by the node.
            if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        kind = http.client.HTTPSConnection if self._address.secure else http.client.HTTPConnection
        return kind(self._address.host, self._address.port, timeout=self._timeout_s)
