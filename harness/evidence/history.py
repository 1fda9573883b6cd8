"""The history of runs: one line of JSON a run, in a file or in a folder with a file a month.

A history only grows: a line is appended under a lock and reaches the disk before the lock is
released; nothing rewrites a file. Reading unites any number of files: a run counts once, with the
line that was recorded last, and runs are in order of time. So files can be merged by appending one
to another, in any order. A line that cannot be read, because it was torn or a newer harness wrote
it, is skipped and named, and stays where it is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from harness.clock import NS_PER_S
from harness.errors import EvidenceError, UsageError
from harness.evidence.jsonl import format_jsonl
from harness.evidence.new_folder import FileName
from harness.evidence.strict_json import MALFORMED, loads
from harness.file_lock import lock_within
from harness.printable import one_line
from harness.safe_open import MIB, check_kind, read_regular

HISTORY_SCHEMA_VERSION: Final = 1
SUFFIX = ".jsonl"
# Some 50,000 runs a file.
HISTORY_BYTES_MAX = 64 * MIB
# Of a folder: a file a month for a century.
FILES_MAX = 1_200
# Of a version control system that could not merge two histories.
_CONFLICT_MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
_LINE_CHARACTERS_MAX = 16_384
TEXT_MAX = 200
_SKIPPED_NAMED_MAX = 100
# Lines that cannot be read, and so have no month, of a folder that others were merged into.
_UNREAD = f"unread{SUFFIX}"
_LOCK_TIMEOUT_NS = 10 * NS_PER_S

Text = Annotated[str, StringConstraints(max_length=TEXT_MAX), AfterValidator(one_line)]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
Time = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Number = int | float


class _Stored(BaseModel):
    # What a newer harness adds to a line of this version is left out.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Metric(_Stored):
    """What a run says of one objective.

    Attributes:
        id: what is measured, without its limit: `latency_p99_lite`, `rejected_share`.
        objective: as written in the scenario, with the mode where there are several.
        unit: of the figures: ns, a share from 0 to 1, bytes per hour, or a level of an axis of the
            capacity, such as signals/s.
        good: whether a low or a high figure is good.
        estimate: None of too few signals.
        lower, upper: bounds; None without one. Without an upper bound the run is censored.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,120}$")]
    objective: Text
    unit: Literal["ns", "share", "bytes_per_h", "level"]
    good: Literal["low", "high"] = "low"
    estimate: Number | None = None
    lower: Number | None = None
    upper: Number | None = None
    limit: Number | None = None


class HistoryLine(_Stored):
    """One run.

    Attributes:
        time: UTC, when the run began.
        recorded: UTC, when the line was made.
        commit: of the tested system where `HARNESS_COMMIT` named it, else of this repository.
        modified: whether that checkout had changes that are in no commit.
        scenario, plan: the name of the scenario, and what was executed, in words.
        question: fingerprint of the scenario; see `harness.scenario.question`.
        stack: process, docker or attach.
        system: name of an attached system; empty for others.
        contract: fingerprint of the names that the system goes by.
        host: fingerprint of processor, cores and memory.
        host_text: the same for people.
        images: first digits of the image of each service; empty without containers.
    """

    schema_version: Literal[1] = HISTORY_SCHEMA_VERSION
    run_id: Annotated[FileName, AfterValidator(one_line)]
    time: Time
    recorded: Time
    commit: Text = ""
    modified: bool = False
    harness: Text = ""
    scenario: Text
    plan: Text = ""
    question: Fingerprint
    seed: int
    stack: Text
    system: Text = ""
    contract: Fingerprint
    host: Fingerprint
    host_text: Text = ""
    images: Annotated[dict[Text, Text], Field(max_length=32)] = {}
    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]
    grade: Literal["signoff", "indicative"]
    metrics: Annotated[tuple[Metric, ...], Field(max_length=32)] = ()


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A line that is no run of a version that this harness reads.

    Attributes:
        where: file and number of the line.
    """

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class History:
    """Runs in order of time, each once, and what was skipped."""

    lines: tuple[HistoryLine, ...]
    skipped: tuple[SkippedLine, ...] = ()


def read_history(paths: Iterable[Path]) -> History:
    """The runs of several files or folders together.

    Raises:
        UsageError: there is no such file or folder.
        EvidenceError: a file cannot be read.
        RefusedError: no regular file, or beyond a limit.
    """
    runs: list[HistoryLine] = []
    skipped: list[SkippedLine] = []
    for path in paths:
        for file in _files(path):
            for number, text in enumerate(_texts(file), 1):
                found = _parse(text)
                if isinstance(found, HistoryLine):
                    runs.append(found)
                else:
                    skipped.append(SkippedLine(f"{file}: line {number}", found))
    return History(unite(runs), tuple(skipped[:_SKIPPED_NAMED_MAX]))


def unite(runs: Iterable[HistoryLine]) -> tuple[HistoryLine, ...]:
    """Each run once, with the line that was recorded last, in order of time."""
    latest: dict[str, HistoryLine] = {}
    # Of lines of one second any may win, but always the same one, in whichever order they come.
    for line in sorted(runs, key=lambda one: (one.recorded, one.model_dump_json())):
        latest[line.run_id] = line
    return tuple(sorted(latest.values(), key=lambda one: (one.time, one.run_id)))


def append_history(path: Path, lines: Sequence[HistoryLine]) -> None:
    """Append runs to a file, or in a folder to the file of each month.

    Args:
        path: of a file `*.jsonl`; any other path is that of a folder. What is missing is made.
        lines: of the runs.

    Raises:
        EvidenceError: it cannot be written, is full, or stays locked for 10 s.
        RefusedError: it is no regular file.
    """
    _append(path, [(line, format_jsonl(line).rstrip("\n")) for line in lines])


def merge_history(path: Path, sources: Iterable[Path]) -> int:
    """Append every line of other histories that a history lacks; returns their number.

    Lines are copied as they are, also those that cannot be read here.

    Raises:
        UsageError: a source is missing.
        EvidenceError: a file cannot be read or written.
    """
    known = {text for file in _files(path) for text in _texts(file)} if path.exists() else set()
    every = (text for one in sources for file in _files(one) for text in _texts(file))
    texts = [text for text in dict.fromkeys(every) if text and text not in known]
    parsed = ((_parse(text), text) for text in texts)
    _append(path, [(found if isinstance(found, HistoryLine) else None, t) for found, t in parsed])
    return len(texts)


def utc_text(wall_ns: int) -> str:
    """A time of the clock as a line has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_ns / NS_PER_S))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.glob(f"*{SUFFIX}"))[:FILES_MAX]
    if not path.exists():
        raise UsageError(
            "there is no such history",
            where=str(path),
            hint="`harness run ... --history FILE.jsonl` begins one",
        )
    return [path]


