"""How an agent follows the chain: with its own consumer group, by reading only, or not at all.

For a gevent process: every wait here lets other greenlets run. Before each step of more than a few
microseconds a follower lets the sender run first, because a hundred agents wake up for one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

import gevent
import hiredis
from pydantic import SecretStr

from harness.contract.names import Contract
from harness.errors import HarnessError, StackError
from harness.load.redis_link import RedisConnection, open_connection
from harness.schedule import resp
from harness.schedule.plan import SwarmPlan
from harness.schedule.trade_request_template import agent_name

# Blocks read at a time; an agent with more pending blocks lags far.
READ_COUNT = 64
_ANSWER_TIMEOUT_S = 2.0
_CHUNK = 65_536
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


class GroupFollower:
    """One agent's view of the chain.

    Args:
        url: Redis.
        contract: names of stream and group.
        agent: number of the agent.
        flush_sender: lets the sender send due signals.

    Attributes:
        sync_block: newest block received; 0 before the first.
        acked: chain events acknowledged.
    """

    def __init__(
        self, url: SecretStr, contract: Contract, agent: int, flush_sender: Callable[[], None]
    ) -> None:
        self.sync_block = 0
        self.acked = 0
        self._url = url
        self._name = agent_name(agent)
        self._key = contract.key(contract.streams.chain_events or "")
        self._group = contract.agent_group(agent)
        self._block_of = contract.chain.reader(contract.streams.field)
        self._flush_sender = flush_sender
        self._was_open = False
        self._is_waiting = False
        self._connection: RedisConnection | None = None
        self._reader = hiredis.Reader()
        self._to_ack: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._connection is not None

    def open(self) -> None:
        """Connect, create the group at the stream's end, and read the newest block.

        Raises:
            StackError: Redis is unreachable, or refuses.
        """
        self._connect()
        self._to_ack.clear()
        newest = resp.command("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        create = resp.command("XGROUP", "CREATE", self._key, self._group, "$", "MKSTREAM")
        created, entries = self._ask(create + newest, 2)
        if isinstance(created, hiredis.ReplyError):
            self._join_group(created)
        if isinstance(entries, hiredis.ReplyError):
            raise self._refused(entries)
        self._update_block(entries)
        self._was_open = True

    def read_newest_block(self) -> None:
        """Read the newest block and disconnect, without a consumer group.

        Raises:
            StackError: Redis is unreachable, or refuses.
        """
        self._connection = open_connection(self._url, f"harness-{self._name}", self._key)
        (entries,) = self._ask(resp.command("XREVRANGE", self._key, "+", "-", "COUNT", 1), 1)
        if isinstance(entries, hiredis.ReplyError):
            raise self._refused(entries)
        self.disconnect()
        self._update_block(entries)

    def follow(self, wait_ms: int) -> None:
        """Acknowledge the events of the last call, and wait for new blocks.

        Args:
            wait_ms: longest wait, at least 1.

        Raises:
            StackError: the connection is lost, or Redis refuses.
        """
        self._flush_sender()
        read = resp.command(
            *("XREADGROUP", "GROUP", self._group, self._name, "COUNT", READ_COUNT),
            *("BLOCK", wait_ms, "STREAMS", self._key, ">"),
        )
        replies = self._ask(self._acks() + read, 1 + bool(self._to_ack), wait_ms / 1000)
        self._count_acked(replies[:-1])
        streams = replies[-1]
        if isinstance(streams, hiredis.ReplyError):
            raise self._refused(streams)
        if streams:
            entries = streams[0][1]
            self._update_block(entries)
            self._to_ack.extend(entry[0] for entry in entries)

    def close(self) -> None:
        """Acknowledge, remove the group, disconnect. Errors are ignored: the run ends anyway."""
        if self._connection is None:
            return
        self._flush_sender()
        destroy = resp.command("XGROUP", "DESTROY", self._key, self._group)
        with suppress(HarnessError):
            if self._is_waiting:  # Redis reads nothing on this connection until a block arrives
                self.disconnect()
                self._connection = open_connection(self._url, f"harness-{self._name}", self._key)
            replies = self._ask(self._acks() + destroy, 1 + bool(self._to_ack))
            self._count_acked(replies[:-1])
        self.disconnect()

    def disconnect(self) -> None:
        """Close the connection and keep the group: unacknowledged events are read again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._reader = hiredis.Reader()
            self._is_waiting = False

    def _connect(self) -> None:
        self._flush_sender()
        self._connection = open_connection(self._url, f"harness-{self._name}", self._key)

    def _join_group(self, error: Exception) -> None:
        """Continue with an existing group: after a reconnect, or after a killed run."""
        if not str(error).startswith("BUSYGROUP"):
            raise self._refused(error)
        if not self._was_open:
            self._ask(resp.command("XGROUP", "SETID", self._key, self._group, "$"), 1)

    def _acks(self) -> bytes:
        if not self._to_ack:
            return b""
        return resp.command("XACK", self._key, self._group, *self._to_ack)

    def _count_acked(self, replies: Iterable[Any]) -> None:
        for reply in replies:
            if isinstance(reply, int):
                self.acked += reply
        self._to_ack.clear()

    def _update_block(self, entries: Any) -> None:
        for _, fields in entries or ():
            pairs = dict(zip(fields[::2], fields[1::2], strict=False))
            try:
                block = self._block_of(pairs)
            except (ValueError, TypeError):
                continue
            self.sync_block = max(self.sync_block, block)

    def _ask(self, commands: bytes, count: int, wait_s: float = 0.0) -> list[Any]:
        if self._connection is None:
            raise StackError("not connected", where=f"chain events of {self._name}")
        socket = self._connection.socket
        replies: list[Any] = []
        try:
            self._is_waiting = True
            socket.settimeout(wait_s + _ANSWER_TIMEOUT_S)
            socket.sendall(commands)
            while len(replies) < count:
                data = socket.recv(_CHUNK)
                if not data:
                    raise ConnectionError("connection closed")
                self._flush_sender()
                self._reader.feed(data)
                while (reply := self._reader.gets()) is not False:
                    replies.append(reply)
        except OSError as error:
            self.disconnect()
            raise StackError(str(error), where=f"chain events of {self._name}") from error
        self._is_waiting = False
        return replies

    def _refused(self, error: Exception) -> StackError:
        self.disconnect()
        return StackError(str(error), where=f"chain events of {self._name}")


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
