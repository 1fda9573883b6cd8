"""Whether a Redis Cluster serves every slot, and which node has which stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import redis

from harness.contract.names import Contract
from harness.errors import Exit
from harness.redis_connection import is_cluster, node_clients, node_url
from harness.stack.attach.check import (
    PreflightCheck,
    Problem,
    check_from,
    failed_check,
    not_applicable,
)

CHECK = "redis.slots"
SLOTS = 16_384
_HINT = "redis-cli --cluster check HOST:PORT lists the slots and their nodes"


def slots_check(client: redis.Redis, url: str, contract: Contract) -> PreflightCheck:
    """The state of the cluster.

    Args:
        client: of `redis_client`.
        url: with the login.
        contract: names of the streams.

    Raises:
        redis.RedisError: no node answers, or it refuses.
    """
    if not is_cluster(url):
        return not_applicable(CHECK, "redis.url names no cluster")
    primaries = node_clients(client, primaries=True)
    if not primaries:
        return failed_check(CHECK, "the cluster has no primary", _HINT, Exit.STACK)
    ask: Any = next(iter(primaries.values())).execute_command  # has no types
    info = ask("CLUSTER INFO")
    replicas = len(node_clients(client)) - len(primaries)
    aof = sum(_has_aof(node) for node in primaries.values())
    streams = contract.streams
    keys = [contract.key(name) for name in (streams.proposals, streams.chain_events) if name]
    places = [f"{key} is on {_place(node_url(url, key))}" for key in keys]
    found = [
        f"{len(primaries)} primaries, {replicas} replicas, {info['cluster_slots_ok']} slots served",
        f"append-only file on {aof} of {len(primaries)} primaries",
        *places,
    ]
    return check_from(CHECK, _problems(info), "; ".join(found))


def _problems(info: Mapping[str, str]) -> Iterator[Problem]:
    served = int(info["cluster_slots_ok"])
    if info["cluster_state"] != "ok" or served < SLOTS:
        yield Problem(
            f"the cluster serves {served} of {SLOTS} slots, its state is {info['cluster_state']}",
            _HINT,
        )


def _has_aof(node: redis.Redis) -> bool:
    info: Any = node.info("persistence")
    return bool(info["aof_enabled"])


def _place(url: str) -> str:
    return url.partition("://")[2].rpartition("@")[2].partition("/")[0]
