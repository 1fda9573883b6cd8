"""The embedded Redis: one server, or the nodes of a Redis Cluster."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import redis
from pydantic import SecretStr
from redis.crc import key_slot

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.stack.ports import LOOPBACK
from harness.stack.process.redis import CLUSTER_BUS_OFFSET, RedisServer
from harness.stack.process.restart_policy import ALWAYS, RestartPolicy

SLOTS = 16_384
_PRIMARIES_MAX = 3
_JOIN_MAX_NS = 20 * NS_PER_S
_POLL_NS = 50 * NS_PER_MS
# A replica takes over within about 3 s: `cluster-node-timeout` of 1 s, the agreement that the
# primary has failed, and an election that is delayed by 0.5 to 1 s
# (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/). A primary that
# came back sooner would keep its slots.
_AFTER_FAILOVER = RestartPolicy(first_wait_ns=5 * NS_PER_S)


class RedisProcesses:
    """One Redis server, or a cluster of 1, 3 or 6 nodes.

    The first node, `redis`, serves the slot of `key`. Of six nodes three are replicas.

    Args:
        folder: private folder; each server has a folder in it.
        logs: folder of the logs.
        maxmemory_mb: MiB that each server may use; 0 is as much as there is.
        cluster_nodes: nodes of the cluster; 0 is one server outside of a cluster.
        key: name of the stream of signals.
    """

    def __init__(
        self, folder: Path, logs: Path, maxmemory_mb: int, cluster_nodes: int, key: str
    ) -> None:
        self.password = secrets.token_hex(16)
        self._nodes = cluster_nodes
        self._key = key
        self.servers = tuple(
            RedisServer(
                folder / name,
                logs / f"{name}.log",
                maxmemory_mb,
                name,
                self.password,
                is_node=cluster_nodes > 0,
            )
            for name in node_names(cluster_nodes or 1)
        )

    @property
    def restart_policy(self) -> RestartPolicy:
        """When a server that has ended is started again."""
        return _AFTER_FAILOVER if self._nodes > _PRIMARIES_MAX else ALWAYS

    @property
    def second_offset(self) -> int:
        """From a server's port to the second one that it opens; 0 outside of a cluster."""
        return CLUSTER_BUS_OFFSET if self._nodes else 0

    @property
    def url(self) -> SecretStr:
        """URL with the password, and the addresses of all nodes of a cluster.

        One node serves every slot, so no client of it has to follow redirections.
        """
        if self._nodes <= 1:
            return self.servers[0].url
        places = ",".join(f"{LOOPBACK}:{server.port}" for server in self.servers)
        return SecretStr(f"redis+cluster://:{self.password}@{places}/0")

    def prepare(self) -> None:
        """Find the server and make the folders.

        Raises:
            UsageError: no Redis is at hand.
        """
        for server in self.servers:
            server.prepare()

    def verify(self) -> None:
        """Read the settings in force.

        Raises:
            StackError: a server does not report them.
        """
        for server in self.servers:
            server.verify()

    def join(self, clock: Clock) -> None:
        """Make a cluster of the nodes; returns when every slot is served and replicas follow.

        Does nothing outside of a cluster.

        Raises:
            StackError: a node refuses, or the cluster is not complete in time.
        """
        if not self._nodes:
            return
        try:
            self._join(_Wait(clock, clock.now_ns() + _JOIN_MAX_NS))
        except redis.RedisError as error:
            raise StackError(f"no cluster can be formed: {error}", where="redis") from error

    def _join(self, wait: _Wait) -> None:
        primaries, replicas = self.servers[:_PRIMARIES_MAX], self.servers[_PRIMARIES_MAX:]
        first = self.servers[0]
        ranges = slot_ranges(len(primaries), key_slot(self._key.encode()))
        for server, slots in zip(primaries, ranges, strict=True):
            _ask(server, "CLUSTER ADDSLOTS", *slots)
        for server in self.servers[1:]:
            _ask(server, "CLUSTER MEET", LOOPBACK, first.port)
        wait.until(lambda: all(self._is_complete(server) for server in self.servers))
        for primary, replica in zip(primaries, replicas, strict=False):
            _ask(replica, "CLUSTER REPLICATE", _text(_ask(primary, "CLUSTER MYID")))
        wait.until(lambda: all(_follows(server) for server in replicas))
        # Every node knows every replica, so that any of them can vote and answer for all.
        wait.until(lambda: all(self._knows_replicas(server) for server in self.servers))

    def _is_complete(self, server: RedisServer) -> bool:
        with server.client() as client:
            info = client.execute_command("CLUSTER INFO")
        return (
            info["cluster_state"] == "ok"
            and int(info["cluster_slots_ok"]) == SLOTS
            and int(info["cluster_known_nodes"]) == len(self.servers)
        )

    def _knows_replicas(self, server: RedisServer) -> bool:
        with server.client() as client:
            nodes = client.execute_command("CLUSTER NODES").values()
        count = sum("slave" in node["flags"] for node in nodes)
        return count == max(0, len(self.servers) - _PRIMARIES_MAX)

    def describe(self) -> dict[str, Any]:
        """What runs, without secrets; of a cluster also its nodes."""
        described = self.servers[0].describe()
        if not self._nodes:
            return described
        nodes = {server.name: server.port for server in self.servers}
        return {**described, "cluster_nodes": self._nodes, "node_ports": nodes}


class _Wait:
    """Waits for conditions until one common time.

    Attributes:
        end_ns: that time.
    """

    def __init__(self, clock: Clock, end_ns: int) -> None:
        self._clock = clock
        self._end_ns = end_ns

    def until(self, is_true: Callable[[], bool]) -> None:
        """Wait until it is true.

        Raises:
            StackError: it is not in time.
        """
        while not is_true():
            if self._clock.now_ns() > self._end_ns:
                raise StackError(
                    f"the cluster is not complete after {_JOIN_MAX_NS / NS_PER_S:.0f} s",
                    where="redis",
                    hint="see the logs of the nodes",
                )
            self._clock.sleep_ns(_POLL_NS)


def node_names(number: int) -> tuple[str, ...]:
    """Names of so many servers: `redis`, `redis-2`, ..."""
    return ("redis", *(f"redis-{place}" for place in range(2, number + 1)))


def slot_ranges(primaries: int, first_serves: int) -> list[range]:
    """The slots of each primary: contiguous, of equal number but for one slot.

    Args:
        primaries: how many.
        first_serves: a slot that the first of them serves.
    """
    bounds = [SLOTS * place // primaries for place in range(primaries + 1)]
    ranges = [range(low, high) for low, high in pairwise(bounds)]
    ranges.sort(key=lambda slots: first_serves not in slots)
    return ranges


def _ask(server: RedisServer, *words: str | int) -> Any:
    with server.client() as client:
        return client.execute_command(*words)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _follows(server: RedisServer) -> bool:
    """Whether a replica has the data of its primary."""
    with server.client() as client:
        info = client.info("replication")
    return bool(info.get("master_link_status") == "up")
