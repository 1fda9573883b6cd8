"""Lines of `backup.jsonl`: each backup, and each restore."""

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
        rows: number of rows.
        digest: sum of the digests of all rows, independent of their order.
    """

    rows: int
    digest: str


class BackupRecord(_Line):
    """One day's backup.

    Attributes:
        name: of its file.
        began_ns: start; monotonic.
        took_ns: time until the file was in its final place.
        size_bytes: of the file.
        tables: checksums at the time of the snapshot, by name with schema.
        pruned: files that were deleted after it.
        there: files in the folder after that.
        trouble: why it failed; empty if it did not.
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
    """A restore of a backup into a new server.

    Attributes:
        name: of the file.
        took_ns: time until everything was restored.
        server: its version.
        tables: checksums of the new database.
        trouble: why it failed; empty if it did not.
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

    backups: tuple[BackupRecord, ...] = ()
    restored: tuple[RestoreRecord, ...] = ()

    @property
    def lines(self) -> tuple[BackupRecord | RestoreRecord, ...]:
        """All records."""
        return (*self.backups, *self.restored)


def format_backup_record(line: BackupRecord | RestoreRecord) -> str:
    """The line of a record."""
    return format_jsonl(line)


def read_backups(lines: Iterable[str], where: str = "backup.jsonl") -> BackupLog:
    """All records of a file.

    Raises:
        EvidenceError: a line cannot be read.
    """
    found = parse_jsonl(lines, _ANY.validate_json, where)
    return BackupLog(
        tuple(one for one in found if isinstance(one, BackupRecord)),
        tuple(one for one in found if isinstance(one, RestoreRecord)),
    )
