"""How an agent follows the chain: with its own consumer group, by reading only, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import gevent
import hiredis

from harness.load.group_follower import READ_COUNT, GroupFollower
from harness.schedule import resp
from harness.schedule.plan import SwarmPlan

_MS_PER_S = 1000


class Follower(Protocol):
    """One agent's view of the chain.

    Attributes:
        sync_block: newest block received.
        acked: chain events acknowledged.
    """

    sync_block: int
    acked: int

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        ...

    def open(self) -> None:
        """Connect, and read the newest block; StackError when Redis is unreachable or refuses."""
        ...

    def read_newest_block(self) -> None:
        """Read the newest block and disconnect; StackError when Redis is unreachable or refuses."""
        ...

    def follow(self, wait_ms: int) -> None:
        """Wait for new blocks, `wait_ms` at most; StackError when the connection is lost."""
        ...

    def close(self) -> None:
        """Remove the consumer group, and disconnect. Never fails."""
        ...


class GrouplessFollower(GroupFollower):
    """Reads the chain events without a group, which changes nothing in the system."""

    _last_id = b"$"

    def open(self) -> None:
        self._connect()
        newest = resp.command("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        entries = self._ask(newest, 1)[0]
        if isinstance(entries, hiredis.ReplyError):
            raise self._refused(entries)
        self._add_entries(entries)

    def follow(self, wait_ms: int) -> None:
        self._flush_sender()
        read = resp.command(
            *("XREAD", "COUNT", READ_COUNT, "BLOCK", wait_ms, "STREAMS", self._key, self._last_id)
        )
        streams = self._ask(read, 1, wait_ms / _MS_PER_S)[0]
        if isinstance(streams, hiredis.ReplyError):
            raise self._refused(streams)
        if streams:
            self._add_entries(streams[0][1])

    def close(self) -> None:
        self.disconnect()

    def _add_entries(self, entries: list[tuple[bytes, list[bytes]]]) -> None:
        self._update_block(entries)
        if entries:
            self._last_id = max((entry[0] for entry in entries), key=resp.entry_id)


class NoChainFollower:
    """Follower for a system without a stream of chain events."""

    is_open = True
    acked = 0

    def __init__(self, sync_block: int) -> None:
        self.sync_block = sync_block

    def open(self) -> None: ...

    def read_newest_block(self) -> None: ...

    def follow(self, wait_ms: int) -> None:
        gevent.sleep(wait_ms / _MS_PER_S)

    def close(self) -> None: ...


def make_follower(plan: SwarmPlan, agent: int, flush_sender: Callable[[], None]) -> Follower:
    """The follower of an agent, by the contract.

    Args:
        plan: names and Redis.
        agent: number of the agent.
        flush_sender: lets the sender send due signals.
    """
    chain = plan.contract.chain
    if plan.contract.streams.chain_events is None:
        return NoChainFollower(chain.fixed_block)
    kind = GrouplessFollower if chain.follow == "read" else GroupFollower
    return kind(plan.redis_url, plan.contract, agent, flush_sender)
