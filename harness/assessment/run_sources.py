"""Where the runs of one side of a comparison come from.

A source is the folder of a run or of a `--repeat`, a folder of such folders, several of these with
commas between them, or `last:N`: the newest N runs of the other side's scenario in a folder of
reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from harness.assessment.compared_run import ComparedRun, read_compared_run
from harness.assessment.comparison import RunSet, UnreadRun
from harness.assessment.interleave_folder import InterleaveFolder
from harness.errors import EvidenceError, UsageError, error_text
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder

# A year of nights, three runs each.
RUNS_MOST = 1_100
_T = TypeVar("_T")
_LAST = re.compile(r"^last:(?P<count>[1-9][0-9]{0,3})$")
_HINT = "give folders of runs or of a --repeat, a folder of reports, or last:N"


def runs_of_both(base: str, new: str, reports: Path) -> tuple[RunSet, RunSet]:
    """The runs of both sides.

    Args:
        base: source of BASE.
        new: source of NEW; one of both may be `last:N`.
        reports: the folder that `last:N` is about.

    Raises:
        UsageError: a source is none or has no run, or both are `last:N`.
    """
    base_last, new_last = newest_count(base), newest_count(new)
    if base_last and new_last:
        raise UsageError(
            "both sides are the newest runs of a folder, and would be the same",
            where="BASE, NEW",
            hint="name the runs of one side",
        )
    if base_last:
        others = runs_of(new)
        return _newest(base, base_last, reports, others), others
    own = runs_of(base)
    if new_last:
        return own, _newest(new, new_last, reports, own)
    return own, runs_of(new)


def newest_count(source: str) -> int | None:
    """N of `last:N`; None of other sources."""
    found = _LAST.match(source)
    return int(found["count"]) if found else None


def runs_of(source: str) -> RunSet:
    """The runs that a source other than `last:N` names, in order of their ids.

    Raises:
        UsageError: it names none, or more than RUNS_MOST.
    """
    return read_runs(source, folders_of(source))


def read_runs(source: str, paths: Iterable[Path]) -> RunSet:
    """The runs in these folders, in order of their ids; those that cannot be read are named.

    Args:
        source: for the reader.
        paths: of runs.
    """
    runs, unread = read_each(paths, read_compared_run)
    return RunSet(source, tuple(runs), tuple(unread))


def read_each(
    paths: Iterable[Path], read: Callable[[RunFolder], _T]
) -> tuple[list[_T], list[UnreadRun]]:
    """What is read of each run, in order of their ids, and the runs that cannot be read.

    Args:
        paths: of runs.
        read: may raise EvidenceError or UsageError.
    """
    runs: list[_T] = []
    unread: list[UnreadRun] = []
    for path in sorted(paths, key=lambda one: one.name):
        try:
            runs.append(read(RunFolder.open(path)))
        except (EvidenceError, UsageError) as error:
            unread.append(UnreadRun(path.name, error_text(error)))
    return runs, unread


def folders_of(source: str) -> tuple[Path, ...]:
    """The folders of the runs that a source other than `last:N` names.

    Raises:
        UsageError: it names none, or more than RUNS_MOST.
    """
    parts = [source] if Path(source).exists() else [part for part in source.split(",") if part]
    paths = tuple(dict.fromkeys(path for part in parts for path in _runs_in(Path(part))))
    if not paths:
        raise UsageError("holds no run", where=source or "BASE or NEW", hint=_HINT)
    if len(paths) > RUNS_MOST:
        raise UsageError(
            f"holds {len(paths):,} runs, more than {RUNS_MOST:,}", where=source, hint=_HINT
        )
    return paths


def _runs_in(path: Path) -> Iterator[Path]:
    """The run itself, the runs of a group, or those in a folder of reports, groups included.

    Runs of searches, rounds of random faults and experiments differ on purpose, and are left out.
    """
    if not path.is_dir():
        raise UsageError("no such folder", where=str(path), hint=_HINT)
    own = path.absolute()
    if InterleaveFolder.is_at(own):
        raise UsageError(
            "has the runs of both sides",
            where=str(path),
            hint=f"compare them by harness compare {path}, or name runs of one side",
        )
    if is_run(own):
        yield own
        return
    for folder in [own] if GroupFolder.is_at(own) else _subfolders(own):
        if is_run(folder):
            yield folder
        elif GroupFolder.is_at(folder):
            yield from filter(is_run, _subfolders(folder))


def is_run(path: Path) -> bool:
    """Whether this is the folder of a run."""
    return (path / "plan.json").is_file()


def _subfolders(path: Path) -> list[Path]:
    try:
        return sorted(one for one in path.iterdir() if one.is_dir() and not one.is_symlink())
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _newest(source: str, count: int, reports: Path, others: RunSet) -> RunSet:
    """The newest runs of the other side's scenario; none that is in the other side.

    Raises:
        UsageError: the other side has no run that could be read, or the folder has none of these.
    """
    if not others.runs:
        raise UsageError(
            f"no run of {others.source} can be read, so the scenario is not known", where=source
        )
    scenario = others.runs[0].scenario
    known = {one.run_id for one in others.runs} | {one.run_id for one in others.unread}
    runs: list[ComparedRun] = []
    unread: list[UnreadRun] = []
    for path in sorted(folders_of(str(reports)), key=lambda one: one.name, reverse=True):
        if len(runs) == count:
            break
        if path.name in known:
            continue
        found, failed = read_each([path], read_compared_run)
        unread += failed
        runs += [one for one in found if one.scenario == scenario]
    if not runs:
        raise UsageError(f"has no other run of {scenario}", where=f"{source} of {reports}")
    return RunSet(source, tuple(reversed(runs)), tuple(unread))
