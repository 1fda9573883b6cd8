"""A Redis Cluster as its nodes report it, and commands to one node.

The clients of the servers are imported only where one is asked (see `health_checks`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import StackError
from harness.faults.health_checks import redis_session

if TYPE_CHECKING:
    import redis


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """One node, as CLUSTER NODES has it.

    Attributes:
        node_id: its id, of 40 characters.
        address: `host:port`.
        primary_id: of a replica, the node that it follows; empty of a primary.
        failed: whether other nodes agree that it has failed.
        slots: ranges, first and last.
    """

    node_id: str
    address: str
    primary_id: str
    failed: bool
    slots: tuple[tuple[int, int], ...]

    def serves(self, slot: int) -> bool:
        """Whether a slot is assigned to it."""
        return any(first <= slot <= last for first, last in self.slots)


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Asks a cluster by one node after the other.

    Attributes:
        url: `redis+cluster://` with the password and the addresses of the nodes.
        slot: the slot that a fault is about.
    """

    url: str
    slot: int

    @classmethod
    def of(cls, url: str, key: str) -> ClusterView:
        """The cluster of a URL, and the slot of a key."""
        from redis.crc import key_slot

        return cls(url, key_slot(key.encode()))

    def addresses(self) -> tuple[str, ...]:
        """`host:port` of every node that the URL names."""
        from harness.redis_connection import RedisServers

        return tuple(f"{host}:{port}" for host, port in RedisServers.of(self.url).places)

    def nodes(self, *, without: str = "") -> tuple[ClusterNode, ...]:
        """All nodes as the first one that answers reports them.

        Args:
            without: address of a node that is not asked.

        Raises:
            StackError: none answers.
        """
        error: StackError | None = None
        for address in self.addresses():
            if address == without:
                continue
            try:
                with self.session(address) as client:
                    return parse_nodes(command(client, "CLUSTER NODES"))
            except StackError as refused:
                error = refused
        raise error or StackError("has no node that can be asked", where="redis")

    def owner(self, *, without: str = "") -> ClusterNode:
        """The node that the slot is assigned to.

        Raises:
            StackError: none is, or no node answers.
        """
        for node in self.nodes(without=without):
            if node.serves(self.slot):
                return node
        raise StackError(f"no node serves slot {self.slot}", where="redis")

    @contextmanager
    def session(self, address: str) -> Iterator[redis.Redis]:
        """A client of one node.

        Raises:
            StackError: it does not answer, or refuses.
        """
        from harness.redis_connection import RedisServers

        host, _, port = address.rpartition(":")
        url = RedisServers.of(self.url).node_url((host, int(port)))
        with redis_session(url, f"{address} does not answer") as client:
            yield client

    def refusal(self, address: str, key: str) -> str:
        """The word with which a node refuses a command on a key (MOVED, ASK, ...); empty if none.

        Raises:
            StackError: it does not answer.
        """
        from redis.exceptions import AskError, ClusterDownError, MovedError

        with self.session(address) as client:
            try:
                command(client, "EXISTS", key)
            except MovedError:
                return "MOVED"
            except AskError:
                return "ASK"
            except ClusterDownError:
                return "CLUSTERDOWN"
        return ""


def parse_nodes(answer: Any) -> tuple[ClusterNode, ...]:
    """Nodes of what redis-py makes of CLUSTER NODES."""
    return tuple(
        ClusterNode(
            node_id=str(node["node_id"]),
            address=str(address),
            primary_id=str(node["master_id"]).strip("-"),
            failed="fail" in str(node["flags"]).split(","),
            slots=tuple((int(part[0]), int(part[-1])) for part in node["slots"]),
        )
        for address, node in answer.items()
    )


def command(client: redis.Redis, *words: str | int) -> Any:
    """Send a command."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call] # redis-py has no types
