"""The archiver (`python -m zone_b.archiver`): copies finished trade tasks into files, and no more.

It deletes nothing and makes no snapshots. In addition to the shared variables it reads

    DEFI_ARCHIVE_DIR      folder of the files (/var/lib/defi/archive)
    DEFI_ARCHIVE_EVERY_S  time between two polls (60); a full batch is followed sooner
    DEFI_ARCHIVE_AFTER_S  how long a task must have been left alone (3600)
    DEFI_ARCHIVE_BATCH    tasks of one file at most (5000)

A task that changes after it was archived is archived again: of two lines with one id the later one
counts. A transaction that is open for longer than DEFI_ARCHIVE_AFTER_S can be missed, as its rows
carry the time of its start.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge

from zone_b.archive_files import Archive, Position
from zone_b.env_variables import whole
from zone_b.http_service import Health, HttpService
from zone_b.service_lifecycle import run_until_stopped
from zone_b.settings import Settings, read_settings

_LOG = logging.getLogger("zone_b.archiver")

# After a full batch it rests nine times as long as that took: a tenth of one core at most.
_REST = 9
_NICE = 19
_US_PER_S = 1_000_000
# No parallel workers and little memory: whatever it uses is missing to the engine.
_OPTIONS = (
    "-c default_transaction_read_only=on -c statement_timeout=30s -c lock_timeout=2s "
    "-c max_parallel_workers_per_gather=0 -c work_mem=4MB -c timezone=UTC"
)
# Without a condition on the age, so that the first task which is too young shows when to poll
# again: `updated_at` has no index, on purpose, and every poll reads the whole table.
_NEXT = """
    SELECT id::text, strategy_id, trace_id::text, status::text, nonce, tx_hash,
           internal_tx_id::text, created_at, updated_at,
           (extract(epoch FROM updated_at) * 1000000)::bigint,
           (extract(epoch FROM now()) * 1000000)::bigint
    FROM trade_tasks
    WHERE status NOT IN ('INIT', 'SIGNED', 'BROADCASTED')
      AND (updated_at, id) > (timestamptz 'epoch' + %(us)s * interval '1 microsecond', %(id)s::uuid)
    ORDER BY updated_at, id
    LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ArchiverSettings:
    """The service's own settings."""

    folder: Path
    every_s: int
    after_s: int
    batch: int


