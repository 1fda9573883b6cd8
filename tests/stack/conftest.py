"""Real servers for tests: one PostgreSQL and one Redis per session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.clock import NS_PER_S, SystemClock
from harness.process.program import cleanup_after_exit, spawn
from harness.process.reaper_client import ReaperClient
from harness.process.termination import remove
from harness.stack.ports import free_port
from harness.stack.private_dir import create_private_dir
from harness.stack.process.postgres import PostgresServer
from harness.stack.process.redis import RedisBinary, RedisServer, ask_version
from harness.stack.process.supervisor import Service, Supervisor
from tests.stack.redis_nodes import OwnCluster

READY_NS = 20 * NS_PER_S
# A redis-server of version 7, which the wheels do not have; `.ci/run` unpacks Debian's.
REDIS_7 = os.environ.get("HARNESS_TEST_REDIS7", "")


@dataclass(frozen=True, slots=True)
class Servers:
    """What servers of tests share."""

    folder: Path
    logs: Path
    reaper: ReaperClient
    supervisor: Supervisor


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running PostgreSQL 16: conninfos of database `defi`, which is empty at first.

    Attributes:
        admin_dsn: superuser.
        owner_dsn: role `defi`, owner of the database.
        observer_dsn: role `harness_observer` (LOGIN REPLICATION, no rights on tables yet).
    """

    admin_dsn: str
    owner_dsn: str
    observer_dsn: str
    port: int


@dataclass(frozen=True, slots=True)
class Redis:
    """A running Redis."""

    url: str
    port: int
    version: str


@contextmanager
def running_servers() -> Iterator[Servers]:
    """A supervisor with a reaper and a private folder; ends whatever was started with it."""
    reaper = ReaperClient()
    reaper.start()
    folder = create_private_dir()
    reaper.clean(folder)
    logs = folder / "logs"
    logs.mkdir()
    supervisor = Supervisor(
        lambda program: spawn(program, reaper),
        lambda pid: cleanup_after_exit(pid, reaper),
        SystemClock(),
    )
    yield Servers(folder, logs, reaper, supervisor)
    supervisor.stop()
    remove((str(folder),))
    reaper.stop()


def start_postgres(servers: Servers) -> Postgres:
    """A PostgreSQL that the supervisor ends."""
    server = PostgresServer(
        servers.folder / "postgres",
        servers.logs / "postgres.log",
        servers.reaper,
        "harness_observer",
    )
    server.prepare()
    servers.supervisor.start(Service(server.program(free_port()), server.is_ready))
    servers.supervisor.await_ready("postgres", READY_NS)
    server.set_up()
    return Postgres(server.admin_dsn, server.owner_dsn, server.observer_dsn, server.port)


def start_redis(servers: Servers) -> Redis:
    """A Redis that the supervisor ends."""
    server = RedisServer(servers.folder / "redis", servers.logs / "redis.log")
    server.prepare()
    servers.supervisor.start(Service(server.program(free_port()), server.is_ready))
    servers.supervisor.await_ready("redis", READY_NS)
    assert server.binary is not None
    return Redis(server.url.get_secret_value(), server.port, server.binary.version)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """What the session's servers share."""
    with running_servers() as shared:
        yield shared


@pytest.fixture(scope="session")
def postgres(servers: Servers) -> Postgres:
    """One PostgreSQL for the session; tests keep apart by schemas or databases of their own."""
    return start_postgres(servers)


@pytest.fixture(scope="session")
def redis_server(servers: Servers) -> Redis:
    """One Redis for the session; tests keep apart by key prefixes of their own."""
    return start_redis(servers)


@pytest.fixture(scope="session")
def redis_7(servers: Servers) -> Redis:
    """One Redis 7 for the session, which tells what 6.2 does not."""
    if not REDIS_7:
        pytest.skip("HARNESS_TEST_REDIS7 names no redis-server")
    server = RedisServer(servers.folder / "redis-7", servers.logs / "redis-7.log")
    server.prepare()
    server.binary = RedisBinary(Path(REDIS_7), ask_version(Path(REDIS_7)), "PATH")
    program = replace(server.program(free_port()), name="redis-7")
    servers.supervisor.start(Service(program, server.is_ready))
    servers.supervisor.await_ready("redis-7", READY_NS)
    return Redis(server.url.get_secret_value(), server.port, server.binary.version)


@pytest.fixture(params=["redis_server", "redis_7"])
def any_redis(request: pytest.FixtureRequest) -> Redis:
    """Each Redis at hand."""
    found: Redis = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """Three primaries that belong to this module."""
    made = OwnCluster(tmp_path_factory.mktemp("redis"))
    try:
        made.start()
        yield made
    finally:
        made.stop()
