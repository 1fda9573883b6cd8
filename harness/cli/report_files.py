"""Reports of a run, or of several together: which are wanted, and where they go."""

from __future__ import annotations

import json
import os
import webbrowser
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from harness.assessment.capacity import CapacityResult
from harness.assessment.capacity_folder import CapacityFolder
from harness.assessment.chaos import ChaosResult
from harness.assessment.comparison import ComparisonQuestion, compare_runs
from harness.assessment.comparison_result import ComparisonResult
from harness.assessment.group import GroupJudgement
from harness.assessment.group_result import read_group_result
from harness.assessment.interleave_folder import InterleaveFolder
from harness.assessment.isolation_result import IsolationJudgement
from harness.assessment.run_sources import runs_of
from harness.assessment.scale_folder import ScaleFolder
from harness.assessment.scale_result import ScaleResult
from harness.cli.standard_streams import emit
from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.chaos_folder import ChaosFolder
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.experiments.chaos import judge_rounds
from harness.experiments.isolation_run import judge_blocks
from harness.report.data import ReportData, read_report_data
from harness.report.hgrm import write_hgrm
from harness.report.html import html_report
from harness.report.html.against_page import against_page
from harness.report.html.capacity_page import capacity_page
from harness.report.html.card import card_png, card_svg
from harness.report.html.chaos_page import chaos_page
from harness.report.html.group_page import group_page
from harness.report.html.isolation_page import isolation_page
from harness.report.html.scale_page import scale_page
from harness.report.junit import (
    capacity_junit_xml,
    compare_junit_xml,
    group_junit_xml,
    junit_xml,
    scale_junit_xml,
)
from harness.report.markdown import (
    capacity_markdown,
    compare_markdown,
    group_markdown,
    markdown,
    scale_markdown,
)
from harness.report.samples import write_csv
from harness.report.scale import CELLS_CSV, cells_csv

# GitHub shows the file that this variable names on the page of the job.
SUMMARY = "GITHUB_STEP_SUMMARY"
STDOUT = Path("-")
ISOLATION_PAGE = "isolation.html"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """Where each report goes; None for those that were not asked for.

    Attributes:
        against: folder of a run to compare with; the page then shows both.
    """

    html: Path | None = None
    junit: Path | None = None
    markdown: Path | None = None
    csv: Path | None = None
    hgrm: Path | None = None
    json: Path | None = None
    card: Path | None = None
    against: Path | None = None

    @property
    def anything(self) -> bool:
        """Whether anything was asked for."""
        return any(
            getattr(self, one.name) is not None for one in fields(self) if one.name != "against"
        )


def report_folder(path: Path, wanted: ReportRequest, *, show: bool, console: Console) -> None:
    """Write the reports that are wanted of a run or a group, or those that it always has.

    Args:
        path: folder of the run, or of the group.
        wanted: what goes where.
        show: whether the page is opened in a browser.
        console: shows what was written.

    Raises:
        UsageError: the folder is none, or a group has no such report.
        EvidenceError: evidence is missing or unreadable, or a report cannot be written.
    """
    if wanted.against is not None:
        written = _report_against(path, wanted.against, wanted, show=show)
    elif CapacityFolder.is_at(path):
        written = _report_capacity(CapacityFolder.open(path), wanted, show=show)
    elif ScaleFolder.is_at(path):
        written = _report_scale(ScaleFolder.open(path), wanted, show=show)
    elif GroupFolder.is_at(path):
        written = _report_group(GroupFolder(path.absolute()), wanted, show=show)
    elif ChaosFolder.is_at(path):
        written = _report_chaos(ChaosFolder.open(path), wanted, show=show)
    else:
        written = _report_run_folder(RunFolder.open(path), wanted, show=show, console=console)
    for one in written:
        console.print(f"written: {one}", markup=False, highlight=False, soft_wrap=True)


def _report_run_folder(
    folder: RunFolder, wanted: ReportRequest, *, show: bool, console: Console
) -> tuple[Path, ...]:
    with_isolation = not wanted.anything and folder.read_scenario().isolation is not None
    wanted = _with_page(wanted, folder.html, folder.junit, show=show)
    data = read_report_data(folder)
    if data.rejudged_reason:
        text = f"judged anew for this report: {data.rejudged_reason}"
        # Where a report goes to the output itself, the report states it.
        if STDOUT not in (wanted.junit, wanted.markdown, wanted.card):
            console.print(text, style="yellow", markup=False, soft_wrap=True)
    written = list(_report_run(data, wanted))
    if with_isolation:
        written += _write(folder.path / ISOLATION_PAGE, _isolation_page(folder))
    if show and wanted.html is not None:
        webbrowser.open(wanted.html.absolute().as_uri())
    return tuple(written)


