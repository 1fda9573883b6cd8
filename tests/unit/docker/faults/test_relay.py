"""The relay on a queue that is none, and the kernel's messages."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.faults.docker.link_model import LinkModel, LinkSettings
from harness.faults.docker.packet_queue import packets_of, verdict_message
from harness.faults.docker.packet_relay import PacketRelay


@dataclass
class Queue:
    """Takes down every verdict."""

    come: list[tuple[int, int]] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)

    def packets(self, most: int) -> Iterator[tuple[int, int]]:
        for _ in range(min(most, len(self.come))):
            yield self.come.pop(0)

    def send_verdicts(self, numbers: Iterable[int], *, accept: bool) -> None:
        (self.accepted if accept else self.dropped).extend(numbers)


def relay_of(queue: Queue, settings: LinkSettings) -> PacketRelay:
    """A relay that reads it."""
    stand_in: Any = queue
    return PacketRelay(stand_in, LinkModel(settings))


def test_a_packet_is_held_for_its_time() -> None:
    """And the next wait is for just as long."""
    queue = Queue(come=[(1, 100), (2, 100)])
    relay = relay_of(queue, LinkSettings(delay_ns=30))
    assert relay.wait_s(0) is None
    relay.step(1_000)
    assert queue.accepted == []
    assert relay.wait_s(1_010) == 20e-9
    relay.step(1_029)
    assert queue.accepted == []
    relay.step(1_030)
    assert queue.accepted == [1, 2]
    assert relay.wait_s(1_030) is None


@given(sizes=st.lists(st.integers(20, 1_500), max_size=200), loss=st.sampled_from([0.0, 0.5]))
def test_every_packet_gets_one_verdict(sizes: list[int], loss: float) -> None:
    """Those that are held when it ends are let go, in their order."""
    queue = Queue(come=list(enumerate(sizes)))
    relay = relay_of(queue, LinkSettings(delay_ns=5, loss_share=loss, bits_per_s=10**9))
    for now_ns in range(0, 10, 3):
        relay.step(now_ns)
    relay.release_all()
    assert sorted(queue.accepted + queue.dropped) == list(range(len(sizes)))
    assert queue.accepted == sorted(queue.accepted)
    assert loss or not queue.dropped


def test_no_delay_is_no_wait() -> None:
    """What nothing is to be done to goes on at once."""
    queue = Queue(come=[(7, 100)])
    relay_of(queue, LinkSettings()).step(5)
    assert queue.accepted == [7]


def packet(number: int, length: int) -> bytes:
    """A message of the kernel about one packet, with an attribute that is not read."""
    head = struct.pack("=HH", 11, 1) + struct.pack(">IHB", number, 0x0800, 1) + b"\0"
    other = struct.pack("=HH", 8, 3) + b"\0\0\0\1"
    payload = struct.pack("=HH", 24, 10) + struct.pack(">BBH", 0x45, 0, length) + bytes(16)
    body = struct.pack(">BBH", 2, 0, 1) + head + other + payload
    return struct.pack("=IHHII", 16 + len(body), 0x300, 0, 0, 0) + body


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(20, 65_535)), max_size=5))
def test_numbers_and_lengths_are_read(packets: list[tuple[int, int]]) -> None:
    """Of several in one message, too."""
    data = b"".join(packet(number, length) for number, length in packets)
    assert list(packets_of(data)) == packets


@given(st.binary(max_size=200))
def test_nonsense_is_no_packet(data: bytes) -> None:
    """What is cut off or of another kind ends the reading, and nothing else."""
    for at in range(0, len(data), 16):
        list(packets_of(struct.pack("=IHHII", len(data), 3, 0, 0, 0) + data[at:]))


def test_a_verdict_as_the_kernel_wants_it() -> None:
    """linux/netfilter/nfnetlink_queue.h: NFQNL_MSG_VERDICT with NFQA_VERDICT_HDR."""
    assert verdict_message(5, 258, accept=True) == (
        struct.pack("=IHHII", 32, 0x301, 1, 0, 0)
        + bytes((0, 0, 0, 5))
        + struct.pack("=HH", 12, 2)
        + bytes((0, 0, 0, 1, 0, 0, 1, 2))
    )
    assert verdict_message(5, 258, accept=False)[-8:] == bytes((0, 0, 0, 0, 0, 0, 1, 2))