def _texts(file: Path) -> Iterator[str]:
    try:
        data = read_regular(file, HISTORY_BYTES_MAX, by_user=True)
    except OSError as error:
        raise EvidenceError(f"cannot read: {error.strerror or error}", where=str(file)) from error
    # Bytes that are no text make a line unreadable, not the file.
    lines = data.split(b"\n")
    for line in lines[:-1] if not lines[-1] else lines:
        yield line.decode("utf-8", "surrogateescape")


def _parse(text: str) -> HistoryLine | str:
    """A run, or why the line is none."""
    if len(text) > _LINE_CHARACTERS_MAX:
        return f"has more than {_LINE_CHARACTERS_MAX:,} characters"
    try:
        document = loads(text)
        version = document["schema_version"]
        if version != HISTORY_SCHEMA_VERSION:
            known = HISTORY_SCHEMA_VERSION
            return f"has schema version {version!r:.20}, this harness reads {known}"
        return HistoryLine.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    except MALFORMED:
        if text.startswith(_CONFLICT_MARKERS):
            return "is a conflict marker; the runs around it count"
        return "is no line of a history; was it cut off?"


def _append(path: Path, entries: Sequence[tuple[HistoryLine | None, str]]) -> None:
    by_file: dict[Path, list[str]] = {}
    for line, text in entries:
        month = _UNREAD if line is None else f"{line.time[:7]}{SUFFIX}"
        is_file = path.is_file() or (path.suffix == SUFFIX and not path.is_dir())
        by_file.setdefault(path if is_file else path / month, []).append(text)
    for file, texts in by_file.items():
        _append_texts(file, texts)


def _append_texts(file: Path, texts: Sequence[str]) -> None:
    data = "".join(f"{text}\n" for text in texts).encode("utf-8", "surrogateescape")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(file) as fd:
            size = os.fstat(fd).st_size
            if size + len(data) > HISTORY_BYTES_MAX:
                raise EvidenceError(
                    f"would have more than {HISTORY_BYTES_MAX:,} bytes",
                    where=str(file),
                    hint="begin another file, or give a folder, which has a file a month",
                )
            # A torn line stays a line of its own.
            if size and os.pread(fd, 1, size - 1) != b"\n":
                data = b"\n" + data
            while data:
                data = data[os.write(fd, data) :]
            os.fsync(fd)
    except OSError as error:
        raise EvidenceError(
            f"cannot write: {error.strerror or error}",
            where=str(file),
            hint="check free space and permissions of its folder",
        ) from error


@contextmanager
def _locked(file: Path) -> Iterator[int]:
    """A descriptor that appends to a file, which no other process writes meanwhile."""
    # Not blocking: the path may be that of a pipe.
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    fd = os.open(file, flags, 0o666)
    try:
        check_kind(file, os.fstat(fd).st_mode)
        if not lock_within(fd, _LOCK_TIMEOUT_NS):
            raise EvidenceError(
                f"another process has locked it for {_LOCK_TIMEOUT_NS / NS_PER_S:g} s",
                where=str(file),
            )
        yield fd
    finally:
        os.close(fd)