def read_archiver_settings(env: Mapping[str, str]) -> ArchiverSettings:
    """Settings from the environment.

    Raises:
        SettingsError: a value is out of range.
    """
    return ArchiverSettings(
        folder=Path(env.get("DEFI_ARCHIVE_DIR", "") or "/var/lib/defi/archive"),
        every_s=whole(env, "DEFI_ARCHIVE_EVERY_S", 60, 1, 86_400),
        after_s=whole(env, "DEFI_ARCHIVE_AFTER_S", 3600, 1, 31_536_000),
        batch=whole(env, "DEFI_ARCHIVE_BATCH", 5000, 1, 100_000),
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """What one question found.

    Attributes:
        rows: tasks that are old enough, in the order of archiving.
        last: position of the last of them, if there is any.
        wait_us: time until the next task is old enough; 0 if none is known.
        full: whether more tasks may be old enough already.
    """

    rows: tuple[dict[str, Any], ...]
    last: Position | None
    wait_us: int
    full: bool


def read_batch(
    connection: psycopg.Connection[tuple[Any, ...]], after: Position, settings: ArchiverSettings
) -> Batch:
    """Finished tasks after a position.

    Raises:
        psycopg.Error: the server is lost or refuses.
    """
    found = connection.execute(
        _NEXT, {"us": after.updated_us, "id": after.task_id, "limit": settings.batch}
    ).fetchall()
    young_us = settings.after_s * _US_PER_S
    old = [row for row in found if row[10] - row[9] >= young_us]
    waiting = found[len(old) :]
    return Batch(
        rows=tuple(_document(row) for row in old),
        last=Position(old[-1][9], old[-1][0]) if old else None,
        wait_us=waiting[0][9] + young_us - waiting[0][10] if waiting else 0,
        full=len(old) == settings.batch,
    )


def rest_s(batch: Batch, took_s: float, every_s: float) -> float:
    """Seconds to wait after a poll, never more than needed to find the next task in time.

    Args:
        batch: what the poll found.
        took_s: how long it took.
        every_s: time between two polls while nothing is known to wait.
    """
    if batch.full:
        return min(_REST * took_s, every_s)
    return max(every_s, batch.wait_us / _US_PER_S)


def _document(row: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "id": row[0],
        "strategy_id": row[1],
        "trace_id": row[2],
        "status": row[3],
        "nonce": row[4],
        "tx_hash": row[5],
        "internal_tx_id": row[6],
        "created_at": row[7].isoformat(),
        "updated_at": row[8].isoformat(),
    }


class Archiver:
    """Polls for finished tasks and files them.

    Args:
        dsn: libpq conninfo.
        archive: where they go.
        settings: how many, and how old.
        registry: its metrics.
    """

    def __init__(
        self, dsn: str, archive: Archive, settings: ArchiverSettings, registry: CollectorRegistry
    ) -> None:
        self._dsn = dsn
        self._archive = archive
        self._settings = settings
        self._looked = False
        self._tasks = Counter("defi_archive_tasks", "Tasks archived", registry=registry)
        self._bytes = Counter("defi_archive_bytes", "Bytes written", registry=registry)
        self._seconds = Gauge(
            "defi_archive_look_seconds", "Duration of the last poll", registry=registry
        )
        self._position = Gauge(
            "defi_archive_position_seconds",
            "Unix time at which the task archived last had been updated",
            registry=registry,
        )
        self._position.set(archive.position.updated_us / _US_PER_S)

    def poll(self) -> float:
        """File what is old enough; how many seconds to wait before the next poll.

        Raises:
            psycopg.Error: the server is lost or refuses.
            OSError: the folder cannot be written.
        """
        began = time.monotonic()
        # A connection that is open only while it is used leaves the pool to the engine.
        with psycopg.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=10,
            application_name="zone_b.archiver",
            options=_OPTIONS,
        ) as connection:
            batch = read_batch(connection, self._archive.position, self._settings)
        self._file(batch)
        self._looked = True
        took_s = time.monotonic() - began
        self._seconds.set(took_s)
        return rest_s(batch, took_s, self._settings.every_s)

    def health(self) -> Health:
        """Good once it has polled: a poll that fails ends the process."""
        if not self._looked:
            return Health(False, "starting")
        return Health(True, f"ok: archived up to {self._archive.position.file_name}")

    def _file(self, batch: Batch) -> None:
        if batch.last is None:
            return
        size = self._archive.write(batch.rows, batch.last)
        self._tasks.inc(len(batch.rows))
        self._bytes.inc(size)
        self._position.set(batch.last.updated_us / _US_PER_S)
        _LOG.info("%d tasks archived in %s", len(batch.rows), batch.last.file_name)


def run(shared: Settings, own: ArchiverSettings, stop: threading.Event) -> None:
    """Archive until the signal to stop.

    Raises:
        psycopg.Error: the server is lost or refuses.
        OSError: the folder cannot be written, or the port is in use.
    """
    registry = CollectorRegistry()
    archive = Archive(own.folder)
    archiver = Archiver(shared.pg_dsn, archive, own, registry)
    http = (
        HttpService(shared.http_host, shared.http_port, registry, archiver.health, {})
        if shared.http_port
        else None
    )
    if http:
        http.start()
    try:
        while not stop.wait(archiver.poll()):
            pass
    finally:
        archive.close()
        if http:
            http.stop()


def main() -> int:
    """Run the archiver; the exit code."""
    os.nice(_NICE)
    return run_until_stopped("archiver", _work, (psycopg.Error,))


def _work(stop: threading.Event) -> None:
    run(read_settings(), read_archiver_settings(os.environ), stop)


if __name__ == "__main__":
    sys.exit(main())
