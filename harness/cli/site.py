"""`harness site`: a folder that CI can publish, with a page over all runs and their reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from harness.cli.history_files import show_left_out
from harness.cli.trend import read_runs
from harness.errors import HarnessError
from harness.evidence import atomic_files
from harness.formatting import format_count
from harness.report.html.history_page import history_page
from harness.report.trend import trends_of
from harness.safe_open import read_regular

INDEX = "index.html"
RUNS = "runs"
# Each has 1.5 MB and more: the newest that are copied by one call.
REPORTS_MAX = 200


def write_site(
    folder: Path, histories: Sequence[Path], reports: Path | None, console: Console
) -> None:
    """Write the page, and copy the report of each run that has one.

    Args:
        folder: of the site; made where it is missing.
        histories: files or folders.
        reports: folder of runs; None: no report is copied.
        console: shows what was written, and what was left out.

    Raises:
        UsageError: no such file or folder, or no run with a result.
        EvidenceError: a file cannot be read or written.
    """
    left_out: list[str] = []
    runs = read_runs(reports, histories, left_out)
    ids = [run.line.run_id for run in runs]
    target = folder / RUNS
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic_files.io_error("create", target, error) from error
    copied = _copy_reports(reports, ids, target, left_out) if reports else 0
    links = {run_id: f"{RUNS}/{quote(run_id)}.html" for run_id in ids if _is_there(target, run_id)}
    page = history_page(trends_of(runs), links, left_out)
    atomic_files.write_text(folder / INDEX, page)
    show_left_out(left_out, console)
    console.print(
        f"written: {folder / INDEX}: {format_count(len(runs), 'run')},"
        f" {len(links)} with a report ({copied} copied)",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _copy_reports(reports: Path, ids: Sequence[str], target: Path, left_out: list[str]) -> int:
    pages = [*reports.glob("*/report.html"), *reports.glob("*/*/report.html")]
    found = {page.parent.name: page for page in pages if not page.parent.is_symlink()}
    wanted = [run_id for run_id in ids if run_id in found]
    copied = 0
    for run_id in wanted[-REPORTS_MAX:]:
        try:
            data = read_regular(found[run_id])
            with atomic_files.new_file(_page(target, run_id)) as file:
                file.write(data)
        except (HarnessError, OSError) as error:
            what = error.what if isinstance(error, HarnessError) else error.strerror
            left_out.append(f"{run_id}: report.html {what}")
        else:
            copied += 1
    if (older := len(wanted) - REPORTS_MAX) > 0:
        left_out.append(f"the reports of {older} older runs: {REPORTS_MAX} are copied at a time")
    return copied


def _is_there(target: Path, run_id: str) -> bool:
    try:
        return _page(target, run_id).is_file()
    except OSError:  # a name that no file can have
        return False


def _page(target: Path, run_id: str) -> Path:
    return target / f"{run_id}.html"
