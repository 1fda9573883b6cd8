"""A backup a day until it is healed, each recorded; none of this needs a database."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.errors import EvidenceError, StackError
from harness.evidence.backup_log import (
    BackupLog,
    BackupRecord,
    RestoreRecord,
    TableChecksum,
    format_backup_record,
    read_backups,
)
from harness.faults.backup.injector import BackupInjector
from harness.faults.backup.retention import name_of

TABLES = {"public.trade_tasks": TableChecksum(rows=3, digest="17")}


class Days(BackupInjector):
    """Makes files; one of the days fails, and the last one sets an event."""

    def __init__(self, folder: Path, last: int, bad: int = 0, fails: bool = False) -> None:
        self.records: list[BackupRecord] = []
        self.fails = fails
        super().__init__("", folder, 2, 1, SystemClock(), self.keep_record)
        self._last, self._bad, self._day_now = last, bad, 0
        self.done = threading.Event()

    def keep_record(self, record: BackupRecord) -> None:
        """The evidence."""
        if self.fails:
            raise EvidenceError("cannot write: made up", where="backup.jsonl")
        self.records.append(record)

    def _back_up(self, path: Path) -> dict[str, TableChecksum]:
        self._day_now += 1
        if self._day_now > self._last:
            self.done.set()
            self._stop.wait(5)
            raise StackError("ended with -9", where="pg_dump")
        if self._day_now == self._bad:
            raise StackError("ended with 1", where="pg_dump")
        path.write_bytes(b"x" * self._day_now)
        return TABLES


def test_each_day_is_recorded(tmp_path: Path) -> None:
    """With what lay there afterwards; a day without a backup removes none.

    The one that was under way at the end was not asked for, and its end is no trouble.
    """
    days = Days(tmp_path, last=4, bad=3)
    days.inject()
    assert days.done.wait(5)
    days.heal()
    first, second, third, fourth = days.records
    assert (first.there, first.pruned) == ((name_of(1),), ())
    assert (second.there, second.size_bytes) == ((name_of(1), name_of(2)), 2)
    assert third.trouble == "StackError: pg_dump: ended with 1"
    assert (fourth.there, fourth.pruned) == ((name_of(2), name_of(4)), (name_of(1),))
    assert fourth.tables == TABLES


def test_what_cannot_be_recorded_is_an_error(tmp_path: Path) -> None:
    """At the latest when it is healed; and no further backup is made."""
    days = Days(tmp_path, last=9, fails=True)
    days.inject()
    with pytest.raises(EvidenceError, match="made up"):
        days.heal()


def test_evidence_comes_back_as_it_was() -> None:
    """Both kinds of lines, in their order; anything else is an error with its line."""
    made = BackupRecord(day=1, name=name_of(1), began_ns=5, tables=TABLES, there=(name_of(1),))
    restored = RestoreRecord(name=name_of(1), took_ns=7, server="16.14", tables=TABLES)
    lines = [format_backup_record(made), format_backup_record(restored)]
    assert read_backups(lines) == BackupLog((made,), (restored,))
    for bad in ("", "{}", '{"what":"lost"}', format_backup_record(made)[:-9]):
        with pytest.raises(EvidenceError, match="line 2"):
            read_backups([lines[0], bad])
