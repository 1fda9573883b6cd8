"""Schedules of all agents of one process, merged in the order of intended times."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from harness.schedule.agent_schedule import NEVER_NS, AgentSchedule, Batch


class SendQueue:
    """The merged schedules of many agents.

    Args:
        schedules: one for each agent.
    """

    def __init__(self, schedules: Iterable[AgentSchedule]) -> None:
        self.schedules = tuple(schedules)
        self._heap = [
            (schedule.due_ns, schedule.agent, schedule)
            for schedule in self.schedules
            if schedule.due_ns < NEVER_NS
        ]
        heapq.heapify(self._heap)
        # An ordered set of schedules without a next block; a schedule is in it once.
        self._undrawn = {schedule: None for _, _, schedule in self._heap}

    @property
    def next_ns(self) -> int:
        """Intended time of the next signal; NEVER_NS without one."""
        return self._heap[0][0] if self._heap else NEVER_NS

    def overdue(self, now_ns: int) -> int:
        """Number of signals that are due and not sent; a lower bound after a very long pause."""
        return sum(schedule.overdue(now_ns) for schedule in self.schedules)

    def pop_due(self, batch: Batch, now_ns: int, timestamp: bytes) -> None:
        """Move due signals into the batch, oldest first, until it is full."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns and batch.count < batch.size:
            schedule = heap[0][2]
            if schedule.encode_next(batch, timestamp):
                self._undrawn[schedule] = None
            due_ns = schedule.due_ns
            if due_ns < NEVER_NS:
                heapq.heapreplace(heap, (due_ns, schedule.agent, schedule))
            else:
                heapq.heappop(heap)

    def draw_ahead(self) -> bool:
        """Draw the next block of one schedule that needs it; False when none does."""
        if not self._undrawn:
            return False
        schedule = next(iter(self._undrawn))
        del self._undrawn[schedule]
        schedule.draw_ahead()
        return True
