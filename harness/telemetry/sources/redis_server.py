"""Redis: its memory, traffic and files by INFO, and the contract's streams with their groups.

One round trip per sample, on a connection of its own, whose commands are subtracted from the
server's count. Of a cluster, the node that serves the proposals stream is sampled, and each other
stream on the node that serves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import redis
from redis.exceptions import AskError

from harness.contract.names import Contract
from harness.redis_connection import node_url, redis_client
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.source import Source, SourceContext, telemetry_source

_SECTIONS = ("server", "clients", "memory", "persistence", "stats", "errorstats")
_NO_LAG = "this Redis does not report the lag of a group (7.0 does)"
OTHERS = "(others)"

Fields = dict[bytes, bytes]


class _Server:
    """A connection to one server, and the commands that are sent on it together.

    Args:
        url: of one server, with the password.
        streams: name of each stream that it serves, with its key.
        sections: of INFO.
    """

    def __init__(self, url: str, streams: Mapping[str, str], sections: tuple[str, ...]) -> None:
        self.streams = tuple(streams)
        self.commands = [
            *(("INFO", section) for section in sections),
            *(("XLEN", key) for key in streams.values()),
            *(("XINFO", "GROUPS", key) for key in streams.values()),
        ]
        self._client = redis_client(url)
        self._connection: Any = self._client.connection_pool.get_connection()
        self._packed = self._connection.pack_commands(  # type: ignore[no-untyped-call] # redis-py has no types
            self.commands
        )

    def ask(self) -> list[Any]:
        """The answers; an error of one command is its answer.

        Raises:
            AskError: another node serves a stream now.
            redis.RedisError: the server does not answer.
        """
        self._connection.send_packed_command(self._packed)
        answers: list[Any] = []
        for _ in self.commands:
            try:
                answers.append(self._connection.read_response(disable_decoding=True))
            except AskError:
                raise
            except redis.ResponseError as error:  # of this command alone
                answers.append(error)
        return answers

    def close(self) -> None:
        self._connection.disconnect()
        self._client.connection_pool.release(self._connection)


class RedisSampler(Source):
    """Samples a server; reconnects at the next sample after a failure or a slot that has moved.

    Args:
        url: with the password.
        contract: names of the streams.
        memory_limit: memory limit of its container in bytes; None where it is not known.
    """

    def __init__(
        self, url: str, contract: Contract, memory_limit: Callable[[], int | None]
    ) -> None:
        self._url = url
        self._contract = contract
        self._memory_limit = memory_limit
        streams = contract.streams
        maxlens = {
            streams.proposals: streams.proposals_maxlen,
            streams.chain_events: streams.chain_events_maxlen,
            streams.accounting: streams.accounting_maxlen,
        }
        self._maxlens = {name: maxlen for name, maxlen in maxlens.items() if name is not None}
        self._named = {streams.engine_group, streams.agents_group, streams.accounting_group}
        self._servers: list[_Server] = []
        self._life = b""
        self._own = 0

    def sample(self, batch: SampleBatch) -> None:
        """The server now, or why it does not answer."""
        try:
            try:
                answers = self._ask()
            except AskError:  # a slot has moved
                self.close()
                answers = self._ask()
        except (redis.RedisError, OSError) as error:
            self.close()
            batch.unread("redis", f"it does not answer: {error}")
            return
        batch.unread("redis", None)
        info: Fields = {}
        for answer in answers[0][: len(_SECTIONS)]:
            if isinstance(answer, bytes):
                info |= fields_of(answer)
        self._put_server(batch, info)
        for server, own in zip(self._servers, answers, strict=True):
            count = len(server.streams)
            lengths, groups = own[-2 * count : -count], own[-count:]
            for name, length, found in zip(server.streams, lengths, groups, strict=True):
                self._put_stream(batch, name, length, found)

    def close(self) -> None:
        """Release the connections."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()

    def _ask(self) -> list[list[Any]]:
        if not self._servers:
            self._connect()
        return [server.ask() for server in self._servers]

    def _connect(self) -> None:
        """A connection to each server of a stream; the first serves proposals, and has INFO."""
        found: dict[str, dict[str, str]] = {}
        for name in self._maxlens:
            key = self._contract.key(name)
            found.setdefault(node_url(self._url, key), {})[name] = key
        for number, (url, streams) in enumerate(found.items()):
            self._servers.append(_Server(url, streams, () if number else _SECTIONS))

    def _put_server(self, batch: SampleBatch, info: Fields) -> None:
        if not info:
            batch.unread("redis.info", "INFO is refused")
            return
        if self._life != info.get(b"run_id", b""):
            self._life, self._own = info.get(b"run_id", b""), 0
        self._own += len(self._servers[0].commands)
        batch.gauge("redis.memory_bytes", _number(info, b"used_memory"))
        self._put_memory_limit(batch, _number(info, b"maxmemory"))
        commands = _number(info, b"total_commands_processed")
        # The server has not yet counted all commands of this sample.
        batch.total(
            "redis.commands_per_s", None if commands is None else max(0, commands - self._own)
        )
        clients = _number(info, b"connected_clients")
        batch.gauge("redis.clients_count", None if clients is None else max(0, clients - 1))
        batch.total("redis.refused_per_s", refused_count(info))
        batch.total("redis.evicted_per_s", _number(info, b"evicted_keys"))
        # Without an append-only file the server does not report a size.
        batch.gauge("redis.aof_bytes", _number(info, b"aof_current_size"))
        batch.gauge("redis.aof_rewrite_count", _number(info, b"aof_rewrite_in_progress"))
        batch.total("redis.aof_delayed_per_s", _number(info, b"aof_delayed_fsync"))
        fork_us = _number(info, b"latest_fork_usec")
        batch.gauge("redis.latest_fork_ms", None if fork_us is None else fork_us / 1_000)

    def _put_memory_limit(self, batch: SampleBatch, maxmemory: int | None) -> None:
        of_container = self._memory_limit()
        limits = [(maxmemory, "maxmemory")] if maxmemory else []
        limits += [(of_container, "cgroup")] if of_container else []
        limit, source = min(limits, default=(None, ""))
        batch.limit("redis.memory_bytes", limit, source)

    def _put_stream(self, batch: SampleBatch, name: str, length: Any, groups: Any) -> None:
        if isinstance(length, int):
            batch.gauge(f"redis.stream.{name}.length_count", length)
            batch.limit(f"redis.stream.{name}.length_count", self._maxlens[name], "contract")
            batch.unread(f"redis.stream.{name}", None)
        else:
            batch.unread(f"redis.stream.{name}", f"XLEN is refused: {length}")
        if not isinstance(groups, list):  # no such stream yet
            return
        for group, (lag, pending) in sum_groups(groups, self._named).items():
            of = f"redis.group.{name}.{group}"
            batch.gauge(f"{of}.lag_count", lag)
            batch.gauge(f"{of}.pending_count", pending)
        if groups:
            has_lag = any(b"lag" in _pairs(group) for group in groups)
            batch.unread("redis.group.lag", None if has_lag else _NO_LAG)


