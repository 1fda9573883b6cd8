"""Runs that are added to a history, and runs of a history or of a folder of reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from harness.assessment.capacity_folder import CapacityFolder
from harness.assessment.scale_folder import ScaleFolder
from harness.clock import SystemClock
from harness.errors import EvidenceError, HarnessError, UsageError, error_text
from harness.evidence.history import HistoryLine, append_history, merge_history, read_history
from harness.evidence.run_folder import RunFolder
from harness.report.history import HistoryRun, read_run, read_search


def record_after(
    history: Path | None, folder: RunFolder | CapacityFolder, console: Console
) -> None:
    """Add a run that has its verdict, or a search; what fails is a warning and changes nothing."""
    if history is None:
        return
    try:
        append_history(history, [_line_of(folder)])
    except HarnessError as error:
        reason = error_text(error)
    except Exception as error:  # the verdict stands, whatever is wrong with the history
        reason = f"{type(error).__name__}: {error}"
    else:
        return
    console.print(
        f"warning: not added to the history: {reason}", style="yellow", markup=False, soft_wrap=True
    )


def add_runs(history: Path, paths: Sequence[Path], console: Console) -> None:
    """Add stored runs, groups, searches, or all of them in folders of reports.

    Raises:
        UsageError: a path has none, or none of them can be added.
        EvidenceError: the history cannot be read or written.
    """
    left_out: list[str] = []
    found = [line for path in paths for line in _lines_below(path, left_out)]
    known = {one.run_id: one for one in read_history([history]).lines} if history.exists() else {}
    new = [line for line in found if not _is_known(line, known.get(line.run_id))]
    append_history(history, new)
    show_left_out(left_out, console)
    if not found:
        raise UsageError(
            "no run was added",
            where=str(history),
            hint="give folders of runs that have a result; `harness judge` makes one",
        )
    console.print(f"added: {len(new)}; already there: {len(found) - len(new)}", markup=False)


def merge(history: Path, sources: Sequence[Path], console: Console) -> None:
    """Append what other histories have in addition.

    Raises:
        UsageError: a source is missing.
        EvidenceError: a file cannot be read or written.
    """
    console.print(f"lines added: {merge_history(history, sources)}", markup=False)


def runs_of_histories(paths: Sequence[Path], left_out: list[str]) -> list[HistoryRun]:
    """The runs of histories, in order of time.

    Args:
        paths: of files or folders.
        left_out: receives each line that cannot be read.

    Raises:
        UsageError: there is no such file or folder.
        EvidenceError: a file cannot be read.
    """
    history = read_history(paths)
    left_out += [f"{one.where}: {one.why}" for one in history.skipped]
    return [HistoryRun(line) for line in history.lines]


def runs_of_reports(folder: Path, left_out: list[str]) -> list[HistoryRun]:
    """The runs and searches below a folder of reports, in order of time.

    Args:
        folder: of reports.
        left_out: receives each folder that cannot be read.

    Raises:
        UsageError: there is no such folder.
    """
    found = []
    for one in _folders_below(folder):
        try:
            found.append(_read(one))
        except HarnessError as error:
            left_out.append(f"{one.path.name}: {error.what}")
    return sorted(found, key=lambda run: (run.line.time, run.line.run_id))


def show_left_out(left_out: Iterable[str], console: Console) -> None:
    """Name what could not be read, a line each."""
    for line in left_out:
        console.print(f"left out: {line}", style="yellow", markup=False, soft_wrap=True)


def _folders_below(path: Path) -> list[RunFolder | CapacityFolder]:
    """The run or the search at a path, or those in a folder of reports or of a group."""
    if not path.is_dir():
        raise UsageError("no such folder", where=str(path))
    path = path.absolute()
    if CapacityFolder.is_at(path):
        return [CapacityFolder(path)]
    if (path / "plan.json").is_file():
        return [RunFolder(path)]
    plans = sorted([*path.glob("*/plan.json"), *path.glob("*/*/plan.json")])
    runs = [plan.parent for plan in plans if not _is_experiment(plan.parent.parent)]
    searches = [facts.parent for facts in sorted(path.glob(f"*/{CapacityFolder.FACTS}"))]
    return [*map(RunFolder, runs), *map(CapacityFolder, searches)]


def _is_experiment(path: Path) -> bool:
    """Whether the runs below are those of a search, each with a load of its own."""
    return CapacityFolder.is_at(path) or ScaleFolder.is_at(path)


def _lines_below(path: Path, left_out: list[str]) -> Iterator[HistoryLine]:
    for folder in _folders_below(path):
        try:
            yield _line_of(folder)
        except HarnessError as error:
            left_out.append(f"{folder.path.name}: {error.what}")


def _line_of(folder: RunFolder | CapacityFolder) -> HistoryLine:
    run = _read(folder)
    if run.unverified:
        raise EvidenceError(
            f"result.json {run.unverified}",
            where=str(folder.path),
            hint="`harness judge` judges the evidence again",
        )
    return run.line


def _read(folder: RunFolder | CapacityFolder) -> HistoryRun:
    if folder.path.is_symlink():
        raise UsageError("is a symbolic link, which is not followed", where=str(folder.path))
    now_ns = SystemClock().wall_ns()
    if isinstance(folder, CapacityFolder):
        return read_search(folder, now_ns)
    return read_run(folder, now_ns)


def _is_known(line: HistoryLine, known: HistoryLine | None) -> bool:
    return known is not None and line == known.model_copy(update={"recorded": line.recorded})
