"""Whether the streams and groups that a contract names are there, before any load is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import redis

from harness.contract.chain_feed import at_path
from harness.contract.codecs import FieldsCodec
from harness.contract.names import Contract
from harness.contract.observation import ObservationMethod
from harness.redis_connection import node_clients
from harness.stack.attach.check import PreflightCheck, Problem, check_from, not_applicable, suggest

KEYS = (
    "streams.proposals",
    "streams.field",
    "streams.engine_group",
    "streams.chain_events",
    "seen.stream",
)
_SHOWN_MAX = 20
# So many entries are read, as a stream may hold more than one kind of message.
_ENTRIES = 100
# A keyspace may be large; so much of it is searched for a name that is like the one given.
_SCANS_MAX, _SCAN_COUNT = 20, 1_000

Fields = Mapping[bytes, bytes]


def key_checks(client: redis.Redis, contract: Contract) -> list[PreflightCheck]:
    """Everything that a contract names in Redis.

    Raises:
        redis.RedisError: Redis does not answer, or refuses to be read.
    """
    return [
        *_proposals(client, contract),
        _chain_events(client, contract),
        _results(client, contract),
    ]


def _proposals(client: redis.Redis, contract: Contract) -> list[PreflightCheck]:
    streams = contract.streams
    key = contract.key(streams.proposals)
    kind = _kind(client, key)
    problems = []
    if kind not in ("stream", "none"):
        problems.append(
            Problem(
                f"streams.proposals: {key} is a {kind}, not a stream",
                suggest(key, stream_names(client)) or "name the stream that the system reads",
            )
        )
    elif kind == "none" and not (streams.create and streams.engine_group is None):
        problems.append(
            Problem(
                f"streams.proposals: there is no stream {key}, and the load would create it",
                suggest(key, stream_names(client))
                or "correct streams.proposals, prefix or redis.url (its database); or say"
                " streams.create = true",
            )
        )
    fine = f"{key} is a stream" if kind == "stream" else f"{key} is created by the first signal"
    check = check_from("streams.proposals", problems, fine)
    if kind != "stream":
        reason = f"there is no stream {key}"
        return [check, not_applicable("streams.field", reason), _group(None, contract, reason)]
    return [check, _field(client, contract, key), _group(client, contract, "")]


def _group(client: redis.Redis | None, contract: Contract, reason: str) -> PreflightCheck:
    name = contract.streams.engine_group
    if name is None:
        return not_applicable("streams.engine_group", "the contract names no group")
    if client is None:
        return not_applicable("streams.engine_group", reason)
    key = contract.key(contract.streams.proposals)
    groups: Any = client.xinfo_groups(key)
    names = [_text(group["name"]) for group in groups]
    problems = []
    if name not in names:
        there = ", ".join(names[:_SHOWN_MAX]) or "none"
        problems.append(
            Problem(
                f"streams.engine_group: stream {key} has no group {name}; it has {there}",
                suggest(name, names) or "engine_group = false if the system reads without one",
            )
        )
    readers = sum(int(group["consumers"]) for group in groups if _text(group["name"]) == name)
    fine = f"group {name} has {readers} consumer{'' if readers == 1 else 's'}"
    idle = "" if readers else "no consumer has read with it yet: is the system running?"
    return check_from("streams.engine_group", problems, fine, idle)


def _field(client: redis.Redis, contract: Contract, key: str) -> PreflightCheck:
    """That the entries which are there have the fields that signals will have."""
    entries: Any = client.xrevrange(key, count=_ENTRIES)
    codec = contract.codec
    own = list(codec.fields) if isinstance(codec, FieldsCodec) else [contract.streams.field]
    if not entries:
        return check_from("streams.field", [], f"{key} is empty; signals have {', '.join(own)}")
    there = list(dict.fromkeys(_text(name) for _, fields in entries for name in fields))
    problems = []
    if not {*own} & {*there}:
        problems.append(
            Problem(
                f"streams.field: entries of {key} have {_list(there)}, and signals would have"
                f" {_list(own)}",
                suggest(own[0], there)
                or "write streams.field (or codec.fields) as the system does",
            )
        )
    return check_from("streams.field", problems, f"entries of {key} have {_list(there)}")


def _chain_events(client: redis.Redis, contract: Contract) -> PreflightCheck:
    name = contract.streams.chain_events
    if name is None:
        return not_applicable("streams.chain_events", "the contract names no chain events")
    key = contract.key(name)
    kind = _kind(client, key)
    if kind != "stream":
        what = "there is no stream" if kind == "none" else f"a {kind} and no stream is"
        missing = Problem(
            f"streams.chain_events: {what} {key}",
            suggest(key, stream_names(client))
            or "write false if the system has none, and signals name chain.fixed_block",
        )
        return check_from("streams.chain_events", [missing], "")
    newest = _newest(client, key)
    if newest is None:
        return check_from("streams.chain_events", [], f"{key} is empty")
    read = contract.chain.reader(contract.streams.field)
    shown = _list(_text(field) for field in newest)
    message = f"chain: the newest event of {key} has no block at {contract.chain.block}"
    hint = "chain.kind, chain.field and chain.block say where it is"
    unread = list(_unread(lambda: read(newest), message, shown, hint))
    return check_from("streams.chain_events", unread, f"the newest event of {key} has a block")


def _results(client: redis.Redis, contract: Contract) -> PreflightCheck:
    seen = contract.seen
    if seen.way is not ObservationMethod.STREAM or seen.stream is None:
        return not_applicable("seen.stream", f"seen.way is {seen.way}")
    key = contract.key(seen.stream)
    kind = _kind(client, key)
    if kind == "none":
        # A system may make it with the first result; not if the name is a misspelt one.
        like = suggest(key, stream_names(client))
        found = [Problem(f"seen.stream: there is no stream {key}", like)] if like else []
        return check_from("seen.stream", found, f"{key} is not there yet")
    if kind != "stream":
        hint = suggest(key, stream_names(client)) or "name the stream of results"
        wrong = Problem(f"seen.stream: {key} is a {kind}, not a stream", hint)
        return check_from("seen.stream", [wrong], "")
    newest = _newest(client, key)
    if newest is None:
        return check_from("seen.stream", [], f"{key} is empty")
    shown = _list(_text(field) for field in newest)
    message = f"seen: the newest result of {key} has no trace id at {seen.trace_id}"
    hint = "seen.format, seen.field and seen.trace_id say where it is"
    unread = list(_unread(lambda: _trace_of(newest, contract), message, shown, hint))
    return check_from("seen.stream", unread, f"the newest result of {key} has a trace id")


def _trace_of(fields: Fields, contract: Contract) -> Any:
    seen = contract.seen
    if seen.format == "json":
        return at_path(json.loads(fields.get(seen.field.encode(), b"")), seen.trace_id)
    return fields[seen.trace_id.encode()]


def _unread(read: Callable[[], Any], message: str, fields: str, hint: str) -> Iterator[Problem]:
    try:
        read()
    except (ValueError, TypeError, KeyError):
        yield Problem(f"{message}; its fields are {fields}", hint)


def _newest(client: redis.Redis, key: str) -> Fields | None:
    entries: Any = client.xrevrange(key, count=1)
    return entries[0][1] if entries else None


def stream_names(client: redis.Redis) -> list[str]:
    """Names of streams, as far as a bounded search finds them."""
    found: list[str] = []
    for node in node_clients(client, primaries=True).values():
        cursor = 0
        for _ in range(_SCANS_MAX):
            answer: Any = node.scan(cursor, count=_SCAN_COUNT, _type="stream")
            cursor, keys = answer
            found += [_text(key) for key in keys]
            if cursor == 0:
                break
    return found


def _kind(client: redis.Redis, key: str) -> str:
    return _text(client.type(key))


def _list(names: Iterable[str]) -> str:
    return ", ".join([*names][:_SHOWN_MAX]) or "none"


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
