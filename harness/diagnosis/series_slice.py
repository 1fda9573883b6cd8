"""A track over the seconds that matter, and how it goes with the latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.resources.telemetry import TimeSeries
from harness.diagnosis.answers import Evidence
from harness.diagnosis.context import DiagnosisContext, LatencySlice
from harness.diagnosis.spans import Floats, Spans, length_s, overlaps_s
from harness.diagnosis.thresholds import CORRELATED_SECONDS_MIN, COVERED_MIN, MOST_OF_TIME

# A value stands for the time since the one before it, but not for a long silence.
_STANDS_FOR = 2.0


@dataclass(frozen=True, slots=True)
class SeriesSlice:
    """The values of a track that lie in some spans.

    Attributes:
        values: in the track's unit.
        weights: seconds of the spans that each stands for; above zero.
        start_s: where the first of these stretches begins; `end_s` where the last one ends.
        covered: share of the spans that was watched.
    """

    track: TimeSeries
    values: Floats
    weights: Floats
    start_s: float
    end_s: float
    covered: float

    @property
    def mean(self) -> float:
        """Over time."""
        return float(np.average(self.values, weights=self.weights))

    @property
    def median(self) -> float:
        """The median over time: the highest value that it had, or more, for half of the time."""
        order = np.argsort(-self.values, kind="stable")
        held = np.cumsum(self.weights[order])
        return float(self.values[order][np.searchsorted(held, held[-1] * MOST_OF_TIME)])

    @property
    def peak(self) -> float:
        """The highest value."""
        return float(self.values.max())

    @property
    def lowest(self) -> float:
        """The lowest value."""
        return float(self.values.min())

    def share_from(self, least: float) -> float:
        """Share of the time in which it was at `least` or more."""
        return float(self.weights[self.values >= least].sum() / self.weights.sum())

    def samples_from(self, least: float) -> int:
        """How many values were at `least` or more."""
        return int((self.values >= least).sum())


def slice_series(track: TimeSeries | None, spans: Spans, every_s: float) -> SeriesSlice | None:
    """The part of a track that lies in spans; None where too little of them was watched."""
    if track is None or not spans:
        return None
    starts, ends, values = _pieces(track, every_s)
    weights = overlaps_s(starts, ends, spans)
    chosen = weights > 0
    covered = float(weights.sum()) / length_s(spans)
    if covered < COVERED_MIN:
        return None
    return SeriesSlice(
        track,
        values[chosen],
        weights[chosen],
        float(max(starts[chosen].min(), spans[0][0])),
        float(min(ends[chosen].max(), spans[-1][1])),
        min(1.0, covered),
    )


def slow_slice(subject: DiagnosisContext, name: str) -> SeriesSlice | None:
    """A track, by its name, in the seconds that matter."""
    telemetry = subject.telemetry
    return slice_series(telemetry.time_series.get(name), subject.spans, telemetry.every_s)


def baseline_slice(subject: DiagnosisContext, name: str) -> SeriesSlice | None:
    """The same in the rest of the measured load; None where there is no rest, or none watched."""
    telemetry = subject.telemetry
    return slice_series(telemetry.time_series.get(name), subject.baseline, telemetry.every_s)


def evidence_of(
    subject: DiagnosisContext,
    taken: SeriesSlice,
    said: str,
    value: float,
    limit: float | None = None,
) -> Evidence:
    """A figure with its time and its correlation."""
    return Evidence(
        track=taken.track.name,
        message=said,
        value=value,
        limit=limit,
        start_s=round(taken.start_s, 3),
        end_s=round(taken.end_s, 3),
        correlation=correlation(taken.track, subject.slices, subject.telemetry.every_s),
    )


def correlation(track: TimeSeries, seconds: Sequence[LatencySlice], every_s: float) -> float | None:
    """Spearman's rank correlation of a track with the latency of the same seconds.

    None where fewer than CORRELATED_SECONDS_MIN seconds have both, or one never changes.
    """
    starts, ends, values = _pieces(track, every_s)
    edges = np.stack([starts, ends], axis=1).ravel()
    watched, summed = np.zeros(len(edges)), np.zeros(len(edges))
    watched[1::2], summed[1::2] = ends - starts, (ends - starts) * values
    begin = np.array([second.start_s for second in seconds])
    end = np.array([second.end_s for second in seconds])
    if not len(edges) or not len(begin):
        return None
    own_s, own_sum = (
        np.interp(end, edges, total) - np.interp(begin, edges, total)
        for total in (np.cumsum(watched), np.cumsum(summed))
    )
    known = own_s >= COVERED_MIN * (end - begin)
    used = own_sum[known] / own_s[known]
    latency = np.array([second.value_ns for second in seconds], dtype=np.float64)[known]
    if len(used) < CORRELATED_SECONDS_MIN:
        return None
    # Sums of what never changes differ in their last digit.
    used = used.round(9)
    if np.ptp(used) == 0 or np.ptp(latency) == 0:
        return None
    from scipy.stats import spearmanr  # slow to import, and only needed here

    return round(float(spearmanr(used, latency).statistic), 3)


def _pieces(track: TimeSeries, every_s: float) -> tuple[Floats, Floats, Floats]:
    """Start and end of the time that each value stands for, and the value."""
    at = np.array(track.at_s, dtype=np.float64)
    values = np.array(track.values, dtype=np.float64)
    known = np.isfinite(values)
    at, values = at[known], values[known]
    earlier = np.concatenate([[-np.inf], at[:-1]])
    first = np.arange(len(at)) == 0
    longest = np.where(first, every_s, _STANDS_FOR * every_s)
    return np.maximum(earlier, at - longest), at, values
