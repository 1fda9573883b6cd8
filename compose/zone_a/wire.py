"""Redis and Protobuf with the standard library alone.

Zone A's image is python:3.11-slim, which has neither client nor bindings, and its code is mounted
read-only. A test compares what it writes with the bindings built from `defi.proto`.
"""

from __future__ import annotations

import socket
import ssl
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


class RedisError(Exception):
    """Redis refused a command."""


class Redis:
    """One connection, for one thread.

    Args:
        url: `redis://` or `rediss://`, with password.
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
        parts = urlsplit(url)
        host = parts.hostname or "127.0.0.1"
        named = (host, parts.port or 6379)
        self._socket = socket.create_connection(address or named, timeout_s)
        self.address: tuple[str, int] = self._socket.getpeername()[:2]
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "rediss":
            context = ssl.create_default_context()
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        self._reader = self._socket.makefile("rb")
        if parts.password:
            user = [unquote(parts.username)] if parts.username else []
            self.command("AUTH", *user, unquote(parts.password))
        if database := parts.path.strip("/"):
            self.command("SELECT", database)

    def command(self, *arguments: str | bytes | int) -> Any:
        """Send a command; its answer as bytes, int, list or None.

        Raises:
            RedisError: Redis refused it.
            OSError: the connection is lost.
        """
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
