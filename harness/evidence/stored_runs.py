"""What lies in a folder of reports: runs and experiments, and how one is removed.

Only a folder that this harness made is an entry: it has a file that says what it is. No link is
followed.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.clock import NS_PER_S
from harness.errors import EvidenceError, UsageError, nearest
from harness.evidence import atomic_files
from harness.printable import one_line

# The file that makes a folder what it is; the journal of a run is there before its plan.
MARKS: Final = {
    "run": ("plan.json", "journal"),
    "repeat": ("repeat.json",),
    "capacity": ("capacity.json",),
    "scale": ("scale.json",),
    "compare": ("compare.json",),
    "chaos": ("chaos.json",),
    "signoff": ("signoff-plan.json",),
}
_RESULTS: Final = {"signoff": "signoff.json"}
_NAME: Final = re.compile(r"(?P<date>\d{8})-(?P<time>\d{6})-(?P<name>.+)-[0-9a-f]{4}(?:-[a-z]+)?$")
# A run writes its self-monitoring once a second, and is judged within this time.
_WRITTEN_WITHIN_NS: Final = 120 * NS_PER_S
_FILES_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One entry.

    Attributes:
        path: absolute.
        kind: a key of MARKS.
        began: UTC, as `2026-12-01T09:00:00Z`; empty where the name has none.
        scenario: name of the scenario or the policy.
        verdict: as stored, without a look at the evidence; empty without a result.
        stack: process, docker or attach; empty where it is not known.
        p99_ns: estimate of the first objective for a percentile; None without one.
        size_bytes: of all files.
        is_written: whether it has no result yet and was written in the last two minutes.
    """

    path: Path
    kind: str
    began: str
    scenario: str
    verdict: str
    stack: str
    p99_ns: int | None
    size_bytes: int
    is_written: bool

    @property
    def run_id(self) -> str:
        """Name of the folder."""
        return self.path.name


def kind_of(path: Path) -> str:
    """The kind of a folder; empty where it is none of ours, or a link."""
    if path.is_symlink() or not path.is_dir():
        return ""
    for kind, names in MARKS.items():
        if any((path / name).exists() and not (path / name).is_symlink() for name in names):
            return kind
    return ""


def stored_runs(reports: Path, now_ns: int) -> list[StoredRun]:
    """Every entry of a folder of reports, the newest first.

    Args:
        reports: the folder.
        now_ns: Unix time.

    Raises:
        UsageError: there is no such folder.
    """
    if not reports.is_dir():
        raise UsageError("no such folder", where=str(reports), hint="add --reports DIR")
    found = [
        _entry(path.absolute(), kind, now_ns)
        for path in reports.iterdir()
        if (kind := kind_of(path))
    ]
    return sorted(found, key=lambda one: (one.began, one.run_id), reverse=True)


def newest_run(reports: Path) -> Path | None:
    """The run or experiment of a folder of reports that began last; None without one."""
    if not reports.is_dir():
        return None
    names = [path.name for path in reports.iterdir() if _NAME.match(path.name) and kind_of(path)]
    return reports / max(names) if names else None


def find_stored(name: str, reports: Path, now_ns: int) -> StoredRun:
    """An entry by its path, or by its id in a folder of reports.

    Raises:
        UsageError: there is none, or it is a part of an experiment.
    """
    given = Path(name)
    path = given if given.is_dir() or "/" in name else reports / name
    if path.is_symlink():
        raise UsageError("is a link, which is not followed", where=str(path))
    kind = kind_of(path)
    if not kind:
        known = [one.name for one in reports.iterdir()] if reports.is_dir() else []
        near = nearest(name, known)
        raise UsageError(
            "is not the folder of a run" if path.is_dir() else "no such run",
            where=str(path),
            hint=f"did you mean {near}?"
            if near
            else f"harness runs --reports {reports} lists them",
        )
    path = path.absolute()
    for above in (path.parent, path.parent.parent):
        if kind_of(above):
            raise UsageError(
                "is a part of an experiment, whose result would not follow from the rest",
                where=str(path),
                hint=f"remove all of it: {above}",
            )
    return _entry(path, kind, now_ns)


def remove(run: StoredRun) -> None:
    """Remove an entry with everything in it.

    Raises:
        UsageError: it is being written.
        EvidenceError: it cannot be removed.
    """
    if run.is_written:
        raise UsageError(
            "is being written", where=str(run.path), hint="wait until it has ended, or end it"
        )
    if not shutil.rmtree.avoids_symlink_attacks:
        raise EvidenceError("this platform cannot remove folders safely", where=str(run.path))
    try:
        shutil.rmtree(run.path)
    except OSError as error:
        raise atomic_files.io_error("remove", run.path, error) from error


def _entry(path: Path, kind: str, now_ns: int) -> StoredRun:
    result = path / _RESULTS.get(kind, "result.json")
    document = _document(result)
    size, newest_ns = _extent(path)
    match = _NAME.match(path.name)
    stack = _text(_document(path / "stack.json").get("kind")) if kind == "run" else ""
    return StoredRun(
        path=path,
        kind=kind,
        began=_time(match["date"], match["time"]) if match else "",
        scenario=one_line(match["name"]) if match else "",
        verdict=_text(document.get("verdict") or document.get("decision")),
        stack=stack,
        p99_ns=next(_percentiles(document), None),
        size_bytes=size,
        is_written=not result.exists() and now_ns - newest_ns < _WRITTEN_WITHIN_NS,
    )


def _document(path: Path) -> dict[str, Any]:
    """A document for the list only: whatever is wrong with it, the entry is shown without it."""
    try:
        found = atomic_files.read_document(path)
    except EvidenceError:
        return {}
    return found if isinstance(found, dict) else {}


def _percentiles(document: dict[str, Any]) -> Iterator[int]:
    judgement = document.get("judgement")
    checks = judgement.get("checks") if isinstance(judgement, dict) else None
    for check in checks if isinstance(checks, list) else ():
        figures = check.get("figures") if isinstance(check, dict) else None
        estimate = figures.get("estimate_ns") if isinstance(figures, dict) else None
        if isinstance(estimate, int) and check.get("kind") == "objective":
            yield estimate


def _text(value: object) -> str:
    return one_line(value)[:40] if isinstance(value, str) else ""


def _time(date: str, time: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z"


def _extent(path: Path) -> tuple[int, int]:
    """Bytes of all files, and when the newest of them was changed; links are not followed."""
    size = newest_ns = count = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                found = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - many files
            except OSError:  # it went meanwhile
                continue
            if stat.S_ISREG(found.st_mode):
                size += found.st_size
                newest_ns = max(newest_ns, found.st_mtime_ns)
            count += 1
            if count >= _FILES_MAX:
                return size, newest_ns
    return size, newest_ns
