"""What all agents of one process send, merged in the order in which it is due."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from harness.schedule.agent_schedule import NEVER_NS, AgentSchedule, Batch


class SendQueue:
    """Scripts of many agents as one.

    Args:
        scripts: one for each agent.
    """

    def __init__(self, scripts: Iterable[AgentSchedule]) -> None:
        self.schedules = tuple(scripts)
        self._heap = [
            (script.due_ns, script.agent, script)
            for script in self.schedules
            if script.due_ns < NEVER_NS
        ]
        heapq.heapify(self._heap)
        # An ordered set: a script that turns twice before it is served stands in it once.
        self._hungry = {script: None for _, _, script in self._heap}

    @property
    def next_ns(self) -> int:
        """When the next signal is due; NEVER_NS when there is none."""
        return self._heap[0][0] if self._heap else NEVER_NS

    def overdue(self, now_ns: int) -> int:
        """How many signals are due and not sent; at least, after a very long silence."""
        return sum(script.overdue(now_ns) for script in self.schedules)

    def pop_due(self, batch: Batch, now_ns: int, timestamp: bytes) -> None:
        """Move what is due into the batch, oldest first, as far as there is room."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns and batch.count < batch.size:
            script = heap[0][2]
            if script.encode_next(batch, timestamp):
                self._hungry[script] = None
            due_ns = script.due_ns
            if due_ns < NEVER_NS:
                heapq.heapreplace(heap, (due_ns, script.agent, script))
            else:
                heapq.heappop(heap)

    def draw_ahead(self) -> bool:
        """Draw the next stretch of one script that needs it; False when none does."""
        if not self._hungry:
            return False
        script = next(iter(self._hungry))
        del self._hungry[script]
        script.draw_ahead()
        return True
