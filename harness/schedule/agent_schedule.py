"""The schedule of one agent: its next signal, its content and its intended time."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.contract import trace_id
from harness.evidence.records import ATTEMPT
from harness.schedule.content import Contents, contents, stale_block
from harness.schedule.encoders import AgentIdentity, make_encoder
from harness.schedule.pacing import BLOCK, Offsets, intended_offsets
from harness.schedule.plan import SwarmPlan

# Later than any clock value: no further signal.
NEVER_NS = 1 << 62

PACKED_ID = struct.Struct("<QQ")
_ATTEMPT = struct.Struct("<16sqqIIHHBB2x")


class Batch:
    """Signals to be sent as one pipeline, with their records; a reusable buffer.

    Attributes:
        count: number of signals in it.
        commands: packed XADDs.
        ids: packed trace ids, in the same order.
        oldest_ns: earliest intended time.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.count = 0
        self.commands: list[bytes] = []
        self.ids: list[bytes] = []
        self.oldest_ns = NEVER_NS
        self.buffer = bytearray(size * ATTEMPT.itemsize)
        self._view = memoryview(self.buffer)
        self._sent_ns = np.frombuffer(self.buffer, dtype=ATTEMPT)["sent_ns"]

    def clear(self) -> None:
        """Remove all signals."""
        self.count = 0
        self.commands.clear()
        self.ids.clear()
        self.oldest_ns = NEVER_NS

    def stamp(self, sent_ns: int) -> memoryview:
        """The ATTEMPT records of all its signals, with this sending time."""
        self._sent_ns[: self.count] = sent_ns
        return self._view[: self.count * ATTEMPT.itemsize]


@dataclass(frozen=True, slots=True)
class _ScheduleBlock:
    """A block of consecutive signals within one stage, ready to be sent."""

    stage: int
    first: int
    due_ns: list[int]
    contents: Contents


class AgentSchedule:
    """The schedule of one agent, drawn one block ahead; signals are encoded when due.

    Attributes:
        agent: number of the agent.
        due_ns: intended time of its next signal (monotonic); NEVER_NS after the last.
        sync_block: newest block that the agent knows; in every signal but those that are stale on
            purpose.
    """

    def __init__(self, plan: SwarmPlan, agent: int, *, block: int = BLOCK) -> None:
        self.agent = agent
        self.sync_block = 0
        self.due_ns = NEVER_NS
        self._plan = plan
        identity = AgentIdentity(plan.contract, plan.signals, plan.run_tag, agent)
        self._encode = make_encoder(identity).command
        self._trace_hi, self._trace_lo = trace_id.pack(plan.run_tag, agent, 0)
        self._offsets = intended_offsets(plan.load, plan.seed, agent, block=block)
        self._blocks = self._draw()
        self._current: _ScheduleBlock | None = None
        self._next: _ScheduleBlock | None = None
        self._position = 0
        self.draw_ahead()
        self._advance()

    def draw_ahead(self) -> None:
        """Draw the next block, unless it is drawn already; lasts about 0.1 ms."""
        if self._next is None:
            self._next = next(self._blocks, None)

    def overdue(self, now_ns: int) -> int:
        """Number of signals of the current block that are due and not sent."""
        if self._current is None:
            return 0
        return bisect_right(self._current.due_ns, now_ns, self._position) - self._position

    def encode_next(self, batch: Batch, timestamp: bytes) -> bool:
        """Encode the next signal into the batch and advance.

        Args:
            batch: has space for one more.
            timestamp: Unix time in ms, as `trade_request_template.varint`.

        Returns:
            Whether a new block began, so that the one after it should be drawn soon.
        """
        current = self._current
        assert current is not None  # noqa: S101 - the caller checked due_ns
        position = self._position
        index = current.first + position
        address = current.contents.addresses[position]
        sync_block, stale = self.sync_block, False
        if current.contents.stale[position]:
            stale_head = stale_block(sync_block, self._plan.watermark_max_lag)
            if stale_head is not None:
                sync_block, stale = stale_head, True
        command = self._encode(
            index, address, current.contents.amounts_wei[position], sync_block, timestamp
        )
        packed_id = PACKED_ID.pack(self._trace_hi, self._trace_lo | index)
        due_ns = current.due_ns[position]
        _ATTEMPT.pack_into(
            batch.buffer,
            batch.count * _ATTEMPT.size,
            packed_id,
            due_ns,
            0,
            sync_block,
            address,
            self.agent,
            current.stage,
            current.contents.modes[position],
            stale,
        )
        batch.commands.append(command)
        batch.ids.append(packed_id)
        batch.count += 1
        if due_ns < batch.oldest_ns:
            batch.oldest_ns = due_ns
        position += 1
        if position < len(current.due_ns):
            self._position = position
            self.due_ns = current.due_ns[position]
            return False
        self._advance()
        return True

    def _advance(self) -> None:
        self.draw_ahead()
        self._current, self._next = self._next, None
        self._position = 0
        self.due_ns = self._current.due_ns[0] if self._current else NEVER_NS

    def _draw(self) -> Iterator[_ScheduleBlock]:
        plan = self._plan
        first = 0
        for stage, offsets in self._offsets:
            yield _ScheduleBlock(
                stage=stage,
                first=first,
                due_ns=_absolute(offsets, plan.t0_ns),
                contents=contents(plan.signals, plan.seed, self.agent, first, len(offsets)),
            )
            first += len(offsets)


def _absolute(offsets: Offsets, t0_ns: int) -> list[int]:
    times: list[int] = (offsets + t0_ns).tolist()
    return times