@telemetry_source("redis")
def make_redis(context: SourceContext) -> RedisSampler:
    """The Redis of the plan."""
    url = context.plan.redis_url.get_secret_value()
    return RedisSampler(
        url, context.plan.contract, lambda: context.services.memory_limit_bytes("redis")
    )


def fields_of(text: bytes) -> Fields:
    """The fields of an answer to INFO."""
    lines = (line.partition(b":") for line in text.split(b"\r\n"))
    return {name: value for name, colon, value in lines if colon}


def refused_count(info: Fields) -> int | None:
    """Connections refused beyond `maxclients`, and commands refused for lack of memory.

    Redis counts the latter as error `OOM` since 6.2, without a line as long as there is none.
    """
    connections = _number(info, b"rejected_connections")
    _, _, full = info.get(b"errorstat_OOM", b"").partition(b"count=")
    if connections is None or not full.isdigit():
        return connections
    return connections + int(full)


def sum_groups(
    groups: Iterable[Any], named: Iterable[str | None]
) -> dict[str, tuple[int | None, int]]:
    """Lag and pending entries by group, from XINFO GROUPS.

    Groups that the contract does not name, such as one per agent, are reported together: the
    largest lag, and the sum of the pending entries. A lag that the server does not know is None.
    """
    found: dict[str, tuple[int | None, int]] = {}
    known = set(named)
    for group in map(_pairs, groups):
        name = bytes(group[b"name"]).decode("utf-8", "replace")
        lag, pending = group.get(b"lag"), int(group[b"pending"])
        if name in known:
            found[name] = (lag, pending)
            continue
        before_lag, before = found.get(OTHERS, (None, 0))
        lags = [value for value in (before_lag, lag) if value is not None]
        found[OTHERS] = (max(lags, default=None), before + pending)
    return found


def _pairs(answer: Any) -> Mapping[bytes, Any]:
    if isinstance(answer, Mapping):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=True))


def _number(info: Fields, name: bytes) -> int | None:
    try:
        return int(info[name])
    except (KeyError, ValueError):
        return None
