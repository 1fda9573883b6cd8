"""The archive on disk: one gzip file of JSON lines per batch, named by the last row in it.

The newest file's name is the archiver's position: a file and the knowledge that it is done come
into being by one rename. Files may be moved away, all but the newest.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(
    r"trade_tasks-(?P<us>\d{16})-(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.jsonl\.gz"
)
_LOWEST_ID = "00000000-0000-0000-0000-000000000000"
_LEVEL = 6


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A row's place in the order of archiving: when it was updated last, then its id.

    Attributes:
        updated_us: Unix time of the server, in microseconds.
        task_id: UUID in its canonical text form.
    """

    updated_us: int = 0
    task_id: str = _LOWEST_ID

    @property
    def file_name(self) -> str:
        """The file whose last row this is."""
        return f"trade_tasks-{self.updated_us:016d}-{self.task_id}.jsonl.gz"

    @classmethod
    def of_file(cls, name: str) -> Position | None:
        """The position that a file name holds; None for any other file."""
        match = _NAME.fullmatch(name)
        return cls(int(match["us"]), match["id"]) if match else None


class InUseError(OSError):
    """Another archiver writes to the folder."""


class Archive:
    """A folder of archive files, locked for one writer.

    Args:
        folder: made if it is missing.

    Raises:
        InUseError: another archiver has it.
        OSError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._folder = folder
        self._lock = (folder / ".lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise InUseError(f"another archiver writes to {folder}") from error
        for left in folder.glob("*.part"):
            left.unlink()
        found = (Position.of_file(path.name) for path in folder.iterdir())
        self.position = max((place for place in found if place), default=Position())

    def write(self, rows: Sequence[dict[str, Any]], last: Position) -> int:
        """Store a batch whole or not at all.

        Args:
            rows: in the order of archiving; at least one.
            last: position of the last of them.

        Returns:
            Bytes on disk.
        """
        path = self._folder / last.file_name
        part = path.with_suffix(".part")
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        with part.open("wb") as file:
            # Without a time in its head the same rows give the same file.
            file.write(gzip.compress(text.encode(), _LEVEL, mtime=0))
            file.flush()
            os.fsync(file.fileno())
        size = part.stat().st_size
        part.replace(path)
        self._sync()
        self.position = last
        return size

    def close(self) -> None:
        """Let another archiver have the folder."""
        self._lock.close()

    def _sync(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with suppress(OSError):  # some network file systems cannot sync a folder
                os.fsync(handle)
        finally:
            os.close(handle)
