"""Lines of `backup.jsonl`: each backup that was taken, and each that was restored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from harness.evidence.lines import line_of, read_lines


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TableSum(_Line):
    """A table at one moment.

    Attributes:
        rows: how many.
        digest: a sum over a digest of each row, so that their order does not matter.
    """

    rows: int
    digest: str


class Taken(_Line):
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
    tables: dict[str, TableSum] = {}
    pruned: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    trouble: str = ""


class Restored(_Line):
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
    tables: dict[str, TableSum] = {}
    trouble: str = ""


_ANY: TypeAdapter[Taken | Restored] = TypeAdapter(
    Annotated[Taken | Restored, Field(discriminator="what")]
)


@dataclass(frozen=True, slots=True)
class BackupBook:
    """Every line, in the order of writing."""

    taken: tuple[Taken, ...] = ()
    restored: tuple[Restored, ...] = ()

    @property
    def lines(self) -> tuple[Taken | Restored, ...]:
        """All of them, as they are written."""
        return (*self.taken, *self.restored)


def backup_line(line: Taken | Restored) -> str:
    """A record as its line."""
    return line_of(line)


def read_backups(lines: Iterable[str], where: str = "backup.jsonl") -> BackupBook:
    """Every record.

    Raises:
        EvidenceError: a line is none.
    """
    found = read_lines(lines, _ANY.validate_json, where)
    return BackupBook(
        tuple(one for one in found if isinstance(one, Taken)),
        tuple(one for one in found if isinstance(one, Restored)),
    )
