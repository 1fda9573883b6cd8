"""`harness trend --markdown FILE --svg FILE`: the series of the newest run, drawn for a CI job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.standard_streams import emit
from harness.errors import UsageError
from harness.evidence import atomic_files
from harness.report.history import HistoryRun
from harness.report.sparkline import (
    Sparkline,
    SparklineRun,
    sparkline,
    svg_sparkline,
)
from harness.report.sparkline_markdown import markdown_sparkline
from harness.report.trend import Trend, TrendSeries, level_of, series_text

_STDOUT = Path("-")


@dataclass(frozen=True, slots=True)
class TrendPictures:
    """Where each form goes; None for those that were not asked for, `-` for the terminal."""

    markdown: Path | None = None
    svg: Path | None = None

    @property
    def on_terminal(self) -> bool:
        """Whether one goes to the terminal, which then shows nothing else."""
        return _STDOUT in (self.markdown, self.svg)


def write_pictures(trends: Sequence[Trend], pictures: TrendPictures) -> None:
    """Draw the series that the newest of all runs belongs to.

    Raises:
        UsageError: there is no such folder.
        EvidenceError: a file cannot be written.
    """
    line = newest_series(trends)
    forms: tuple[tuple[Path | None, Callable[[Sparkline], str]], ...] = (
        (pictures.markdown, markdown_sparkline),
        (pictures.svg, svg_sparkline),
    )
    for path, draw in forms:
        if path == _STDOUT:
            emit(draw(line))
        elif path is not None:
            if not path.absolute().parent.is_dir():
                raise UsageError("there is no such folder", where=str(path.absolute().parent))
            atomic_files.write_text(path, draw(line))


def newest_series(trends: Sequence[Trend]) -> Sparkline:
    """The series of the newest run: its first metric that is a duration."""
    trend = max(trends, key=lambda one: (one.newest.time, one.newest.run_id))
    main = next((one for one in trend.series if one.metric.unit == "ns"), None)
    runs = [_run(run, main) for run in trend.runs]
    if main is None:
        return sparkline(trend.key.scenario, "", runs)
    return sparkline(trend.key.scenario, main.metric.objective, runs, series_text(main))


def _run(run: HistoryRun, main: TrendSeries | None) -> SparklineRun:
    metrics = run.line.metrics if main is not None else ()
    own = next((one for one in metrics if main and one.id == main.metric.id), None)
    level = None if own is None else level_of(own)
    return SparklineRun(
        run_id=run.line.run_id,
        verdict=run.verdict,
        value_ns=None if level is None else round(level.at_least),
        censored=level is not None and level.at_most != level.at_least,
        measures=run.is_measured,
    )