def _report_against(
    path: Path, other: Path, wanted: ReportRequest, *, show: bool
) -> tuple[Path, ...]:
    """The page of two runs; `compare-<other run>.html` in the folder of the first one by default.

    Raises:
        UsageError: another report was asked for, or the two are not comparable runs.
    """
    if replace(wanted, html=None, against=None).anything:
        raise UsageError(
            "two runs together have a page only",
            where="--against",
            hint="leave it out for the reports of one run",
        )
    new, base = RunFolder.open(path), RunFolder.open(other)
    result = compare_runs(runs_of(str(base.path)), runs_of(str(new.path)), ComparisonQuestion())
    html = wanted.html or new.path / f"compare-{base.run_id}.html"
    page = against_page(read_report_data(base), read_report_data(new), result)
    return _write_all([(html, lambda: page)], html if show else None)


def _isolation_page(folder: RunFolder) -> str:
    return isolation_page(judge_blocks(folder), folder.run_id)


def report_isolation_after(
    folder: RunFolder, judgement: IsolationJudgement, console: Console
) -> None:
    """The page of an isolation experiment, beside that of its run."""
    page = folder.path / ISOLATION_PAGE
    _or_warning(lambda: _write(page, isolation_page(judgement, folder.run_id)), console)


def report_chaos_after(folder: ChaosFolder, result: ChaosResult, console: Console) -> None:
    """The page of rounds of random faults."""
    _or_warning(lambda: _write(folder.html, chaos_page(result, folder.path.name)), console)


def report_after(folder: RunFolder, console: Console) -> None:
    """The reports that every run has; one that fails is a warning and changes nothing else."""

    def both() -> None:
        wanted = ReportRequest(html=folder.html, junit=folder.junit)
        for _ in _report_run(read_report_data(folder), wanted):
            pass

    _or_warning(both, console)


def report_group_after(folder: GroupFolder, judgement: GroupJudgement, console: Console) -> None:
    """The same of several runs together, and what the page of the CI job shows of them."""

    def one() -> str:
        _write(folder.junit, group_junit_xml(judgement, folder))
        _write(folder.html, group_page(judgement, folder.path.name))
        return group_markdown(judgement, folder)

    if (text := _or_warning(one, console)) is not None:
        append_summary(text, os.environ, console)


def report_capacity_after(folder: CapacityFolder, result: CapacityResult, console: Console) -> None:
    """The same of a search of the capacity, with its page."""

    def both() -> str:
        _write(folder.junit, capacity_junit_xml(result))
        _write(folder.html, capacity_page(result))
        return capacity_markdown(result, folder.path)

    if (text := _or_warning(both, console)) is not None:
        append_summary(text, os.environ, console)


def report_scale_after(folder: ScaleFolder, result: ScaleResult, console: Console) -> None:
    """The same of an experiment over levels, with its page and its table."""

    def all_of_them() -> str:
        _write(folder.junit, scale_junit_xml(result))
        _write(folder.html, scale_page(result))
        _write(folder.path / CELLS_CSV, cells_csv(result))
        return scale_markdown(result, folder.path)

    if (text := _or_warning(all_of_them, console)) is not None:
        append_summary(text, os.environ, console)


def report_compare_after(
    folder: InterleaveFolder, result: ComparisonResult, console: Console
) -> None:
    """JUnit XML of alternate runs of two systems, and what the page of the CI job shows of them."""

    def both() -> str:
        _write(folder.junit, compare_junit_xml(result))
        return compare_markdown(result)

    if (text := _or_warning(both, console)) is not None:
        append_summary(text, os.environ, console)


def report_comparison(result: ComparisonResult, wanted: ReportRequest) -> None:
    """Write the reports of a comparison that are wanted.

    Raises:
        UsageError: there is no such folder.
        EvidenceError: a report cannot be written.
    """
    # Two of them begin a command of some CI systems; in JSON they are in texts only.
    document = json.dumps(result.model_dump(mode="json"), indent=1).replace("##", "#\\u0023")
    texts = (
        (wanted.markdown, lambda: compare_markdown(result)),
        (wanted.json, lambda: document + "\n"),
        (wanted.junit, lambda: compare_junit_xml(result)),
    )
    _write_all(texts, None)


def append_summary(text: str, environ: Mapping[str, str], console: Console) -> None:
    """Add Markdown to what the page of the CI job shows, where there is such a page."""
    if not (name := environ.get(SUMMARY)):
        return

    def append() -> None:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    _or_warning(append, console)


def summarise(folder: RunFolder, console: Console) -> None:
    """Put a run on the page of the CI job, where there is one."""
    if not os.environ.get(SUMMARY):
        return
    text = _or_warning(lambda: markdown(read_report_data(folder)), console)
    if text is not None:
        append_summary(text, os.environ, console)


def _report_run(data: ReportData, wanted: ReportRequest) -> Iterator[Path]:
    texts: tuple[tuple[Path | None, Callable[[ReportData], str]], ...] = (
        (wanted.html, html_report),
        (wanted.junit, junit_xml),
        (wanted.markdown, markdown),
    )
    for path, make in texts:
        if path is not None:
            yield from _write(path, make(data))
    if wanted.card is not None:
        is_png = wanted.card.suffix.lower() == ".png"
        yield from _write(wanted.card, card_png(data) if is_png else card_svg(data))
    if wanted.csv is not None:
        yield from write_csv(data, wanted.csv)
    if wanted.hgrm is not None:
        yield from write_hgrm(data.measurement, wanted.hgrm)


