"""A telemetry series over the analysed seconds, and its correlation with the latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.resources.telemetry import TimeSeries
from harness.diagnosis.answers import Evidence
from harness.diagnosis.context import DiagnosisContext, LatencySlice
from harness.diagnosis.spans import Floats, Spans, length_s, overlaps_s

# Telemetry has to cover half of the analysed time, or the answer is unknown.
COVERED_MIN = 0.50
# A cause is present while signals are slow: for half of that time, not for a second of it, so its
# median over that time is compared. An engine that catches up after a stall is busy too, and that
# did not make the signals slow.
MOST_OF_TIME = 0.50
# Below eight seconds any two series may rise together by chance (rank correlation: one in twenty
# pairs of eight reaches 0.64).
CORRELATED_SECONDS_MIN = 8
# A value covers the time since the one before it, but at most so many sampling intervals.
_COVERS_INTERVALS = 2.0


@dataclass(frozen=True, slots=True)
class SeriesSlice:
    """The values of a series that lie in some spans.

    Attributes:
        values: in the unit of the series.
        weights: seconds of the spans that each value covers; above zero.
        start_s, end_s: where the first covered interval begins and the last one ends.
        covered: covered share of the spans, 0 to 1.
    """

    series: TimeSeries
    values: Floats
    weights: Floats
    start_s: float
    end_s: float
    covered: float

    @property
    def mean(self) -> float:
        """Mean over time."""
        return float(np.average(self.values, weights=self.weights))

    @property
    def median(self) -> float:
        """Median over time: the largest value that it reached for half of the time."""
        order = np.argsort(-self.values, kind="stable")
        sums = np.cumsum(self.weights[order])
        return float(self.values[order][np.searchsorted(sums, sums[-1] * MOST_OF_TIME)])

    @property
    def peak(self) -> float:
        """The largest value."""
        return float(self.values.max())

    def share_from(self, least: float) -> float:
        """Share of the time in which it was at `least` or more."""
        return float(self.weights[self.values >= least].sum() / self.weights.sum())

    def samples_from(self, least: float) -> int:
        """Number of values at `least` or more."""
        return int((self.values >= least).sum())


def slice_series(series: TimeSeries | None, spans: Spans, every_s: float) -> SeriesSlice | None:
    """The part of a series that lies in spans; None where it covers too little of them."""
    if series is None or not spans:
        return None
    starts, ends, values = _pieces(series, every_s)
    weights = overlaps_s(starts, ends, spans)
    chosen = weights > 0
    covered = float(weights.sum()) / length_s(spans)
    if covered < COVERED_MIN:
        return None
    return SeriesSlice(
        series,
        values[chosen],
        weights[chosen],
        float(max(starts[chosen].min(), spans[0][0])),
        float(min(ends[chosen].max(), spans[-1][1])),
        min(1.0, covered),
    )


def slow_slice(context: DiagnosisContext, name: str) -> SeriesSlice | None:
    """A series, by its name, in the analysed time."""
    telemetry = context.telemetry
    return slice_series(telemetry.time_series.get(name), context.spans, telemetry.every_s)


def baseline_slice(context: DiagnosisContext, name: str) -> SeriesSlice | None:
    """The same in the rest of the measured load; None where there is no rest or no telemetry."""
    telemetry = context.telemetry
    return slice_series(telemetry.time_series.get(name), context.baseline, telemetry.every_s)


def evidence_of(
    context: DiagnosisContext,
    piece: SeriesSlice,
    message: str,
    value: float,
    limit: float | None = None,
) -> Evidence:
    """A figure with its time and its correlation."""
    return Evidence(
        track=piece.series.name,
        message=message,
        value=value,
        limit=limit,
        start_s=round(piece.start_s, 3),
        end_s=round(piece.end_s, 3),
        correlation=correlation(piece.series, context.slices, context.telemetry.every_s),
    )


def correlation(series: TimeSeries, slices: Sequence[LatencySlice], every_s: float) -> float | None:
    """Spearman's rank correlation of a series with the latency of the same seconds.

    None where fewer than CORRELATED_SECONDS_MIN seconds have both, or one of them is constant.
    """
    starts, ends, values = _pieces(series, every_s)
    edges = np.stack([starts, ends], axis=1).ravel()
    covered, summed = np.zeros(len(edges)), np.zeros(len(edges))
    covered[1::2], summed[1::2] = ends - starts, (ends - starts) * values
    begin = np.array([one.start_s for one in slices])
    end = np.array([one.end_s for one in slices])
    if not len(edges) or not len(begin):
        return None
    own_s, own_sum = (
        np.interp(end, edges, total) - np.interp(begin, edges, total)
        for total in (np.cumsum(covered), np.cumsum(summed))
    )
    known = own_s >= COVERED_MIN * (end - begin)
    means = own_sum[known] / own_s[known]
    latency = np.array([one.value_ns for one in slices], dtype=np.float64)[known]
    if len(means) < CORRELATED_SECONDS_MIN:
        return None
    # Sums over a constant series differ in their last digit.
    means = means.round(9)
    if np.ptp(means) == 0 or np.ptp(latency) == 0:
        return None
    from scipy.stats import spearmanr  # slow to import, and only needed here

    return round(float(spearmanr(means, latency).statistic), 3)


def _pieces(series: TimeSeries, every_s: float) -> tuple[Floats, Floats, Floats]:
    """Start and end of the time that each value covers, and the value."""
    at = np.array(series.at_s, dtype=np.float64)
    values = np.array(series.values, dtype=np.float64)
    known = np.isfinite(values)
    at, values = at[known], values[known]
    earlier = np.concatenate([[-np.inf], at[:-1]])
    first = np.arange(len(at)) == 0
    longest = np.where(first, every_s, _COVERS_INTERVALS * every_s)
    return np.maximum(earlier, at - longest), at, values
