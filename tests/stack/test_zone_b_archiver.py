"""The archiver against a real PostgreSQL."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests.stack.conftest import Postgres
from tests.stack.zone_b_program import COMPOSE, PATIENCE_S, ask, eventually, is_up, service
from zone_b.archive_files import Position
from zone_b.migrate import SCHEMA

pytestmark = pytest.mark.stack


@pytest.fixture
def archive_dsn(postgres: Postgres) -> Iterator[str]:
    """A database of its own with Zone B's tables."""
    name = f"archive_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER defi")
    dsn = psycopg.conninfo.make_conninfo(postgres.owner_dsn, dbname=name)
    with psycopg.connect(dsn) as connection:
        connection.execute(SCHEMA.read_bytes())
    yield dsn
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def add_tasks(dsn: str, *tasks: tuple[str, float]) -> list[str]:
    """Tasks by status and age in seconds; their ids."""
    ids = [str(uuid.uuid4()) for _ in tasks]
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO trade_tasks (id, strategy_id, trace_id, status, nonce, updated_at)"
            " VALUES (%s, 's', %s, %s, 5, %s)",
            [
                (task, str(uuid.uuid4()), status, datetime.now(UTC) - timedelta(seconds=age))
                for task, (status, age) in zip(ids, tasks, strict=True)
            ],
        )
    return ids


def archived(folder: Path) -> list[str]:
    """Ids in the archive, in the order of their files and lines."""
    files = sorted(folder.glob("*.jsonl.gz"))
    lines = [line for path in files for line in gzip.decompress(path.read_bytes()).splitlines()]
    return [json.loads(line)["id"] for line in lines]


def test_archiver_copies_what_is_finished_and_old(archive_dsn: str, tmp_path: Path) -> None:
    """Once each, oldest first; after a restart it goes on; the table stays as it was."""
    folder = tmp_path / "archive"
    env = {
        "DEFI_PG_DSN": archive_dsn,
        "DEFI_ARCHIVE_DIR": str(folder),
        "DEFI_ARCHIVE_EVERY_S": "1",
        "DEFI_ARCHIVE_AFTER_S": "60",
        "DEFI_ARCHIVE_BATCH": "2",
    }
    old = [("SIMULATED", 500.000001 - n * 0.000001) for n in range(3)]
    first = add_tasks(archive_dsn, *old, ("INVARIANT_BROKEN", 100), ("INIT", 900), ("SIGNED", 900))
    young = add_tasks(archive_dsn, ("SIMULATED", 5))
    with service("zone_b.archiver", tmp_path / "log", **env) as port:
        eventually(lambda: is_up(port), "healthy")
        eventually(lambda: archived(folder) == first[:4], "all that is old is archived")
        assert len(list(folder.glob("*.gz"))) == 2
        assert b"defi_archive_tasks_total 4.0" in ask(port, "GET", "/metrics")[1]

    later = add_tasks(archive_dsn, ("CONFIRMED", 61))
    with service("zone_b.archiver", tmp_path / "log", **env) as port:
        eventually(lambda: is_up(port), "healthy")
        eventually(lambda: archived(folder) == [*first[:4], *later], "the later one too")
        newest = Position.of_file(sorted(path.name for path in folder.glob("*.gz"))[-1])
        assert newest is not None
        assert newest.task_id == later[0]
    with psycopg.connect(archive_dsn) as connection:
        count = connection.execute("SELECT count(*) FROM trade_tasks").fetchone()
    assert count == (len(first) + len(young) + len(later),)


def test_archiver_fails_loudly(tmp_path: Path) -> None:
    """Without its database it ends, and its restart policy decides."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-m", "zone_b.archiver"],
        env={
            "PYTHONPATH": str(COMPOSE),
            "DEFI_REDIS_URL": "redis://h",
            "DEFI_PG_DSN": f"host=127.0.0.1 port={closed} user=defi password=hush",
            "DEFI_ARCHIVE_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot go on" in done.stderr
    assert "hush" not in done.stderr
