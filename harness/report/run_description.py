"""The sentence that describes what a run executed; all reports share it."""

from __future__ import annotations

from collections.abc import Iterable

from harness.analysis.measurement import SignalCounts
from harness.formatting import format_count
from harness.scenario import Load, Phase
from harness.scenario.experiment import Experiment


def describe_run(
    load: Load, measured_s: float | None = None, *, stack: str = "", version: str = ""
) -> str:
    """The executed plan: `50 agents, 100 signals/s, 30 s measured, process stack, harness 1.0`.

    Args:
        load: as executed, overrides included.
        measured_s: measured length in seconds; None before the run.
        stack: `process`, `docker` or `attach`; empty where unknown.
        version: of the harness; empty where unknown.
    """
    parts = [
        format_agents(load),
        format_rate_range(load),
        f"{_length_text(load, measured_s)} measured",
    ]
    if stack:
        parts.append("attached system" if stack == "attach" else f"{stack} stack")
    if version:
        parts.append(f"harness {version}")
    return ", ".join(parts)


def format_agents(load: Load) -> str:
    """The number of agents, or its range over the stages."""
    return f"{_range(stage.agents for stage in load.stages)} agents"


def format_rate_range(load: Load) -> str:
    """The total rate, or its range over the stages."""
    rates = (rate for stage in load.stages for rate in (stage.rate_from, stage.rate_to))
    return f"{_range(rates)} signals/s"


def planned_s(load: Load) -> float:
    """Planned length of the measured phase, in seconds."""
    return sum(stage.duration_s for stage in load.timeline() if stage.phase is Phase.MEASURE)


def measured_s(measurement: SignalCounts, load: Load) -> float:
    """Length of the measured phase, in seconds; the planned one where it was not computed."""
    durations_s = (rate.duration_s for rate in measurement.rates if rate.phase == Phase.MEASURE)
    return next(durations_s, planned_s(load))


def _length_text(load: Load, measured_s: float | None) -> str:
    if measured_s is not None:
        return f"{measured_s:.4g} s"
    times_s = load.analysis_times_s()
    return (
        " to ".join(f"{time_s:.4g}" for time_s in dict.fromkeys((times_s[0], times_s[-1]))) + " s"
    )


def _range(values: Iterable[float]) -> str:
    low, *_, high = sorted(values) * 2
    texts = [format_count(v) if v >= 1_000 else f"{v:g}" for v in (low, high)]
    return " to ".join(dict.fromkeys(texts))


def describe_experiment(experiment: Experiment) -> str:
    """An experiment in a few words: `experiment: throughput at 6 engine.workers, 3 runs each`."""
    runs = format_count(experiment.repeats, "run")
    levels = f"{len(experiment.levels)} levels of {experiment.vary}"
    return f"experiment: {experiment.measure} at {levels}, {runs} each"
