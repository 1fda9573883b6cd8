"""However long a run was, its page stays small."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.histogram import Histogram
from harness.analysis.histogram_encoding import HistogramInterval
from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.report.data import ReportData
from harness.report.html.components import ROWS_MAX, Chart, downsample, downsample_peaks
from harness.report.html.heatmap import (
    CELL_ROWS_MAX,
    COLUMNS_MAX,
    HeatColumn,
    columns_of,
    group_columns,
    heat_figure,
    merge_columns,
)
from harness.report.html.load import rate_figure
from harness.report.html.percentiles import POINTS, curve_points
from harness.report.html.resources import POINTS_MAX, further_parts, resource_parts
from harness.report.html.run_timeline import RunTimeline
from harness.scenario.objective import parse_objective

DURATIONS = st.lists(st.integers(min_value=1, max_value=2**42 - 1), min_size=1, max_size=300)
LONG = RunTimeline(end_s=20_000.0, phases=(("measured", 0.0, 20_000.0),), annotations=())


def interval(start_s: float, durations: list[int]) -> HistogramInterval:
    """A second of a log."""
    return HistogramInterval(start_s, 1.0, "measure-lite-latency", Histogram.of(durations))


@given(st.lists(st.integers()), st.integers(min_value=2, max_value=50))
def test_thinned_keeps_both_ends(values: list[int], most: int) -> None:
    """At most so many, in order, the ends among them."""
    kept = downsample(values, most)
    assert len(kept) == min(len(values), most)
    if values:
        assert (kept[0], kept[-1]) == (values[0], values[-1])


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False)),
    st.integers(min_value=1, max_value=50),
)
def test_peaks_lose_no_peak(values: list[float], most: int) -> None:
    """The highest value is always drawn, at its own time."""
    at = [float(number) for number in range(len(values))]
    kept = downsample_peaks(at, values, most)
    assert len(kept) <= max(most, 0) or len(values) <= most
    assert [when for when, _ in kept] == sorted(when for when, _ in kept)
    if values:
        assert max(value for _, value in kept) == max(values)
        assert all(values[int(when)] == value for when, value in kept)


@given(DURATIONS, st.floats(min_value=0.5, max_value=99.9))
def test_column_agrees_with_its_histogram(durations: list[int], percentile: float) -> None:
    """The same percentile, to the bucket; the same count above a limit."""
    histogram, limit_ns = Histogram.of(durations), durations[0]
    column = columns_of([interval(0.0, durations)])[0]
    percentile = round(percentile, 1)
    found, exact = column.percentile_ns(percentile), histogram.percentile_ns(percentile)
    assert exact is not None
    assert min(found or 0, histogram.max_ns) == exact
    assert column.count_from(limit_ns) == histogram.count - histogram.count_below(limit_ns)


@given(st.lists(DURATIONS, min_size=1, max_size=6), st.integers(min_value=1, max_value=400))
def test_columns_join_without_loss(parts: list[list[int]], enough: int) -> None:
    """Joined or grouped, no signal is counted twice, and only the last few are left out."""
    columns = columns_of(interval(float(n), part) for n, part in enumerate(parts))
    whole = Histogram.of([value for part in parts for value in part])
    one = merge_columns(columns)
    assert one.count == whole.count
    assert np.array_equal(whole.counts[one.buckets], one.counts)
    groups = group_columns(columns, enough)
    assert all(group.count >= enough for group in groups)
    assert whole.count - sum(group.count for group in groups) < enough


def test_heat_map_of_hours_is_bounded() -> None:
    """Columns, rows and table rows have each a bound; every signal is in a cell."""
    intervals = [interval(float(n), [1_000 * (n % 97 + 1), 10**6, 10**10]) for n in range(5_000)]
    figure = heat_figure("lite", iter(intervals), [parse_objective("p99 < 500 ms")], LONG)
    assert figure is not None
    counts = np.array(figure.traces[0]["counts"])
    assert counts.sum() == 15_000
    assert counts.shape[0] <= CELL_ROWS_MAX
    assert counts.shape[1] <= COLUMNS_MAX
    assert len(figure.tables[0].rows) <= ROWS_MAX
    assert len(json.dumps(figure.drawing)) < 400_000


def test_heat_map_of_nothing_is_none() -> None:
    """No signal, no figure."""
    assert heat_figure("lite", [interval(0.0, [])], [], LONG) is None


def test_rows_hold_every_latency_there_is() -> None:
    """From below the layout's first bucket to an hour."""
    figure = heat_figure("lite", [interval(0.0, [1, 3_600_000_000_000])], [], LONG)
    assert figure is not None
    edges = figure.traces[0]["y"]
    assert edges[0] <= 0.001 < 3_600_000 <= edges[-1]
    assert edges == sorted(edges)


def test_telemetry_of_hours_is_bounded() -> None:
    """Points of a track, panels of a figure and tracks of all have a bound each."""
    at_s = tuple(float(n) for n in range(20_000))
    values = tuple(float(n % 100) for n in range(20_000))
    names = [f"service.s{n}.cpu_cores" for n in range(60)] + [f"page.s.m{n}" for n in range(300)]
    telemetry = Telemetry(time_series={n: TimeSeries(n, at_s, values) for n in names}, present=True)
    parts = [*resource_parts(telemetry, LONG), *further_parts(telemetry, LONG)]
    drawn = [part for part in parts if isinstance(part, Chart)]
    assert len(drawn) == 2
    assert all(len(trace["x"]) <= POINTS_MAX for figure in drawn for trace in figure.traces)
    assert sum(len(figure.traces) for figure in drawn) <= 40


@given(DURATIONS)
def test_curve_rises_to_the_maximum(durations: list[int]) -> None:
    """Bounded in points, never falling, and its end is the slowest signal."""
    histogram = Histogram.of(durations)
    x, y = curve_points(histogram, POINTS)
    assert len(x) == len(y) <= POINTS + 1
    assert x == sorted(x)
    assert y == sorted(y)
    assert y[-1] == pytest.approx(max(histogram.max_ns, 1_000) / 1e6, rel=1e-3)


def test_rates_of_many_seconds_make_few_rows(plain: ReportData) -> None:
    """The table of a long run has rates of longer intervals."""
    seconds = plain.measurement.seconds
    many = tuple(
        replace_start(seconds[n % len(seconds)], float(n)) for n in range(10 * len(seconds))
    )
    figure = rate_figure(plain.measurement.model_copy(update={"seconds": many}), LONG)
    assert isinstance(figure, Chart)
    assert len(figure.tables[0].rows) <= ROWS_MAX


def replace_start(second: object, start_s: float) -> object:
    """The same figures at another time."""
    copy = getattr(second, "model_copy", None)
    if copy is not None:
        return copy(update={"start_s": start_s})
    return replace(second, start_s=start_s)  # type: ignore[type-var]  # whichever kind of value


def test_column_of_nothing() -> None:
    """Empty, and honest about it."""
    nothing = np.zeros(0, dtype=np.int64)
    column = HeatColumn(0.0, 1.0, nothing, nothing)
    assert (column.count, column.min_ns, column.max_ns) == (0, 0, 0)
    assert column.percentile_ns(99) is None
