"""`harness watch`: a run of another shell, in this one's terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from harness.cli.console import make_console
from harness.clock import NS_PER_S, SystemClock
from harness.errors import EvidenceError, Exit, UsageError
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.process.interrupt import Interrupted
from harness.run.live.folder_source import FolderSource
from harness.run.live.page_source import PageSource
from harness.run.live.run_view import RunSource, RunView
from harness.run.live.terminal_progress import ProgressView
from harness.run.live.watch import watch

LATEST = "latest"
# Whoever watches a log wants to see that it moves.
PLAIN_EVERY_NS = NS_PER_S


def watch_run(target: str, reports: Path) -> int:
    """Watch until the run ends; its verdict's exit code, or 0 when one has stopped to watch.

    Args:
        target: a run's folder or id, `latest`, or the URL of a metrics page.
        reports: where runs lie.

    Raises:
        UsageError: there is no such run.
    """
    console = make_console()
    folder = None if "://" in target else find_run(target, reports)
    clock = SystemClock()
    window: RunSource = PageSource(target) if folder is None else FolderSource(folder, clock)
    try:
        name = target if folder is None else folder.run_id
        console.print(f"watching {name}", markup=False, highlight=False, soft_wrap=True)
        with ProgressView(console, PLAIN_EVERY_NS) as view:
            last = watch(window, clock, view.show, view.say)
    except Interrupted:
        console.print("stopped watching; the run goes on without")
        return int(Exit.PASS)
    return _end(last, folder or _folder_of(last.run_id, reports), console)


def find_run(target: str, reports: Path) -> RunFolder:
    """The folder of a run: a path, an id below `reports`, or the newest there.

    Raises:
        UsageError: there is none.
    """
    if target == LATEST:
        found = _newest(reports)
        if found is None:
            raise UsageError(
                "no run is here", where=str(reports), hint="start one, or say --reports DIR"
            )
        return found
    for path in (Path(target), reports / target):
        if GroupFolder.is_at(path) and (member := _newest(path)) is not None:
            return member
        if (path / "journal").is_dir():
            return RunFolder(path.absolute())
    raise UsageError(
        "no such run",
        where=target,
        hint=f"give a run's folder, its id below {reports}, '{LATEST}', or the URL of its page",
    )


def _newest(reports: Path) -> RunFolder | None:
    """The run below a folder that began last, be it alone or one of several."""
    journals = (*reports.glob("*/journal"), *reports.glob("*-repeat/*/journal"))
    runs = sorted((path.parent for path in journals), key=lambda path: path.name)
    return RunFolder(runs[-1].absolute()) if runs else None


def _folder_of(run_id: str, reports: Path) -> RunFolder | None:
    """The folder of the run that a page names, if it is on this host."""
    try:
        return find_run(run_id, reports) if run_id else None
    except UsageError:
        return None


def _end(last: RunView, folder: RunFolder | None, console: Console) -> int:
    if folder is None or not folder.result.exists():
        where = f"; its evidence is in {folder.path}" if folder is not None else ""
        console.print(f"no verdict to be seen of {last.run_id or 'the run'}{where}", markup=False)
        return int(Exit.INVALID)
    # The judge is slow to import: now that the run is over, that disturbs no measurement.
    from harness.assessment.result import ResultOutdatedError, read_result
    from harness.report.terminal import verdict_line

    try:
        judgement = read_result(folder).judgement
    except ResultOutdatedError as error:
        raise EvidenceError(
            f"NOT VERIFIED: {error.what}",
            where=error.where,
            hint=f"judge it again: harness judge {folder.path}",
        ) from error
    console.print()
    console.print(verdict_line(judgement))
    console.print(f"evidence and result in {folder.path}", markup=False, soft_wrap=True)
    return judgement.exit_code
