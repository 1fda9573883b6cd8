"""Redis and Protobuf with the standard library alone.

Zone A's image is python:3.11-slim, which has neither client nor bindings, and its code is mounted
read-only. A test compares what it writes with the bindings built from `defi.proto`.
"""

from __future__ import annotations

import socket
import ssl
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

_LINE_MAX = 1 << 16
_BULK_MAX = 64 << 20
_VARINT = 0
_FIXED = {1: 8, 5: 4}
_LENGTH = 2
_SWAP = 1
# Nodes answer MOVED while they do not agree about a slot yet.
_REDIRECTIONS_MAX = 32
_TRY_AGAIN_S = 0.02


class RedisError(Exception):
    """Redis refused a command."""


class Redis:
    """One connection, for one thread; of a cluster one to each node that serves a key.

    Args:
        url: `redis://` or `rediss://`, with password; of a cluster `redis+cluster://` or
            `rediss+cluster://` with `host:port` of one node or more, joined by commas.
        timeout_s: longest wait for an answer; above the time of any BLOCK.
        address: where the URL's host is, if that is known: no name is looked up then.

    Attributes:
        address: the server's.

    Raises:
        OSError: it cannot be reached.
        RedisError: it does not let us in.
    """

    def __init__(
        self, url: str, timeout_s: float = 10.0, address: tuple[str, int] | None = None
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._others: dict[tuple[str, int], Redis] = {}
        self._places: dict[bytes, tuple[str, int]] = {}
        self._socket, host = _connect(url, timeout_s, address)
        self.address: tuple[str, int] = self._socket.getpeername()[:2]
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        scheme, login, _, database = url_parts(url)
        if scheme.startswith("rediss"):
            context = ssl.create_default_context()
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        self._reader = self._socket.makefile("rb")
        user, _, password = login.rpartition(":")
        if password:
            self._send("AUTH", *([unquote(user)] if user else []), unquote(password))
        if database and "+" not in scheme:
            self._send("SELECT", database)

    def command(self, *arguments: str | bytes | int) -> Any:
        """Send a command; its answer as bytes, int, list or None.

        A cluster's redirection is followed: the command was not executed.

        Raises:
            RedisError: Redis refused it.
            OSError: the connection is lost.
        """
        key = _key_of(arguments)
        node, is_asking = self.node(key), False
        for _ in range(_REDIRECTIONS_MAX):
            try:
                if is_asking:
                    node._send("ASKING")  # noqa: SLF001 - of this class
                return node._send(*arguments)  # noqa: SLF001 - of this class
            except RedisError as error:
                word, _, place = str(error).partition(" ")
                if word not in ("MOVED", "ASK", "TRYAGAIN", "UNBLOCKED"):
                    raise
            if word in ("TRYAGAIN", "UNBLOCKED"):  # the latter: the stream left the node
                time.sleep(_TRY_AGAIN_S)
                continue
            host, _, port = place.rpartition(" ")[2].rpartition(":")
            is_asking = word == "ASK"
            if not is_asking:
                self._places[key] = (host, int(port))
            node = self._connected((host, int(port)))
        raise RedisError(f"was redirected {_REDIRECTIONS_MAX} times")

    def node(self, key: bytes) -> Redis:
        """The connection to the node that served a key last."""
        place = self._places.get(key)
        return self if place is None else self._connected(place)

    def _connected(self, place: tuple[str, int]) -> Redis:
        if place == self.address:
            return self
        if place not in self._others:
            self._others[place] = Redis(self._url, self._timeout_s, place)
        return self._others[place]

    def _send(self, *arguments: str | bytes | int) -> Any:
        parts = [b"*%d\r\n" % len(arguments)]
        for argument in arguments:
            data = argument if isinstance(argument, bytes) else str(argument).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
        self._socket.sendall(b"".join(parts))
        answer = self._read()
        if isinstance(answer, RedisError):
            raise answer
        return answer

    def close(self) -> None:
        """Hang up."""
        for other in self._others.values():
            other.close()
        self._reader.close()
        self._socket.close()

    def _read(self) -> Any:
        line = self._reader.readline(_LINE_MAX)
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis hung up")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode("utf-8", "replace"))
        count = int(rest)
        if kind == b":":
            return count
        if count < 0:
            return None
        if kind == b"*":
            return [self._read() for _ in range(count)]
        if kind != b"$" or count > _BULK_MAX:
            raise ConnectionError("Redis answered something that is not RESP2")
        data = self._reader.read(count + 2)
        if len(data) != count + 2:
            raise ConnectionError("Redis hung up")
        return data[:-2]


def url_parts(url: str) -> tuple[str, str, list[tuple[str, int]], str]:
    """Scheme, login (`user:password`), servers and database of a URL."""
    scheme, _, rest = url.partition("://")
    place, _, database = rest.partition("/")
    login, _, hosts = place.rpartition("@")
    servers = []
    for host in hosts.split(","):
        parts = urlsplit(f"//{host}")
        servers.append((parts.hostname or "127.0.0.1", parts.port or 6379))
    return scheme, login, servers, database.partition("?")[0].strip("/")


def _connect(
    url: str, timeout_s: float, address: tuple[str, int] | None
) -> tuple[socket.socket, str]:
    """A connection to the first server of a URL that takes one, and the name of its host."""
    servers = url_parts(url)[2]
    if address:
        return socket.create_connection(address, timeout_s), servers[0][0]
    for place in servers[:-1]:
        try:
            return socket.create_connection(place, timeout_s), place[0]
        except OSError:
            continue
    return socket.create_connection(servers[-1], timeout_s), servers[-1][0]


def _key_of(arguments: tuple[str | bytes | int, ...]) -> bytes:
    """The key of a command; empty if it has none."""
    name = arguments[0]
    if name in ("XREAD", "XREADGROUP"):
        key = arguments[arguments.index("STREAMS") + 1]
    elif name in ("CLIENT", "AUTH", "SELECT"):
        return b""
    else:
        key = arguments[2 if name == "XGROUP" else 1] if len(arguments) > 1 else b""
    return key if isinstance(key, bytes) else str(key).encode()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A trade proposal; amounts in wei, time in Unix milliseconds."""

    trace_id: uuid.UUID
    agent_id: str
    strategy_id: str
    last_sync_block: int
    timestamp_ms: int
    address: str
    chain_id: int
    amount_in_wei: int
    capital_wei: int
    slippage_max_bps: int
    gas_price_wei: int


def encode_proposal(proposal: Proposal) -> bytes:
    """A `TradeRequest` with a `Swap`; the field numbers are those of `defi.proto`."""
    context = (
        _text(1, str(proposal.trace_id))
        + _text(2, proposal.agent_id)
        + _number(3, proposal.last_sync_block)
        + _number(4, proposal.timestamp_ms)
    )
    swap = (
        _text(1, proposal.strategy_id)
        + _text(2, proposal.address)
        + _number(3, proposal.chain_id)
        + _text(4, "WETH")
        + _text(5, "USDC")
        + _text(6, str(proposal.amount_in_wei))
        + _text(7, str(proposal.capital_wei))
    )
    return (
        _bytes(1, context)
        + _text(2, "reference-amm")
        + _number(3, _SWAP)
        + _bytes(4, swap)
        + _number(5, proposal.slippage_max_bps)
        + _text(6, str(proposal.gas_price_wei))
    )


def decode_sync_block(data: bytes) -> int:
    """`sync_block` of a `ChainEvent`; 0 if it has none.

    Raises:
        ValueError: not a message.
    """
    block = 0
    for number, value in _fields(data):
        if number == 2 and isinstance(value, int):
            block = value
    return block


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(data):
        key, place = _varint_at(data, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint_at(data, place)
            yield number, value
            continue
        if kind == _LENGTH:
            length, place = _varint_at(data, place)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise ValueError(f"wire type {kind} is not supported")
        if place + length > len(data):
            raise ValueError("the message is cut short")
        yield number, data[place : place + length]
        place += length


def _varint_at(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError("the message is cut short")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number is too long")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    # Protobuf 3 leaves out what has its default value.
    return _varint(field << 3 | _VARINT) + _varint(value) if value else b""


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH) + _varint(len(value)) + value if value else b""


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
