"""A Redis Cluster on loopback, for tests: bare servers without replicas."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import redis
from pydantic import SecretStr
from redis.crc import key_slot

from harness.redis_connection import redis_client
from harness.stack.ports import free_port
from tests.stack.swarm_setup import PASSWORD, OwnRedis

_SLOTS = 16_384
_START_MAX_S = 15.0


class OwnCluster(OwnRedis):
    """Three primaries; `client` is a client of the cluster, `url` names all nodes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ports = [free_port() for _ in range(3)]
        places = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        self.url = SecretStr(f"redis+cluster://:{PASSWORD}@{places}/0")
        self.nodes = [
            redis.Redis(port=port, password=PASSWORD, socket_timeout=5) for port in self.ports
        ]
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the nodes; returns when every slot is served."""
        for port in self.ports:
            folder = self.folder / str(port)
            folder.mkdir()
            options = {
                "port": port,
                "bind": "127.0.0.1",
                "requirepass": PASSWORD,
                "masterauth": PASSWORD,
                "cluster-enabled": "yes",
                "cluster-node-timeout": 1000,
                "dir": folder,
            }
            arguments = [
                str(word) for key, value in options.items() for word in (f"--{key}", value)
            ]
            self.processes.append(
                subprocess.Popen(
                    [self.binary.path, *arguments, "--save", ""], stdout=subprocess.DEVNULL
                )
            )
        self._until(lambda: all(node.ping() for node in self.nodes))
        bounds = [_SLOTS * place // 3 for place in range(4)]
        for node, low, high in zip(self.nodes, bounds, bounds[1:], strict=False):
            ask(node, "CLUSTER ADDSLOTS", *range(low, high))
        for port in self.ports[1:]:
            ask(self.nodes[0], "CLUSTER MEET", "127.0.0.1", port)
        self._until(
            lambda: all(
                ask(node, "CLUSTER INFO")["cluster_state"] == "ok"
                and len(ask(node, "CLUSTER NODES")) == 3
                for node in self.nodes
            )
        )
        self.client = redis_client(self.url.get_secret_value())

    def migrate(self, key: str) -> None:
        """Move the slot of a key to the next node, in the four steps of the cluster tutorial."""
        slot = key_slot(key.encode())
        names = [ask(node, "CLUSTER MYID").decode() for node in self.nodes]
        owner = next(place for place, node in enumerate(self.nodes) if not _redirects(node, key))
        target = (owner + 1) % 3
        source_node, target_node = self.nodes[owner], self.nodes[target]
        ask(target_node, "CLUSTER SETSLOT", slot, "IMPORTING", names[owner])
        ask(source_node, "CLUSTER SETSLOT", slot, "MIGRATING", names[target])
        ask(
            source_node,
            *("MIGRATE", "127.0.0.1", self.ports[target], "", 0, 5000),
            *("AUTH", PASSWORD, "KEYS", key),
        )
        time.sleep(0.1)  # so that ASK is answered too
        for node in (target_node, source_node):
            ask(node, "CLUSTER SETSLOT", slot, "NODE", names[target])

    def stop(self) -> None:
        """End every node."""
        for process in self.processes:
            process.kill()
            process.wait()

    def _until(self, is_true: Any) -> None:
        until = time.monotonic() + _START_MAX_S
        while True:
            try:
                if is_true():
                    return
            except redis.RedisError:
                pass
            assert time.monotonic() < until
            time.sleep(0.05)


def ask(client: redis.Redis, *words: str | int) -> Any:
    """Send a command."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call] # redis-py has no types


def _redirects(node: redis.Redis, key: str) -> bool:
    try:
        node.exists(key)
    except redis.exceptions.MovedError:
        return True
    return False
