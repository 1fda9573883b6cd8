"""Restores a backup into a new PostgreSQL, and counts what it holds then."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harness.clock import NS_PER_S, Clock
from harness.errors import HarnessError
from harness.evidence.backup_log import RestoreRecord
from harness.faults.backup.checksums import open_session, table_sums
from harness.process.program import cleanup_after_exit, spawn
from harness.process.reaper_client import ReaperClient
from harness.stack.ports import free_port, release_ports
from harness.stack.postgres_client import start_client, wait_for_client
from harness.stack.process.postgres import PostgresServer
from harness.stack.process.restart_policy import NEVER
from harness.stack.process.supervisor import Service, Supervisor

_READY_NS = 20 * NS_PER_S
_RESTORE_MAX_S = 60.0


@contextmanager
def fresh_server(
    folder: Path, log: Path, reaper: ReaperClient, observer: str, clock: Clock
) -> Iterator[PostgresServer]:
    """A new PostgreSQL with the roles of the other one and none of its tables, while it is used.

    To be used from the main thread, with which its life is bound up.

    Raises:
        UsageError: PostgreSQL is not installed.
        StackError: it does not become ready.
    """
    server = PostgresServer(folder, log, reaper, observer)
    supervisor = Supervisor(
        lambda program: spawn(program, reaper),
        lambda pid: cleanup_after_exit(pid, reaper),
        clock,
        server.passwords.all(),
    )
    try:
        server.prepare()
        program = server.program(free_port())
        supervisor.start(Service(program, server.is_ready, policy=NEVER))
        supervisor.await_ready(program.name, _READY_NS)
        server.set_up()
        yield server
    finally:
        supervisor.stop()
        release_ports([server.port])


def restore(file: Path, server: PostgresServer, clock: Clock) -> RestoreRecord:
    """Restore a backup into a database of its own, and count what it holds then."""
    database = file.stem.replace("-", "_")
    began_ns = clock.now_ns()
    record = RestoreRecord(name=file.name, server=server.version)
    conninfo = make_conninfo(server.admin_dsn, dbname=database)
    try:
        with psycopg.connect(server.admin_dsn, autocommit=True) as session:
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        fill(file, database, conninfo)
        took_ns = clock.now_ns() - began_ns
        with open_session(conninfo) as session:
            tables = table_sums(session)
    except (psycopg.Error, HarnessError, OSError) as error:
        return record.model_copy(update={"trouble": f"{type(error).__name__}: {error}"})
    return record.model_copy(update={"took_ns": took_ns, "tables": tables})


def fill(file: Path, database: str, conninfo: str) -> None:
    """Put everything that a backup holds into a database; the first error ends it.

    Raises:
        StackError: it cannot be done.
    """
    arguments = ("--exit-on-error", "--no-password", f"--dbname={database}", str(file))
    process = start_client("pg_restore", arguments, conninfo, subprocess.DEVNULL)
    wait_for_client(process, "pg_restore", _RESTORE_MAX_S)
