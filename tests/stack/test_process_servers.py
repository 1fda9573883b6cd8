"""The embedded servers, for real."""

from __future__ import annotations

import json
import urllib.request

import psutil
import psycopg
import pytest
import redis

from harness.errors import UsageError
from harness.stack.ports import free_port
from harness.stack.process.anvil import AnvilNode, find_anvil
from harness.stack.process.restart_policy import NEVER
from harness.stack.process.supervisor import Service
from harness.stack.settings import ROOT
from tests.stack.conftest import READY_NS, Postgres, Redis, Servers

pytestmark = pytest.mark.stack


def test_postgres_keeps_what_a_verdict_needs(postgres: Postgres) -> None:
    """Commits are durable, and the log can be decoded."""
    with psycopg.connect(postgres.admin_dsn) as connection:
        found = {
            name: connection.execute(f"SHOW {name}").fetchone()
            for name in ("fsync", "synchronous_commit", "wal_level", "track_commit_timestamp")
        }
    assert found == {
        "fsync": ("on",),
        "synchronous_commit": ("on",),
        "wal_level": ("logical",),
        "track_commit_timestamp": ("on",),
    }


def test_redis_keeps_an_append_only_file(redis_server: Redis) -> None:
    """Streams survive a restart of Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_anvil_is_itself_the_child(servers: Servers) -> None:
    """The node answers, its end is the end of it, and its files stay in the private folder."""
    try:
        binary = find_anvil(ROOT)
    except UsageError as error:
        pytest.skip(str(error))
    folder = servers.folder / "anvil"
    node = AnvilNode(binary, folder, servers.logs / "anvil.log")
    servers.supervisor.start(Service(node.program(free_port()), node.is_ready, policy=NEVER))
    servers.supervisor.await_ready("anvil", READY_NS)
    (state,) = (state for state in servers.supervisor.states() if state.name == "anvil")
    process = psutil.Process(state.pid)
    assert process.name() == "anvil"
    assert process.children() == []
    assert process.environ()["HOME"] == str(folder)
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    request = urllib.request.Request(  # noqa: S310 - our own address
        node.url, json.dumps(question).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own address
        assert json.load(answer)["result"] == "0x0"
    assert node.describe()["version"][0].isdigit()
    servers.supervisor.drop("anvil")
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
