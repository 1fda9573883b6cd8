"""The kernel's queue of packets that wait for a program's verdict (NFQUEUE), over netlink.

A rule of the packet filter puts packets into the queue; its reader accepts or drops each at any
time. When the reader's socket is closed, however that happens, the queue is gone, and a rule with
`--queue-bypass` lets every packet pass as if it was not there. Only the standard
library: the relay runs on the bare interpreter. The names are those of linux/netfilter/
nfnetlink_queue.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator

_NETLINK_NETFILTER = 12
_SOL_NETLINK, _NO_ENOBUFS = 270, 5
_SO_RCVBUFFORCE = 33
_REQUEST, _ACK, _ERROR = 1, 4, 2
_PACKET, _VERDICT, _CONFIG = 0x300, 0x301, 0x302
_CFG_CMD, _CFG_PARAMS, _CFG_MAXLEN = 1, 2, 3
_BIND, _COPY_PACKET = 1, 2
_PACKET_HDR, _VERDICT_HDR, _PAYLOAD = 1, 2, 10
_DROP, _ACCEPT = 0, 1

# The head of an IPv4 packet is enough: its length stands there.
_COPIED_BYTES = 20
_QUEUED_MAX = 65_536
_BUFFER_BYTES = 16 << 20
_HEAD = struct.Struct("=IHHII")
_FAMILY = struct.Struct(">BBH")
_ATTRIBUTE = struct.Struct("=HH")
_MESSAGE_MAX = 65_536


class PacketQueue:
    """One queue of the network namespace that this process is in.

    Args:
        number: of the queue, 0 to 65535.

    Raises:
        OSError: the kernel has no such queue to give, or another program reads it.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        # A packet that found no room is dropped by the kernel; a report of it is no use.
        self._socket.setsockopt(_SOL_NETLINK, _NO_ENOBUFS, 1)
        for kind, value in (
            (_CFG_CMD, struct.pack(">BBH", _BIND, 0, socket.AF_INET)),
            (_CFG_PARAMS, struct.pack(">IB", _COPIED_BYTES, _COPY_PACKET)),
            (_CFG_MAXLEN, struct.pack(">I", _QUEUED_MAX)),
        ):
            self._configure(kind, value)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """For waiting on it."""
        return self._socket.fileno()

    def packets(self, most: int) -> Iterator[tuple[int, int]]:
        """Number and length in bytes of each packet that has come, at most so many."""
        for _ in range(most):
            try:
                data = self._socket.recv(_MESSAGE_MAX)
            except BlockingIOError:
                return
            yield from packets_of(data)

    def send_verdicts(self, numbers: Iterable[int], *, accept: bool) -> None:
        """Let packets go on, in this order, or drop them."""
        messages = [verdict_message(self._number, number, accept=accept) for number in numbers]
        for start in range(0, len(messages), 256):
            self._socket.send(b"".join(messages[start : start + 256]))

    def _configure(self, kind: int, value: bytes) -> None:
        self._socket.send(_message(_CONFIG, _REQUEST | _ACK, self._number, _attribute(kind, value)))
        answer = self._socket.recv(_MESSAGE_MAX)
        _, of, _, _, _ = _HEAD.unpack_from(answer)
        code = -struct.unpack_from("=i", answer, _HEAD.size)[0] if of == _ERROR else errno.EPROTO
        if code:
            raise OSError(code, os.strerror(code))


def packets_of(data: bytes) -> Iterator[tuple[int, int]]:
    """Number and length of each packet in messages of the kernel."""
    place = 0
    while place + _HEAD.size <= len(data):
        length, of, _, _, _ = _HEAD.unpack_from(data, place)
        if length < _HEAD.size:
            return
        if of == _PACKET:
            found = dict(_attributes(data, place + _HEAD.size + _FAMILY.size, place + length))
            number = int.from_bytes(found[_PACKET_HDR][:4], "big")
            yield number, int.from_bytes(found.get(_PAYLOAD, b"")[2:4], "big")
        place += _aligned(length)


def verdict_message(queue: int, number: int, *, accept: bool) -> bytes:
    """The message that decides over one packet."""
    value = struct.pack(">II", _ACCEPT if accept else _DROP, number)
    return _message(_VERDICT, _REQUEST, queue, _attribute(_VERDICT_HDR, value))


def _message(of: int, flags: int, queue: int, body: bytes) -> bytes:
    length = _HEAD.size + _FAMILY.size + len(body)
    return _HEAD.pack(length, of, flags, 0, 0) + _FAMILY.pack(socket.AF_UNSPEC, 0, queue) + body


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value.ljust(_aligned(len(value)), b"\0")


def _attributes(data: bytes, place: int, end: int) -> Iterator[tuple[int, bytes]]:
    while place + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[place + _ATTRIBUTE.size : place + length]
        place += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
