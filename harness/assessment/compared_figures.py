"""The figures of one run that a comparison reads: percentiles that decide, and what explains them.

A percentile is a lower bound where signals that never became final may be below it: they count
with the time until the observation ended, and their true latency is more than that. It is also one
where the run has too few signals for an estimate and only the lower end of its interval is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple

from harness.analysis.comparison import RunValue
from harness.analysis.histogram import rank_of
from harness.analysis.measurement import Measurement, MetricFigures
from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.analysis.summary import PERCENTILES, percentile_name
from harness.clock import NS_PER_MS
from harness.diagnosis.series_slice import slice_series
from harness.diagnosis.spans import Spans, length_s
from harness.errors import UsageError
from harness.judge.check import Check, CheckKind
from harness.judge.judgement import Judgement
from harness.scenario import Objective, Phase, Scenario, parse_objective

_METRICS = ("latency", "service")
# The mean of fewer signals is no figure of a stage.
_SIGNALS_MIN = 30
_CPU = re.compile(r"^service\.(?P<service>.+)\.cpu_cores$")
# The specified metric of the engine's metrics page.
_TRANSITION = re.compile(
    r"^page\.(?P<service>.+)\.defi_fsm_transition_duration_ms"
    r"\{.*?mode=(?P<mode>\w+).*?transition=(?P<transition>[^,}]+).*\}\.mean$"
)
_ARROW = "->"


class FigureKind(StrEnum):
    """What a figure of a run is about; a comparison lists them in this order.

    ENGINE_TRANSITION: mean of one step of the engine by its own metrics, as its wait for the lock.
    LATENCY_STAGE: mean of one stage of the latency breakdown, as in INIT to SIMULATED.
    LOAD_STAGE: P99 of latency in one stage of the load.
    CPU_PER_SIGNAL: CPU time of one service over the measured load, for each signal attempted.
    PERCENTILE: of latency or service time, over all measured signals of a mode.
    """

    ENGINE_TRANSITION = "engine_transition"
    LATENCY_STAGE = "latency_stage"
    LOAD_STAGE = "load_stage"
    CPU_PER_SIGNAL = "cpu_per_signal"
    PERCENTILE = "percentile"


class PercentileKey(NamedTuple):
    """A percentile of a metric over the measured signals of one mode."""

    metric: str
    percentile: float
    mode: str

    @property
    def name(self) -> str:
        """As in an objective: `p99`, `p99 of service`."""
        of = "" if self.metric == "latency" else f" of {self.metric}"
        return f"{percentile_name(self.percentile)}{of}"


class FigureKey(NamedTuple):
    """An explaining figure; `name` is unique within kind and mode, which is empty without one."""

    kind: FigureKind
    name: str
    mode: str
    unit: str


def parse_percentile(text: str) -> Objective:
    """A percentile as in an objective, without its limit: `p50`, `full p99`, `p99 of service`.

    Raises:
        UsageError: it is none.
    """
    found: Objective | None = None
    with suppress(ValueError):
        found = parse_objective(f"{text} < 1 s")
    if found is None or not is_comparable(found):
        raise UsageError(
            f"{text[:60]!r} is no percentile of latency or service",
            where="--percentile",
            hint="write p50, p99, full p99 or p99 of service",
        )
    return found


def default_percentile(scenario: Scenario) -> Objective:
    """The first objective for a percentile over the measured load; the P99 of latency without."""
    found = (one for one in scenario.parsed_objectives() if is_comparable(one))
    return next(found, parse_objective("p99 < 1 s"))


def percentiles_of(
    measurement: Measurement, judgement: Judgement, least_wait_ns: int
) -> dict[PercentileKey, RunValue]:
    """Every percentile of a run that has an estimate or a lower bound.

    Args:
        measurement: of the run.
        judgement: its objectives add percentiles, and lower bounds for too few signals.
        least_wait_ns: the shortest time that a signal which never became final was waited for.
    """
    measured = {
        (figures.metric, figures.mode): figures
        for figures in measurement.figures
        if figures.phase == Phase.MEASURE and figures.metric in _METRICS and figures.count
    }
    found: dict[PercentileKey, RunValue] = {}
    for check in judgement.of(CheckKind.OBJECTIVE):
        found.update(_of_check(check, measured, least_wait_ns))
    for (metric, mode), figures in measured.items():
        for percentile in PERCENTILES:
            value_ns = figures.percentiles_ns.get(percentile_name(percentile), 0)
            if value_ns > 0:
                key = PercentileKey(metric, percentile, mode)
                found[key] = _value(figures, percentile, value_ns, least_wait_ns)
    return found


def explaining_figures(
    measurement: Measurement, telemetry: Telemetry, spans: Spans
) -> dict[FigureKey, float]:
    """Stages and resources of a run; each is above zero.

    Args:
        measurement: of the run.
        telemetry: of the run; without it there is neither CPU time nor a step of the engine.
        spans: the measured load, in seconds after t0.
    """
    found = (
        *_latency_stages(measurement),
        *_engine_transitions(telemetry, spans),
        *_load_stages(measurement),
        *_cpu_per_signal(measurement, telemetry, spans),
    )
    return {key: value for key, value in found if value > 0}


def is_comparable(objective: Objective) -> bool:
    """Whether it is about a percentile of latency or service over the whole measured load."""
    return (
        objective.metric in _METRICS
        and objective.percentile is not None
        and objective.percentile < 100
        and objective.stage is None
        and objective.window_ns is None
        and not objective.outside_faults
    )


def _of_check(
    check: Check, measured: Mapping[tuple[str, str], MetricFigures], least_wait_ns: int
) -> Iterator[tuple[PercentileKey, RunValue]]:
    """The percentile of an objective: its estimate, or else the lower end of its interval."""
    try:
        objective = parse_objective(check.objective)
    except ValueError:
        return
    if not is_comparable(objective):
        return
    modes = [mode for metric, mode in measured if metric == objective.metric]
    mode = check.mode or objective.mode or (modes[0] if len(modes) == 1 else "")
    figures = measured.get((objective.metric, mode))
    if figures is None:
        return
    key = PercentileKey(objective.metric, objective.percentile or 0.0, mode)
    estimate_ns, lower_ns = (check.figures.get(name) for name in ("estimate_ns", "lower_ns"))
    if isinstance(estimate_ns, int) and estimate_ns > 0:
        yield key, _value(figures, key.percentile, estimate_ns, least_wait_ns)
    elif isinstance(lower_ns, int) and lower_ns > 0:
        yield key, RunValue(lower_ns, is_lower_bound=True)


def _value(
    figures: MetricFigures, percentile: float, value_ns: int, least_wait_ns: int
) -> RunValue:
    """A percentile; a lower bound where a signal that never became final may lie at or below it.

    If every such signal was waited for longer than the percentile, it is above it in truth, too,
    and the percentile is the same; unless they are so many that the percentile is one of them.
    """
    above = figures.count - rank_of(percentile, figures.count)
    may_be_below = figures.censored > 0 and value_ns >= least_wait_ns
    return RunValue(value_ns, is_lower_bound=may_be_below or figures.censored > above)


def _latency_stages(measurement: Measurement) -> Iterator[tuple[FigureKey, float]]:
    for split in measurement.splits:
        if split.phase != Phase.MEASURE:
            continue
        for stage in split.stages:
            if stage.count >= _SIGNALS_MIN:
                name = f"{stage.start} {_ARROW} {stage.end}"
                yield FigureKey(FigureKind.LATENCY_STAGE, name, split.mode, "ns"), stage.mean_ns


def _load_stages(measurement: Measurement) -> Iterator[tuple[FigureKey, float]]:
    for stage in measurement.stages:
        for latency in stage.latency if stage.phase == Phase.MEASURE else ():
            if latency.p99_ns is not None:
                name = " ".join(part for part in (str(stage.number), stage.name) if part)
                yield FigureKey(FigureKind.LOAD_STAGE, name, latency.mode, "ns"), latency.p99_ns


def _engine_transitions(telemetry: Telemetry, spans: Spans) -> Iterator[tuple[FigureKey, float]]:
    found: dict[tuple[str, str, str], TimeSeries] = {}
    for series in telemetry.of("page."):
        if match := _TRANSITION.match(series.name):
            found[match["service"], match["mode"], match["transition"]] = series
    for (service, mode, transition), means in found.items():
        own = [name for other, of, name in found if (other, of) == (service, mode)]
        if _contains_others(transition, own):
            continue
        counts = telemetry.time_series.get(means.name.removesuffix(".mean") + ".per_s")
        mean_ms = _weighted_mean(means, counts, spans, telemetry.every_s)
        if mean_ms is not None:
            key = FigureKey(FigureKind.ENGINE_TRANSITION, f"{service} {transition}", mode, "ns")
            yield key, mean_ms * NS_PER_MS


def _contains_others(transition: str, known: Sequence[str]) -> bool:
    """Whether a step from A to C consists of one from A to B and one from B to C."""
    start, _, end = transition.partition(_ARROW)
    ends = {other.partition(_ARROW)[2] for other in known if other.startswith(start + _ARROW)}
    return any(f"{middle}{_ARROW}{end}" in known for middle in ends - {end})


def _weighted_mean(
    means: TimeSeries, counts: TimeSeries | None, spans: Spans, every_s: float
) -> float | None:
    """The mean over all observations in the spans; None without any."""
    if counts is None:
        return None
    weights = dict(zip(counts.at_s, counts.values, strict=True))
    total = observed = 0.0
    for at_s, mean in zip(means.at_s, means.values, strict=True):
        if any(start + every_s <= at_s <= end for start, end in spans):
            weight = max(0.0, weights.get(at_s, 0.0))
            total, observed = total + mean * weight, observed + weight
    return total / observed if observed else None


def _cpu_per_signal(
    measurement: Measurement, telemetry: Telemetry, spans: Spans
) -> Iterator[tuple[FigureKey, float]]:
    account = measurement.accounts.get(Phase.MEASURE)
    if account is None or account.attempted < _SIGNALS_MIN:
        return
    for series in telemetry.of("service."):
        if (match := _CPU.match(series.name)) is None:
            continue
        used = slice_series(series, spans, telemetry.every_s)
        if used is not None:
            key = FigureKey(FigureKind.CPU_PER_SIGNAL, match["service"], "", "s")
            yield key, used.mean * length_s(spans) / account.attempted
