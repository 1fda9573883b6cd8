"""Defects by which signals get lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import redis

from zone_b.defects.defect import Defect
from zone_b.message import Order, read_entry
from zone_b.redis_commands import command, connect
from zone_b.source import GROUP
from zone_b.trade import Read, Trade

_UNREAD_MAX = 100_000


class LoseBeforeAck(Defect):
    """Reads a signal and neither processes nor acknowledges it."""

    def select_batch(self, reads: Sequence[Read]) -> Sequence[Read]:
        return [read for read in reads if not self.strikes(read.trace_id)]

    def may_take_over(self) -> bool:
        return False


class LoseAfterAck(Defect):
    """Acknowledges a signal and never processes it."""

    def select_batch(self, reads: Sequence[Read]) -> Sequence[Read]:
        lost = [read for read in reads if self.strikes(read.trace_id)]
        self.context.acknowledge(lost)
        return [read for read in reads if read not in lost]


class StuckRow(Defect):
    """Leaves a signal's row in INIT and acknowledges it."""

    def commits(self, trades: Sequence[Trade]) -> Sequence[Trade]:
        return [trade for trade in trades if not self.strikes(trade.order.trace_id)]


class LeavesPending(Defect):
    """Processes a signal and never acknowledges it."""

    def may_acknowledge(self, read: Read) -> bool:
        return not self.strikes(read.trace_id)

    def may_take_over(self) -> bool:
        return False


class AckBeforeCommit(Defect):
    """Acknowledges a batch, then the worker dies before its commit."""

    def before_commit(self, trades: Sequence[Trade]) -> None:
        if not trades or not self.trigger.strikes():
            return
        for trace_id in self.context.orders:
            self.note(trace_id)
        self.context.acknowledge(self.context.reads.values())
        die()


class TrimsUnread(Defect):
    """Stops reading for a while, then trims the stream to its newest entries."""

    _client: redis.Redis | None = None

    def before_reading(self) -> None:
        if not self.trigger.strikes():
            return
        self.context.wait_s(self.setting("pause_s"))
        settings = self.context.settings
        if self._client is None:
            self._client = connect(settings.redis_url)
        key = settings.proposals_key
        groups = self._client.xinfo_groups(key)
        read_last = next(g for g in groups if g["name"] == GROUP.encode())["last-delivered-id"]
        unread = command(self._client, "XRANGE", key, b"(" + read_last, "+", "COUNT", _UNREAD_MAX)
        kept = max(1, int(self.setting("keep")))
        gone = unread[:-kept]
        for entry_id, fields in gone:
            self.note(read_entry(entry_id, fields).trace_id)
        if gone:
            command(self._client, "XTRIM", key, "MINID", unread[-kept][0])


class StopsReading(Defect):
    """Reads nothing any more."""

    _stopped = False

    def may_read(self) -> bool:
        if not self._stopped and self.trigger.strikes():
            self._stopped = True
            self.note()
        if self._stopped:
            self.context.wait_s(0.05)  # without a read that waits, the worker would turn in circles
        return not self._stopped


class CrashLoop(Defect):
    """A worker dies before it has done anything with its batch."""

    def select_batch(self, reads: Sequence[Read]) -> Sequence[Read]:
        if any(isinstance(read, Order) for read in reads) and self.trigger.strikes():
            self.note()
            die()
        return reads


def die() -> None:
    """End this process as a crash would: no handler runs, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)
