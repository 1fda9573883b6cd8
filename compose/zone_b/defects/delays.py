"""Defects by which everything is right, but late."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from zone_b.defects.defect import Defect
from zone_b.lite import LiteSimulator
from zone_b.message import Order, read_entry
from zone_b.source import Entry
from zone_b.trade import Read, Trade

_LOCK = "SELECT 1 FROM nonce_locks WHERE address = %s AND chain_id = %s FOR UPDATE"


class SlowLock(Defect):
    """Holds the nonce lock of a signal's address."""

    def before_commit(self, trades: Sequence[Trade]) -> None:
        for trade in trades:
            if self.strikes(trade.order.trace_id):
                self._hold(trade.order)

    def _hold(self, order: Order) -> None:
        connection = self.context.database.connect(autocommit=False)
        connection.execute(_LOCK, (order.address, order.chain_id))
        # Another thread lets go: this one is about to wait for the lock.
        release = threading.Timer(self.setting("hold_s"), connection.close)
        release.daemon = True
        release.start()


class PeriodicStall(Defect):
    """Stops altogether for a part of each period."""

    def before_reading(self) -> None:
        # The reading turn is held meanwhile, so no worker reads.
        left_s = self.trigger.stretch_left_s()
        if left_s and self.trigger.strikes():
            self.note()
            self.context.wait_s(left_s)


class Bimodal(Defect):
    """Delays a share of the signals, and what their agents send meanwhile."""

    def set_up(self) -> None:
        # When each is due, with its agent; in that order, since all are delayed alike.
        self._held: deque[tuple[float, str, Entry]] = deque()

    def block_ms(self, block_ms: int) -> int:
        if not self._held:
            return block_ms
        left_ms = int((self._held[0][0] - self.trigger.elapsed_s) * 1000)
        return max(1, min(block_ms, left_ms))

    def arrived(self, entries: list[Entry]) -> list[Entry]:
        now_s = self.trigger.elapsed_s
        due = []
        while self._held and self._held[0][0] <= now_s:
            due.append(self._held.popleft()[2])
        held = {agent for _, agent, _ in self._held}
        for entry in entries:
            read = None if entry.fields is None else read_entry(entry.entry_id, entry.fields)
            if isinstance(read, Order) and (read.agent_id in held or self._slow(read)):
                self.note(read.trace_id)
                held.add(read.agent_id)
                self._held.append((now_s + self.setting("delay_s"), read.agent_id, entry))
            else:
                due.append(entry)
        return due

    def _slow(self, order: Order) -> bool:
        return self.trigger.strikes(order.trace_id)


class _Brake(Defect):
    """Waits before each batch, and notes that once."""

    _noted = False

    def select_batch(self, reads: Sequence[Read]) -> Sequence[Read]:
        if reads and self.trigger.strikes(reads[0].trace_id):
            if not self._noted:
                self._noted = True
                self.note()
            self.context.wait_s(self.delay_s(len(reads)))
        return reads

    def delay_s(self, signals: int) -> float:
        """How long a batch of so many signals is held up."""
        raise NotImplementedError


class SlowDrift(_Brake):
    """Takes longer with every second of its life."""

    def delay_s(self, signals: int) -> float:
        del signals
        grown_ms = self.setting("grow_ms") * self.trigger.elapsed_s
        return min(self.setting("most_ms"), grown_ms) / 1000


class SlowAll(_Brake):
    """Takes longer for everything."""

    def delay_s(self, signals: int) -> float:
        del signals
        return self.setting("delay_ms") / 1000


class CapacityCap(_Brake):
    """Processes at most so many signals a second, all workers together."""

    def delay_s(self, signals: int) -> float:
        return signals * self.context.settings.workers / self.setting("per_s")


class ColdCache(Defect):
    """Finds no state loaded for a simulation, and computes to load it."""

    def before_simulation(self, order: Order, lite: LiteSimulator) -> None:
        if self.strikes(order.trace_id):
            lite.forget()
            compute(self.setting("cost_ms") / 1000)


def compute(cpu_s: float) -> None:
    """Use up so many seconds of CPU in this thread; on a busy host that takes longer."""
    end_s = time.thread_time() + cpu_s
    while time.thread_time() < end_s:
        pass
