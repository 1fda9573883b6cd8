"""Redis: its memory, traffic and files by INFO, and the contract's streams with their groups.

One round trip a look, on a connection of its own, whose commands are taken off the server's count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import redis

from harness.contract.names import Contract
from harness.observe.clock_probes import redis_client
from harness.telemetry.sample_batch import SampleBatch

_SECTIONS = ("server", "clients", "memory", "persistence", "stats", "errorstats")
_NO_LAG = "this Redis does not tell how far a group is behind (7.0 does)"
OTHERS = "(others)"

Fields = dict[bytes, bytes]


class RedisSampler:
    """Looks at one server; reconnects when asked again after a failure.

    Args:
        url: with the password.
        contract: names of the streams.
        memory_limit: what its container may hold, if that is known.
    """

    def __init__(
        self, url: str, contract: Contract, memory_limit: Callable[[], int | None]
    ) -> None:
        self._client = redis_client(url)
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
        self._commands = [
            *(("INFO", section) for section in _SECTIONS),
            *(("XLEN", contract.key(name)) for name in self._maxlens),
            *(("XINFO", "GROUPS", contract.key(name)) for name in self._maxlens),
        ]
        self._connection: Any = None
        self._packed: Any = None
        self._life = b""
        self._own = 0

    def sample(self, sheet: SampleBatch) -> None:
        """The server now; why not, if it does not answer."""
        try:
            answers = self._ask()
        except (redis.RedisError, OSError) as error:
            self.close()
            sheet.unread("redis", f"it does not answer: {error}")
            return
        sheet.unread("redis", None)
        info: Fields = {}
        for answer in answers[: len(_SECTIONS)]:
            if isinstance(answer, bytes):
                info |= fields_of(answer)
        self._tell_server(sheet, info)
        rest = answers[len(_SECTIONS) :]
        lengths, groups = rest[: len(self._maxlens)], rest[len(self._maxlens) :]
        for name, length, own in zip(self._maxlens, lengths, groups, strict=True):
            self._tell_stream(sheet, name, length, own)

    def poll(self, sheet: SampleBatch) -> None:
        """Nothing changes between two looks that would be missed."""

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()
            self._client.connection_pool.release(connection)

    def _ask(self) -> list[Any]:
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
            self._packed = self._connection.pack_commands(self._commands)
        self._connection.send_packed_command(self._packed)
        answers: list[Any] = []
        for _ in self._commands:
            try:
                answers.append(self._connection.read_response(disable_decoding=True))
            except redis.ResponseError as error:  # of this command alone
                answers.append(error)
        return answers

    def _tell_server(self, sheet: SampleBatch, info: Fields) -> None:
        if not info:
            sheet.unread("redis.info", "INFO is refused")
            return
        if self._life != info.get(b"run_id", b""):
            self._life, self._own = info.get(b"run_id", b""), 0
        self._own += len(self._commands)
        sheet.gauge("redis.memory_bytes", _number(info, b"used_memory"))
        self._tell_memory_limit(sheet, _number(info, b"maxmemory"))
        commands = _number(info, b"total_commands_processed")
        # Those of this very look are not all counted yet.
        sheet.total(
            "redis.commands_per_s", None if commands is None else max(0, commands - self._own)
        )
        clients = _number(info, b"connected_clients")
        sheet.gauge("redis.clients_count", None if clients is None else max(0, clients - 1))
        sheet.total("redis.refused_per_s", refused_count(info))
        sheet.total("redis.evicted_per_s", _number(info, b"evicted_keys"))
        sheet.gauge("redis.aof_rewrite_count", _number(info, b"aof_rewrite_in_progress"))
        sheet.total("redis.aof_delayed_per_s", _number(info, b"aof_delayed_fsync"))
        fork_us = _number(info, b"latest_fork_usec")
        sheet.gauge("redis.latest_fork_ms", None if fork_us is None else fork_us / 1_000)

    def _tell_memory_limit(self, sheet: SampleBatch, maxmemory: int | None) -> None:
        held = self._memory_limit()
        found = [(maxmemory, "maxmemory")] if maxmemory else []
        found += [(held, "cgroup")] if held else []
        limit, source = min(found, default=(None, ""))
        sheet.limit("redis.memory_bytes", limit, source)

    def _tell_stream(self, sheet: SampleBatch, name: str, length: Any, groups: Any) -> None:
        if isinstance(length, int):
            sheet.gauge(f"redis.stream.{name}.length_count", length)
            sheet.limit(f"redis.stream.{name}.length_count", self._maxlens[name], "contract")
            sheet.unread(f"redis.stream.{name}", None)
        else:
            sheet.unread(f"redis.stream.{name}", f"XLEN is refused: {length}")
        if not isinstance(groups, list):  # no such stream yet
            return
        for group, (lag, pending) in sum_groups(groups, self._named).items():
            of = f"redis.group.{name}.{group}"
            sheet.gauge(f"{of}.lag_count", lag)
            sheet.gauge(f"{of}.pending_count", pending)
        if groups:
            told = any(b"lag" in _pairs(group) for group in groups)
            sheet.unread("redis.group.lag", None if told else _NO_LAG)


def fields_of(text: bytes) -> Fields:
    """The fields of an answer to INFO."""
    lines = (line.partition(b":") for line in text.split(b"\r\n"))
    return {name: value for name, colon, value in lines if colon}


def refused_count(info: Fields) -> int | None:
    """Connections that were one too many, and commands that found the memory full.

    The latter are counted by the first word of the error since Redis 6.2; none has no line.
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

    Groups that the contract does not name, such as one per agent, are told together: the largest
    lag, and all that is pending. A lag that the server cannot tell is None.
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
