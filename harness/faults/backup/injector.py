"""Makes a backup a day during the load, and removes the oldest."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from harness.clock import NS_PER_S, Clock
from harness.errors import HarnessError, StackError
from harness.evidence.backup_log import BackupRecord, TableChecksum
from harness.faults.backup.checksums import open_session, table_sums
from harness.faults.backup.retention import name_of, retained
from harness.stack.postgres_client import start_client, wait_for_client

_DUMP_MAX_S = 60.0
_END_MAX_S = 10.0
_PART = ".part"
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WriteRecord = Callable[[BackupRecord], None]


class BackupAbortedError(Exception):
    """The fault was healed in the middle of a backup."""


@dataclass
class BackupInjector:
    """A full backup every `day_ns` from `inject` until `heal`, in a thread of its own.

    Attributes:
        conninfo: of a role that may read everything.
        folder: where the backups go.
        retained_count: how many stay.
        write: stores the record of each.
    """

    conninfo: str
    folder: Path
    retained_count: int
    day_ns: int
    clock: Clock
    write: WriteRecord
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _failure: Exception | None = field(default=None, init=False)

    def inject(self) -> None:
        self._thread = threading.Thread(target=self._run, name="backups", daemon=True)
        self._thread.start()

    def heal(self) -> None:
        """Abort the backup under way."""
        self._stop.set()
        if (process := self._process) is not None:
            process.kill()
        if self._thread is not None:
            self._thread.join(_END_MAX_S)
            if self._thread.is_alive():
                raise StackError("did not end", where="backup")
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        begun_ns, day = self.clock.now_ns(), 0
        try:
            while not self._stop.is_set():
                day += 1
                self._day(day)
                # A backup longer than its day delays the next one; none is left out.
                left_ns = begun_ns + day * self.day_ns - self.clock.now_ns()
                self._stop.wait(max(0, left_ns) / NS_PER_S)
        except BackupAbortedError:
            pass
        except HarnessError as error:  # the evidence cannot be written
            self._failure = error

    def _day(self, day: int) -> None:
        name, began_ns = name_of(day), self.clock.now_ns()
        record = BackupRecord(day=day, name=name, began_ns=began_ns)
        try:
            tables = self._back_up(self.folder / name)
            pruned = prune(self.folder, self.retained_count)
        except (psycopg.Error, StackError, OSError) as error:
            self._leave_if_stopped()
            record = record.model_copy(update={"trouble": f"{type(error).__name__}: {error}"})
        else:
            record = record.model_copy(
                update={
                    "took_ns": self.clock.now_ns() - began_ns,
                    "size_bytes": (self.folder / name).stat().st_size,
                    "tables": tables,
                    "pruned": pruned,
                    "there": tuple(sorted(os.listdir(self.folder))),  # noqa: PTH208 - names
                }
            )
        self.write(record)

    def _back_up(self, path: Path) -> dict[str, TableChecksum]:
        """Make a backup; its tables' checksums, in the very snapshot that it is made of."""
        part = path.with_name(path.name + _PART)
        try:
            with open_session(self.conninfo) as session, part.open("wb") as file:
                session.execute(_BEGIN)
                row: Any = session.execute("SELECT pg_export_snapshot()").fetchone()
                arguments = ("--format=custom", f"--snapshot={row[0]}")
                self._process = start_client("pg_dump", arguments, self.conninfo, file)
                tables = table_sums(session)
                wait_for_client(self._process, "pg_dump", _DUMP_MAX_S)
                self._leave_if_stopped()
                os.fsync(file.fileno())
            # A list of the folder has whole backups only.
            part.rename(path)
        finally:
            self._end_process()
            part.unlink(missing_ok=True)
        return tables

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_END_MAX_S)

    def _leave_if_stopped(self) -> None:
        if self._stop.is_set():
            raise BackupAbortedError


def prune(folder: Path, kept: int) -> tuple[str, ...]:
    """Remove the backups that the policy does not keep; their names, in order."""
    names = os.listdir(folder)  # noqa: PTH208 - names are what the policy speaks of
    gone = sorted(frozenset(names) - retained(names, kept))
    for name in gone:
        (folder / name).unlink()
    return tuple(gone)
