"""What one agent sends, and when: the next signal of its schedule, and those after it."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.contract import trace_id
from harness.evidence.records import ATTEMPT
from harness.schedule.content import Contents, contents, stale_block
from harness.schedule.encoder import AgentIdentity
from harness.schedule.encoders import make_encoder
from harness.schedule.pacing import BLOCK, Offsets, intended_offsets
from harness.schedule.plan import SwarmPlan

# Later than any clock: nothing more is due.
NEVER_NS = 1 << 62

NAME = struct.Struct("<QQ")
_ATTEMPT = struct.Struct("<16sqqIIHHBB2x")


class Batch:
    """Signals to be sent as one pipeline, with their records; used again and again.

    Attributes:
        count: signals in it.
        commands: packed XADDs.
        names: packed trace ids, in the same order.
        oldest_ns: intended time of the signal that was due first.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.count = 0
        self.commands: list[bytes] = []
        self.names: list[bytes] = []
        self.oldest_ns = NEVER_NS
        self.buffer = bytearray(size * ATTEMPT.itemsize)
        self._view = memoryview(self.buffer)
        self._sent_ns = np.frombuffer(self.buffer, dtype=ATTEMPT)["sent_ns"]

    def clear(self) -> None:
        """Empty it."""
        self.count = 0
        self.commands.clear()
        self.names.clear()
        self.oldest_ns = NEVER_NS

    def stamp(self, sent_ns: int) -> memoryview:
        """The ATTEMPT records of all its signals, sent now."""
        self._sent_ns[: self.count] = sent_ns
        return self._view[: self.count * ATTEMPT.itemsize]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch of signals within one stage, ready to be sent."""

    stage: int
    first: int
    due_ns: list[int]
    contents: Contents


class AgentSchedule:
    """The schedule of one agent, drawn a stretch ahead, and its signals, composed when due.

    Attributes:
        agent: number of the agent.
        due_ns: when its next signal is due (monotonic); NEVER_NS after the last.
        sync_block: newest block the agent has seen; goes into every signal but those that are
            stale on purpose.
    """

    def __init__(self, plan: SwarmPlan, agent: int, *, block: int = BLOCK) -> None:
        self.agent = agent
        self.sync_block = 0
        self.due_ns = NEVER_NS
        self._plan = plan
        author = AgentIdentity(plan.contract, plan.signals, plan.run_tag, agent)
        self._compose = make_encoder(author).command
        self._trace_hi, self._trace_lo = trace_id.pack(plan.run_tag, agent, 0)
        self._offsets = intended_offsets(plan.load, plan.seed, agent, block=block)
        self._stretches = self._draw()
        self._now: _Stretch | None = None
        self._next: _Stretch | None = None
        self._position = 0
        self.draw_ahead()
        self._turn()

    def draw_ahead(self) -> None:
        """Draw the next stretch, if it is not there already; takes about 0.1 ms."""
        if self._next is None:
            self._next = next(self._stretches, None)

    def overdue(self, now_ns: int) -> int:
        """How many signals of the present stretch are due and not sent."""
        if self._now is None:
            return 0
        return bisect_right(self._now.due_ns, now_ns, self._position) - self._position

    def encode_next(self, batch: Batch, timestamp: bytes) -> bool:
        """Put the next signal into the batch and move on.

        Args:
            batch: has room for one more.
            timestamp: Unix time in ms, as `template.varint`.

        Returns:
            Whether a new stretch began, so that the one after it should be drawn soon.
        """
        now = self._now
        assert now is not None  # noqa: S101 - the caller looked at due_ns
        position = self._position
        index = now.first + position
        address = now.contents.addresses[position]
        sync_block, stale = self.sync_block, False
        if now.contents.stale[position]:
            old = stale_block(sync_block, self._plan.watermark_max_lag)
            if old is not None:
                sync_block, stale = old, True
        command = self._compose(
            index, address, now.contents.amounts_wei[position], sync_block, timestamp
        )
        name = NAME.pack(self._trace_hi, self._trace_lo | index)
        due_ns = now.due_ns[position]
        _ATTEMPT.pack_into(
            batch.buffer,
            batch.count * _ATTEMPT.size,
            name,
            due_ns,
            0,
            sync_block,
            address,
            self.agent,
            now.stage,
            now.contents.modes[position],
            stale,
        )
        batch.commands.append(command)
        batch.names.append(name)
        batch.count += 1
        if due_ns < batch.oldest_ns:
            batch.oldest_ns = due_ns
        position += 1
        if position < len(now.due_ns):
            self._position = position
            self.due_ns = now.due_ns[position]
            return False
        self._turn()
        return True

    def _turn(self) -> None:
        self.draw_ahead()
        self._now, self._next = self._next, None
        self._position = 0
        self.due_ns = self._now.due_ns[0] if self._now else NEVER_NS

    def _draw(self) -> Iterator[_Stretch]:
        plan = self._plan
        first = 0
        for stage, offsets in self._offsets:
            yield _Stretch(
                stage=stage,
                first=first,
                due_ns=_absolute(offsets, plan.t0_ns),
                contents=contents(plan.signals, plan.seed, self.agent, first, len(offsets)),
            )
            first += len(offsets)


def _absolute(offsets: Offsets, t0_ns: int) -> list[int]:
    times: list[int] = (offsets + t0_ns).tolist()
    return times
