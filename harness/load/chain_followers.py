"""How an agent follows the chain: with a group of its own, by reading only, or not at all."""

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
        sync_block: newest block seen.
        acked: chain events acknowledged.
    """

    sync_block: int
    acked: int

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        ...

    def open(self) -> None:
        """Connect, and look at the newest block; StackError when Redis is away or refuses."""
        ...

    def read_newest_block(self) -> None:
        """Look at the newest block and hang up; StackError when Redis is away or refuses."""
        ...

    def follow(self, wait_ms: int) -> None:
        """Wait for new blocks, `wait_ms` at most; StackError when the connection is lost."""
        ...

    def close(self) -> None:
        """Leave no trace, and hang up. Never fails."""
        ...


class GrouplessFollower(GroupFollower):
    """Reads the chain events without a group: the system under test does not notice."""

    _last_id = b"$"

    def open(self) -> None:
        self._connect()
        newest = resp.command("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        entries = self._ask(newest, 1)[0]
        if isinstance(entries, hiredis.ReplyError):
            raise self._refused(entries)
        self._take(entries)

    def follow(self, wait_ms: int) -> None:
        self._go_first()
        read = resp.command(
            *("XREAD", "COUNT", READ_COUNT, "BLOCK", wait_ms, "STREAMS", self._key, self._last_id)
        )
        streams = self._ask(read, 1, wait_ms / _MS_PER_S)[0]
        if isinstance(streams, hiredis.ReplyError):
            raise self._refused(streams)
        if streams:
            self._take(streams[0][1])

    def close(self) -> None:
        self.disconnect()

    def _take(self, entries: list[tuple[bytes, list[bytes]]]) -> None:
        self._see(entries)
        if entries:
            self._last_id = max((entry[0] for entry in entries), key=resp.entry_id)


class NoChainFollower:
    """Stands for the chain of a system that has no stream of its events."""

    is_open = True
    acked = 0

    def __init__(self, sync_block: int) -> None:
        self.sync_block = sync_block

    def open(self) -> None: ...

    def read_newest_block(self) -> None: ...

    def follow(self, wait_ms: int) -> None:
        gevent.sleep(wait_ms / _MS_PER_S)

    def close(self) -> None: ...


def make_follower(plan: SwarmPlan, agent: int, go_first: Callable[[], None]) -> Follower:
    """The follower of an agent, as the contract says.

    Args:
        plan: names and Redis.
        agent: number of the agent.
        go_first: lets the sender send what is due.
    """
    chain = plan.contract.chain
    if plan.contract.streams.chain_events is None:
        return NoChainFollower(chain.fixed_block)
    kind = GrouplessFollower if chain.follow == "read" else GroupFollower
    return kind(plan.redis_url, plan.contract, agent, go_first)
