"""`harness watch`: shows a run of another shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from harness.assessment.capacity_folder import CapacityFolder
from harness.cli.console import make_console
from harness.clock import NS_PER_S, Clock, SystemClock
from harness.errors import EvidenceError, Exit, UsageError
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.process.interrupt import Interrupted
from harness.run.live.folder_source import FolderSource, RunView
from harness.run.live.terminal_progress import ProgressView
from harness.run.parts import ProgressSink

LATEST = "latest"
PLAIN_EVERY_NS = NS_PER_S
POLL_EVERY_NS = NS_PER_S
# Longer than any load may last, a week, and the time before and after it.
_POLLS_MAX = 8 * 86_400


def watch_run(target: str, reports: Path) -> int:
    """Watch until the run ends; its verdict's exit code, or 0 after Ctrl-C.

    Args:
        target: a run's folder or id, or `latest`.
        reports: folder of the runs.

    Raises:
        UsageError: there is no such run.
    """
    console = make_console()
    folder = find_run(target, reports)
    clock = SystemClock()
    source = FolderSource(folder, clock)
    try:
        console.print(f"watching {folder.run_id}", markup=False, highlight=False, soft_wrap=True)
        with ProgressView(console, PLAIN_EVERY_NS) as view:
            watch(source.poll, clock, view.show, view.print_line)
    except Interrupted:
        console.print("stopped watching; the run goes on without")
        return int(Exit.PASS)
    return _end(folder, console)


def watch(
    poll: Callable[[], RunView], clock: Clock, show: ProgressSink, print_line: Callable[[str], None]
) -> RunView:
    """Show a run once a second until it has ended.

    Args:
        poll: reads the run.
        clock: waits between polls.
        show: shows a snapshot.
        print_line: shows a message; each is shown once.

    Returns:
        The newest view; it has not ended only if eight days were not enough.
    """
    message = ""
    for _ in range(_POLLS_MAX):
        view = poll()
        if view.message not in ("", message):
            message = view.message
            print_line(message)
        if view.progress is not None:
            show(view.progress)
        if view.ended:
            break
        clock.sleep_ns(POLL_EVERY_NS)
    return view


def find_run(target: str, reports: Path) -> RunFolder:
    """The folder of a run: a path, an id below `reports`, or the newest there.

    Raises:
        UsageError: there is none.
    """
    if "://" in target:  # it may hold a password, which no message may repeat
        raise UsageError(
            "a run is watched by its folder, not by a URL",
            where="watch",
            hint=f"give a run's folder, its id below {reports}, or '{LATEST}';"
            " docs/live.md describes Prometheus and Grafana for other hosts",
        )
    if target == LATEST:
        found = _newest(reports)
        if found is None:
            raise UsageError(
                "no run is here", where=str(reports), hint="start one, or add --reports DIR"
            )
        return found
    for path in (Path(target), reports / target):
        is_several = GroupFolder.is_at(path) or CapacityFolder.is_at(path)
        if is_several and (member := _newest(path)) is not None:
            return member
        if (path / "journal").is_dir():
            return RunFolder(path.absolute())
    raise UsageError(
        "no such run",
        where=target,
        hint=f"give a run's folder, its id below {reports}, or '{LATEST}'",
    )


def _newest(reports: Path) -> RunFolder | None:
    """The newest run below a folder, also one of a group or of a search."""
    places = ("*/journal", "*-repeat/*/journal", "*-capacity/*/journal")
    journals = [path for place in places for path in reports.glob(place)]
    runs = sorted((path.parent for path in journals), key=lambda path: path.name)
    return RunFolder(runs[-1].absolute()) if runs else None


def _folder_of(run_id: str, reports: Path) -> RunFolder | None:
    """The folder of the run that a page names, if it is on this host."""
    try:
        return find_run(run_id, reports) if run_id else None
    except UsageError:
        return None


def _end(folder: RunFolder, console: Console) -> int:
    if not folder.result.exists():
        where = f"; its evidence is in {folder.path}"
        console.print(f"{folder.run_id} has no verdict{where}", markup=False)
        return int(Exit.INVALID)
    # The judge is slow to import: after the run that disturbs no measurement.
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