def _report_capacity(
    folder: CapacityFolder, wanted: ReportRequest, *, show: bool
) -> tuple[Path, ...]:
    if wanted.csv or wanted.hgrm or wanted.card:
        raise UsageError(
            "a search has a page, JUnit XML and Markdown only",
            where=str(folder.path),
            hint="name the folder of one of its trials for CSV, .hgrm files or a card",
        )
    result = folder.read_result()
    wanted = _with_page(wanted, folder.html, folder.junit, show=show)
    texts: tuple[tuple[Path | None, Callable[[], str]], ...] = (
        (wanted.html, lambda: capacity_page(result)),
        (wanted.junit, lambda: capacity_junit_xml(result)),
        (wanted.markdown, lambda: capacity_markdown(result, folder.path)),
    )
    return _write_all(texts, wanted.html if show else None)


def _report_scale(folder: ScaleFolder, wanted: ReportRequest, *, show: bool) -> tuple[Path, ...]:
    if wanted.hgrm or wanted.card:
        raise UsageError(
            "an experiment has no percentile distributions and no card",
            where=str(folder.path),
            hint="name the folder of one of its runs for these",
        )
    result = folder.read_result()
    wanted = _with_page(wanted, folder.html, folder.junit, show=show)
    texts: tuple[tuple[Path | None, Callable[[], str]], ...] = (
        (wanted.html, lambda: scale_page(result)),
        (wanted.junit, lambda: scale_junit_xml(result)),
        (wanted.markdown, lambda: scale_markdown(result, folder.path)),
        (wanted.csv / CELLS_CSV if wanted.csv else None, lambda: cells_csv(result)),
    )
    return _write_all(texts, wanted.html if show else None)


def _with_page(wanted: ReportRequest, html: Path, junit: Path, *, show: bool) -> ReportRequest:
    """Without any option page and JUnit XML; a page too where it is to be opened."""
    if not wanted.anything:
        return ReportRequest(html=html, junit=junit)
    return replace(wanted, html=html) if show and wanted.html is None else wanted


def _write_all(
    texts: Iterable[tuple[Path | None, Callable[[], str]]], shown: Path | None
) -> tuple[Path, ...]:
    """Write what has a path, and open a page in a browser."""
    written: list[Path] = []
    for path, make in texts:
        if path is not None:
            written += _write(path, make())
    if shown is not None:
        webbrowser.open(shown.absolute().as_uri())
    return tuple(written)


def _report_group(folder: GroupFolder, wanted: ReportRequest, *, show: bool) -> tuple[Path, ...]:
    if wanted.csv or wanted.hgrm or wanted.card:
        raise UsageError(
            "several runs together have a page, JUnit XML and Markdown only",
            where=str(folder.path),
            hint="name the folder of one of its runs for CSV, .hgrm files or a card",
        )
    judgement = read_group_result(folder)
    wanted = _with_page(wanted, folder.html, folder.junit, show=show)
    texts: tuple[tuple[Path | None, Callable[[], str]], ...] = (
        (wanted.html, lambda: group_page(judgement, folder.path.name)),
        (wanted.junit, lambda: group_junit_xml(judgement, folder)),
        (wanted.markdown, lambda: group_markdown(judgement, folder)),
    )
    return _write_all(texts, wanted.html if show else None)


def _report_chaos(folder: ChaosFolder, wanted: ReportRequest, *, show: bool) -> tuple[Path, ...]:
    if replace(wanted, html=None).anything:
        raise UsageError(
            "rounds of random faults have a page only",
            where=str(folder.path),
            hint="name the folder of one of its rounds for other reports",
        )
    html = wanted.html or folder.html
    # Judged again: its stored result is not bound to the evidence.
    result = judge_rounds(folder)
    return _write_all(
        [(html, lambda: chaos_page(result, folder.path.name))], html if show else None
    )


def _write(path: Path, content: str | bytes) -> list[Path]:
    """Write a report; what goes to the terminal, or into a pipe, is no file."""
    if path == STDOUT and isinstance(content, str):
        emit(content)
        return []
    if not path.absolute().parent.is_dir():
        raise UsageError("there is no such folder", where=str(path.absolute().parent))
    if isinstance(content, str):
        atomic_files.write_text(path, content)
    else:
        with atomic_files.new_file(path) as file:
            file.write(content)
    return [path]


def _or_warning(make: Callable[[], T], console: Console) -> T | None:
    try:
        return make()
    except (EvidenceError, UsageError) as error:
        reason = str(error)
    except Exception as error:  # the verdict stands, whatever is wrong with its report
        reason = f"{type(error).__name__}: {error}"
    console.print(f"warning: no report: {reason}", style="yellow", markup=False)
    return None
