"""`journal.jsonl` of a sign-off: every attempt, in a log that is only appended to.

Each line has the digest of the line before it, and the first one that of the plan, so a line that
is changed or left out breaks the chain.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import EvidenceError
from harness.evidence import atomic_files
from harness.evidence.jsonl import format_jsonl, parse_jsonl
from harness.evidence.new_folder import FileName
from harness.printable import SingleLineText
from harness.safe_open import iter_lines, read_regular

_ERROR_CHARS_MAX = 1_000
AttemptEnd = Literal["", "completed", "aborted", "failed", "refused"]


class JournalEntry(BaseModel):
    """What happened to one attempt.

    Attributes:
        previous: SHA-256 of the line before, or of the plan.
        kind: the attempt began, or ended.
        at: when, UTC.
        attempt: from 1 on, for each criterion.
        outcome: of the end: it was completed; it was aborted by a person, a crash or a kill; it
            failed, as a stack that did not start; it was refused, as this host or this stack
            cannot do it.
        error: of what failed or was refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    previous: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    kind: Literal["begun", "ended"]
    at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    criterion: FileName
    attempt: Annotated[int, Field(ge=1, le=1_000)]
    outcome: AttemptEnd = ""
    error: SingleLineText = ""


@dataclass(frozen=True, slots=True)
class ChainedJournal:
    """The log.

    Attributes:
        path: of its file.
        anchor: SHA-256 (hex) that its first line has to name.
    """

    path: Path
    anchor: str

    def read(self) -> tuple[JournalEntry, ...]:
        """Every entry, in order; none where there is no file yet.

        Raises:
            EvidenceError: a line cannot be read, or does not follow from the one before it.
        """
        return tuple(entry for entry, _ in self._entries())

    def head(self) -> str:
        """SHA-256 of the last line, or the anchor.

        Raises:
            EvidenceError: as `read`.
        """
        return [self.anchor, *(digest for _, digest in self._entries())][-1]

    def append(
        self,
        kind: Literal["begun", "ended"],
        at: str,
        criterion: str,
        attempt: int,
        *,
        outcome: AttemptEnd = "",
        error: str = "",
    ) -> None:
        """Add an entry, on the disk when this returns.

        Raises:
            EvidenceError: the log is broken, or cannot be written.
        """
        entry = JournalEntry(
            previous=self.head(),
            kind=kind,
            at=at,
            criterion=criterion,
            attempt=attempt,
            outcome=outcome,
            error=error[:_ERROR_CHARS_MAX],
        )
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(self.path, flags, 0o644), "ab") as file:
                file.write(format_jsonl(entry).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            raise atomic_files.io_error("write", self.path, problem) from problem

    def drop_torn_line(self) -> None:
        """Remove a last line without its end: a crash cut it off while it was written.

        Raises:
            EvidenceError: the log cannot be read or written.
        """
        if not self.path.exists():
            return
        data = read_regular(self.path)
        if data and not data.endswith(b"\n"):
            whole = data[: data.rfind(b"\n") + 1]
            atomic_files.write_text(self.path, whole.decode("utf-8"))

    def _entries(self) -> Iterator[tuple[JournalEntry, str]]:
        """Each entry with the digest of its line."""
        if not self.path.exists() and not self.path.is_symlink():
            return
        previous = self.anchor
        lines = list(iter_lines(self.path))
        where = self.path.name
        entries = parse_jsonl(lines, JournalEntry.model_validate_json, where)
        for number, (line, entry) in enumerate(zip(lines, entries, strict=True), 1):
            if entry.previous != previous or not line.endswith("\n"):
                raise EvidenceError(
                    f"line {number} does not follow from the one before it",
                    where=where,
                    hint="a line was changed, removed or added after it was written",
                )
            previous = hashlib.sha256(line.encode()).hexdigest()
            yield entry, previous
