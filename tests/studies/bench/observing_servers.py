"""A PostgreSQL with Zone B's tables and a Redis, for a benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.clock import NS_PER_S, SystemClock
from harness.contract.names import Contract
from harness.process.program import cleanup_after_exit, spawn
from harness.process.reaper_client import ReaperClient
from harness.process.termination import remove
from harness.stack.ports import free_port
from harness.stack.private_dir import create_private_dir
from harness.stack.process.postgres import PostgresServer
from harness.stack.process.redis import RedisServer
from harness.stack.process.supervisor import Service, Supervisor
from zone_b.migrate import migrate

_READY_NS = 20 * NS_PER_S


@dataclass(frozen=True, slots=True)
class BenchServers:
    """Where they are.

    Attributes:
        postmaster: pid of PostgreSQL's first process.
        folder: private folder that goes with the servers.
    """

    admin_dsn: str
    owner_dsn: str
    observer_dsn: str
    redis_url: str
    postmaster: int
    versions: str
    folder: Path


@contextmanager
def running_servers() -> Iterator[BenchServers]:
    """Start both, and end them with the block."""
    reaper = ReaperClient()
    reaper.start()
    folder = create_private_dir()
    reaper.clean(folder)
    supervisor = Supervisor(
        lambda program: spawn(program, reaper),
        lambda pid: cleanup_after_exit(pid, reaper),
        SystemClock(),
    )
    try:
        yield _start(folder, reaper, supervisor)
    finally:
        supervisor.stop()
        remove((str(folder),))
        reaper.stop()


def _start(folder: Path, reaper: ReaperClient, supervisor: Supervisor) -> BenchServers:
    contract = Contract()
    postgres = PostgresServer(
        folder / "postgres", folder / "postgres.log", reaper, contract.observer_role
    )
    redis = RedisServer(folder / "redis", folder / "redis.log")
    for server in (postgres, redis):
        server.prepare()
    supervisor.start(Service(postgres.program(free_port()), postgres.is_ready))
    supervisor.start(Service(redis.program(free_port()), redis.is_ready))
    for name in ("postgres", "redis"):
        supervisor.await_ready(name, _READY_NS)
    postgres.set_up()
    migrate(postgres.owner_dsn)
    postgres.open_to_observer(contract.tasks.table, contract.publication)
    pids = {state.name: state.pid for state in supervisor.states()}
    version = redis.binary.version if redis.binary else "?"
    return BenchServers(
        admin_dsn=postgres.admin_dsn,
        owner_dsn=postgres.owner_dsn,
        observer_dsn=postgres.observer_dsn,
        redis_url=redis.url.get_secret_value(),
        postmaster=pids["postgres"],
        versions=f"PostgreSQL {postgres.version}, Redis {version}",
        folder=folder,
    )
