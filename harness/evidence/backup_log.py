"""Lines of `backup.jsonl`: each backup that was taken, and each that was restored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from harness.evidence.jsonl import format_jsonl, parse_jsonl


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TableChecksum(_Line):
    """A table at one moment.

    Attributes:
        rows: how many.
        digest: a sum over a digest of each row, so that their order does not matter.
    """

    rows: int
    digest: str


class BackupRecord(_Line):
    """One day's backup.

    Attributes:
        name: of its file.
        began_ns: when it was begun; monotonic.
        took_ns: until it lay in its place.
        size_bytes: of the file.
        tables: what the database held at the snapshot's moment, by name with schema.
        pruned: files that were taken away after it.
        there: what the folder held then, as it was listed.
        trouble: why there is no such backup; empty if there is.
    """

    what: Literal["taken"] = "taken"
    day: int
    name: str
    began_ns: int
    took_ns: int = 0
    size_bytes: int = 0
    tables: dict[str, TableChecksum] = {}
    pruned: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    trouble: str = ""


class RestoreRecord(_Line):
    """A backup that was restored into a new server.

    Attributes:
        name: of the file.
        took_ns: until everything was in.
        server: its version.
        tables: what the new database held.
        trouble: why it could not be restored; empty if it was.
    """

    what: Literal["restored"] = "restored"
    name: str
    took_ns: int = 0
    server: str = ""
    tables: dict[str, TableChecksum] = {}
    trouble: str = ""


_ANY: TypeAdapter[BackupRecord | RestoreRecord] = TypeAdapter(
    Annotated[BackupRecord | RestoreRecord, Field(discriminator="what")]
)


@dataclass(frozen=True, slots=True)
class BackupLog:
    """Every line, in the order of writing."""

    taken: tuple[BackupRecord, ...] = ()
    restored: tuple[RestoreRecord, ...] = ()

    @property
    def lines(self) -> tuple[BackupRecord | RestoreRecord, ...]:
        """All of them, as they are written."""
        return (*self.taken, *self.restored)


def format_backup_record(line: BackupRecord | RestoreRecord) -> str:
    """A record as its line."""
    return format_jsonl(line)


def read_backups(lines: Iterable[str], where: str = "backup.jsonl") -> BackupLog:
    """Every record.

    Raises:
        EvidenceError: a line is none.
    """
    found = parse_jsonl(lines, _ANY.validate_json, where)
    return BackupLog(
        tuple(one for one in found if isinstance(one, BackupRecord)),
        tuple(one for one in found if isinstance(one, RestoreRecord)),
    )
