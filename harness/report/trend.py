"""Runs over time: series that can be compared, the changes of their level, and both as text.

A series has the runs of one question, on one kind of stack, with one contract, on one class of
host. In each series each objective is a metric of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from harness.analysis.change_points import RUNS_MIN, ChangePoint, Level, find_changes
from harness.evidence.history import HistoryLine, Metric
from harness.formatting import (
    format_count,
    format_duration_fixed,
    format_number,
    format_percent,
    format_share_fixed,
)
from harness.report.history import HistoryRun

# Of a series; older ones are left out of it.
POINTS_MAX = 2_000
# Least change of a level that may be zero, besides the relative one: 0.1 %, and 0.1 MB/h.
_ABSOLUTE_MIN = {"share": 0.001, "bytes_per_h": 100_000.0}
COMMIT_DIGITS = 12

COLUMNS = (
    "run_id", "time", "scenario", "question", "stack", "system", "contract", "host", "commit",
    "seed", "verdict", "grade", "metric", "objective", "unit", "estimate", "lower", "upper",
    "limit", "censored", "change", "unverified",
)  # fmt: skip


class Direction(StrEnum):
    """Of a change: `slower` and `faster` of durations, `worse` and `better` of other metrics."""

    SLOWER = "slower"
    FASTER = "faster"
    WORSE = "worse"
    BETTER = "better"

    @property
    def is_bad(self) -> bool:
        """Whether the system lost."""
        return self in (Direction.SLOWER, Direction.WORSE)


class SeriesKey(NamedTuple):
    """What has to be equal for runs to be compared."""

    scenario: str
    question: str
    stack: str
    system: str
    contract: str
    host: str


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """A run whose figure counts."""

    line: HistoryLine
    metric: Metric
    level: Level

    @property
    def is_censored(self) -> bool:
        """Whether the figure is a lower bound only."""
        return self.level.at_most != self.level.at_least


@dataclass(frozen=True, slots=True)
class TrendChange:
    """A change between two successive points.

    Attributes:
        before, after: the runs on both sides of it.
        differs: what else differs between these two: `commit`, `harness`, `images.<service>`.
    """

    direction: Direction
    point: ChangePoint
    before: HistoryLine
    after: HistoryLine
    differs: tuple[str, ...]

    @property
    def commits(self) -> str:
        """The range of commits, for `git log`; empty where it is one commit or unknown."""
        pair = [one.commit[:COMMIT_DIGITS] for one in (self.before, self.after)]
        return "..".join(pair) if "commit" in self.differs and all(pair) else ""


@dataclass(frozen=True, slots=True)
class TrendSeries:
    """One metric over time.

    Attributes:
        metric: of the newest run that has it.
        points: in order of time.
    """

    metric: Metric
    points: tuple[TrendPoint, ...]
    changes: tuple[TrendChange, ...]

    @property
    def runs_missing(self) -> int:
        """How many more runs it needs before a change can be found."""
        return max(0, RUNS_MIN - len(self.points))


@dataclass(frozen=True, slots=True)
class Trend:
    """Runs that can be compared, in order of time, and each of their metrics.

    Attributes:
        runs: all of them, also those whose figures do not count.
    """

    key: SeriesKey
    runs: tuple[HistoryRun, ...]
    series: tuple[TrendSeries, ...]

    @property
    def newest(self) -> HistoryLine:
        """The last run."""
        return self.runs[-1].line


def trends_of(runs: Iterable[HistoryRun]) -> tuple[Trend, ...]:
    """The trends of runs, which come in order of time; trends are in order of their keys."""
    by_key: dict[SeriesKey, list[HistoryRun]] = {}
    names: dict[str, str] = {}
    for run in runs:
        line = run.line
        # A question goes by the name that its newest run has.
        names[line.question] = line.scenario
        key = SeriesKey("", line.question, line.stack, line.system, line.contract, line.host)
        by_key.setdefault(key, []).append(run)
    found = {key._replace(scenario=names[key.question]): own for key, own in by_key.items()}
    return tuple(_trend(key, found[key][-POINTS_MAX:]) for key in sorted(found))


def _trend(key: SeriesKey, runs: Sequence[HistoryRun]) -> Trend:
    points: dict[str, list[TrendPoint]] = {}
    for run in runs:
        for metric in run.line.metrics if run.is_measured else ():
            if (level := level_of(metric)) is not None:
                points.setdefault(metric.id, []).append(TrendPoint(run.line, metric, level))
    return Trend(key, tuple(runs), tuple(_series(own) for own in points.values()))


def level_of(metric: Metric) -> Level | None:
    """What a run says of the level; None where it has neither an estimate nor a lower bound."""
    estimate, lower, upper = metric.estimate, metric.lower, metric.upper
    if estimate is not None and (upper is not None or lower is None):
        return Level(estimate, estimate)
    if lower is None:
        return None
    most = upper if estimate is None else estimate
    return Level(lower, math.inf if most is None else max(lower, most))


def _series(points: Sequence[TrendPoint]) -> TrendSeries:
    metric = points[-1].metric
    absolute_min = _ABSOLUTE_MIN.get(metric.unit, 0.0)
    changes = find_changes([point.level for point in points], absolute_min)
    return TrendSeries(metric, tuple(points), tuple(_change(one, points) for one in changes))


def _change(one: ChangePoint, points: Sequence[TrendPoint]) -> TrendChange:
    before, after = points[one.index - 1].line, points[one.index].line
    metric = points[one.index].metric
    is_bad = one.is_up == (metric.good == "low")
    if metric.unit == "ns":
        direction = Direction.SLOWER if is_bad else Direction.FASTER
    else:
        direction = Direction.WORSE if is_bad else Direction.BETTER
    return TrendChange(direction, one, before, after, tuple(_differences(before, after)))


def _differences(before: HistoryLine, after: HistoryLine) -> Iterator[str]:
    for name in ("commit", "harness"):
        if getattr(before, name) != getattr(after, name):
            yield name
    for service in sorted(before.images.keys() | after.images.keys()):
        if before.images.get(service) != after.images.get(service):
            yield f"images.{service}"


def rows(trends: Iterable[Trend]) -> Iterator[tuple[object, ...]]:
    """A row for each metric of each run, or one for a run without any; see `COLUMNS`."""
    for trend in trends:
        changes = {
            (one.after.run_id, series.metric.id): one.direction.value
            for series in trend.series
            for one in series.changes
        }
        for run in trend.runs:
            for metric in run.line.metrics or (None,):
                yield _row(run, metric, changes)


def _row(
    run: HistoryRun, metric: Metric | None, changes: dict[tuple[str, str], str]
) -> tuple[object, ...]:
    own = run.line.model_dump() | {"verdict": run.verdict, "unverified": run.unverified}
    if metric is not None:
        level = level_of(metric)
        own |= metric.model_dump() | {
            "metric": metric.id,
            "censored": level is not None and level.at_most != level.at_least,
            "change": changes.get((run.line.run_id, metric.id), ""),
        }
    return tuple(own.get(name) for name in COLUMNS)


def format_value(metric: Metric, value: float | None) -> str:
    """A figure of a metric; a dash for None."""
    if value is None:
        return "-"
    if metric.unit == "ns":
        return format_duration_fixed(value)
    if metric.unit == "share":
        return format_share_fixed(value)
    return f"{value / 1e6:,.3g} MB/h" if metric.unit == "bytes_per_h" else format_number(value)


def series_text(series: TrendSeries) -> str:
    """What is known of a metric, in one line: the last change, or why there is none."""
    runs = format_count(len(series.points), "run")
    if series.runs_missing:
        return f"too few runs to find a change: {len(series.points)} of {RUNS_MIN}"
    if not series.changes:
        return f"no change in {runs}"
    found = format_count(len(series.changes), "change")
    return f"{found} in {runs}; the last: {change_text(series, series.changes[-1])}"


def change_text(series: TrendSeries, change: TrendChange) -> str:
    """A change in one line, with what it may come from."""
    levels = (format_value(series.metric, one) for one in (change.point.before, change.point.after))
    parts = [
        f"{change.direction}{_size(change.point)} from {change.after.run_id} on",
        " -> ".join(levels),
        f"p = {change.point.p_value:.1g}",
    ]
    if change.commits:
        parts.append(f"commits {change.commits}")
    others = [name for name in change.differs if name != "commit" or not change.commits]
    if others:
        parts.append(f"also changed: {', '.join(others)}")
    return ", ".join(parts)


def change_summary(series: TrendSeries, change: TrendChange) -> str:
    """A change in a few words: `slower by 28 % since 2026-01-21 (40.5 ms -> 52.0 ms)`."""
    levels = (format_value(series.metric, one) for one in (change.point.before, change.point.after))
    since = change.after.time.partition("T")[0]
    return f"{change.direction}{_size(change.point)} since {since} ({' -> '.join(levels)})"


def _size(point: ChangePoint) -> str:
    if not point.before or point.ratio < 0:
        return ""
    return f" by {format_percent(abs(point.ratio - 1))}"


def trend_title(trend: Trend) -> str:
    """`smoke, docker stack`; of an attached system with its name."""
    system = f" {trend.key.system}" if trend.key.system else ""
    return f"{trend.key.scenario}, {trend.key.stack} stack{system}"
