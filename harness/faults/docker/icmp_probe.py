"""A program that sends a train of echo requests (ICMP) and prints when each was answered.

Started by path with the bare interpreter, in the network namespace of the one who asks; hence
only the standard library.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

_NS_PER_US = 1_000
_NS_PER_S = 1_000_000_000
_BITS_PER_BYTE = 8
_REQUEST, _REPLY = 8, 0
_HEAD = struct.Struct(">BBHHH")
_IP_BYTES = 20
_BUFFER_BYTES = 4 << 20
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33


@dataclass(frozen=True, slots=True)
class PingTrain:
    """Echo requests one after the other.

    Attributes:
        count: how many.
        gap_us: from one to the next; 0 for as fast as it goes.
        size_bytes: of each packet, headers of IP included.
        patience_ms: how long answers are waited for after the last one was sent.
    """

    count: int
    gap_us: int = 0
    size_bytes: int = 64
    patience_ms: int = 300

    def as_dict(self) -> dict[str, Any]:
        """Its fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PingResult:
    """What became of a train.

    Attributes:
        train: what was sent.
        times_ns: of each that was answered, when it was sent and when the answer came; in the
            order of the answers.
    """

    train: PingTrain
    times_ns: tuple[tuple[int, int], ...]

    @property
    def round_trips_ns(self) -> tuple[int, ...]:
        """From the shortest to the longest."""
        return tuple(sorted(back_ns - sent_ns for sent_ns, back_ns in self.times_ns))

    @property
    def lost(self) -> int:
        """How many were not answered."""
        return self.train.count - len(self.times_ns)

    @property
    def bits_per_s(self) -> float | None:
        """How fast the answers followed each other; None of fewer than two."""
        if len(self.times_ns) < 2:
            return None
        took_ns = self.times_ns[-1][1] - self.times_ns[0][1]
        bits = (len(self.times_ns) - 1) * self.train.size_bytes * _BITS_PER_BYTE
        return bits * _NS_PER_S / max(1, took_ns)


def parse_ping_result(text: str) -> PingResult:
    """What the program has printed."""
    found = json.loads(text)
    return PingResult(PingTrain(**found["train"]), tuple((a, b) for a, b in found["times_ns"]))


def send_train(address: str, train: PingTrain) -> PingResult:
    """Send a train and wait for the answers.

    Raises:
        OSError: it cannot be sent.
    """
    own = os.getpid() & 0xFFFF
    filling = bytes(max(0, train.size_bytes - _IP_BYTES - _HEAD.size))
    sent: dict[int, int] = {}
    times: list[tuple[int, int]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as line:
        for force in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
            line.setsockopt(socket.SOL_SOCKET, force, _BUFFER_BYTES)
        line.setblocking(False)
        begun_ns = time.monotonic_ns()
        end_ns = begun_ns
        while True:
            now_ns = time.monotonic_ns()
            due_ns = begun_ns + len(sent) * train.gap_us * _NS_PER_US
            if len(sent) < train.count and now_ns >= due_ns:
                number = len(sent)
                sent[number] = now_ns
                line.sendto(_request(own, number, filling), (address, 0))
                end_ns = now_ns + train.patience_ms * _NS_PER_US * 1_000
            elif len(times) == train.count or (len(sent) == train.count and now_ns >= end_ns):
                return PingResult(train, tuple(times))
            else:
                until_ns = due_ns if len(sent) < train.count else end_ns
                select.select([line], [], [], max(0, until_ns - now_ns) / _NS_PER_S)
            times += _answers(line, address, own, sent)


def _answers(
    line: socket.socket, address: str, own: int, sent: dict[int, int]
) -> list[tuple[int, int]]:
    """When what has been answered by now was sent and answered; each once."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            data, (source, *_) = line.recvfrom(65_536)
        except BlockingIOError:
            return found
        now_ns = time.monotonic_ns()
        head = (data[0] & 0xF) * 4
        if len(data) < head + _HEAD.size or source != address:
            continue
        of, _, _, whose, number = _HEAD.unpack_from(data, head)
        if (of, whose) == (_REPLY, own) and number in sent and sent[number] >= 0:
            found.append((sent[number], now_ns))
            sent[number] = -1


def _request(own: int, number: int, filling: bytes) -> bytes:
    # The filling is of zeros and adds nothing to the sum.
    total = (_REQUEST << 8) + own + number
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return _HEAD.pack(_REQUEST, 0, ~total & 0xFFFF, own, number) + filling


def main() -> None:
    """Run the program: its arguments are an address, and a train as JSON."""
    result = send_train(sys.argv[1], PingTrain(**json.loads(sys.argv[2])))
    sys.stdout.write(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
