"""The figures of a run: when a percentile is a lower bound, and what may explain a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.comparison import RunValue
from harness.analysis.measurement import Measurement
from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.assessment.assess import Assessment, assess
from harness.assessment.compared_figures import (
    FigureKey,
    FigureKind,
    PercentileKey,
    default_percentile,
    explaining_figures,
    percentiles_of,
)
from harness.assessment.compared_run import read_compared_run
from harness.evidence.run_folder import RunFolder
from tests.unit.analysis.evidence import healthy, load_of, scenario_of
from tests.unit.compare.runs import P99
from tests.unit.judge.violations import drop

LONG_NS = 10**12
PAGE = "page.engine.defi_fsm_transition_duration_ms{mode=lite,transition=%s}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of 400 signals."""
    return healthy(load_of(duration_s=4.0)).write(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def found(folder: RunFolder) -> Assessment:
    """Its assessment."""
    return assess(folder)


def with_censored(measurement: Measurement, share: float) -> Measurement:
    """The same, as if this share of the signals had never become final."""
    figures = [
        one.model_copy(update={"censored": round(share * one.count)}) for one in measurement.figures
    ]
    return measurement.model_copy(update={"figures": tuple(figures)})


def test_percentiles_are_those_of_the_result(found: Assessment) -> None:
    """As far as there are signals enough; of latency and of service time."""
    percentiles = percentiles_of(found.measurement, found.judgement, LONG_NS)
    figures = found.measurement.of("latency", "measure", "lite")
    assert figures is not None
    assert percentiles[P99] == RunValue(figures.percentiles_ns["p99"])
    assert percentiles[P99._replace(metric="service")].value < percentiles[P99].value
    assert P99._replace(percentile=99.9) not in percentiles
    assert {key.mode for key in percentiles} == {"lite"}


@pytest.mark.parametrize(
    ("share", "least_wait_ns", "is_bound"),
    [
        (0.0, 0, False),  # nothing was waited for in vain
        (0.005, LONG_NS, False),  # those above the P99 are above it in truth, too
        (0.005, 0, True),  # one may have been waited for too shortly to be above it
        (0.02, LONG_NS, True),  # the P99 is the time of a signal that never came
    ],
)
def test_a_percentile_is_a_lower_bound_where_it_may_be_higher(
    found: Assessment, share: float, least_wait_ns: int, is_bound: bool
) -> None:
    """By the number of signals that never became final, and how long they were waited for."""
    measurement = with_censored(found.measurement, share)
    percentiles = percentiles_of(measurement, found.judgement, least_wait_ns)
    assert percentiles[P99].is_lower_bound is is_bound


def test_too_few_signals_leave_the_lower_end_of_the_interval(tmp_path: Path) -> None:
    """100 signals have no P99, and the run is not dropped."""
    assessment = assess(healthy(load_of(duration_s=1.0)).write(tmp_path))
    percentiles = percentiles_of(assessment.measurement, assessment.judgement, LONG_NS)
    (check,) = [one for one in assessment.judgement.checks if one.id == "latency_p99"]
    assert check.figures["estimate_ns"] is None
    assert percentiles[P99] == RunValue(float(str(check.figures["lower_ns"])), is_lower_bound=True)


def test_an_objective_adds_its_percentile(tmp_path: Path) -> None:
    """One that no result has by itself."""
    assessment = assess(healthy(load_of(duration_s=1.0), "p95 < 500 ms").write(tmp_path))
    percentiles = percentiles_of(assessment.measurement, assessment.judgement, LONG_NS)
    assert not percentiles[PercentileKey("latency", 95.0, "lite")].is_lower_bound


@pytest.mark.parametrize(
    ("objectives", "percentile"),
    [
        (("p99 < 500 ms", "p50 < 1 s"), 99.0),
        (("rejected < 1 %", "p95 of service < 1 s"), 95.0),
        (("max < 1 s", "rejected < 1 %"), 99.0),
    ],
)
def test_the_first_objective_of_a_percentile_is_compared(
    objectives: tuple[str, ...], percentile: float
) -> None:
    """And the P99 where there is none."""
    assert default_percentile(scenario_of(load_of(), *objectives)).percentile == percentile


def test_a_stored_run_is_read_as_it_was_judged(folder: RunFolder) -> None:
    """No result is stored: the evidence is judged; latency stages are among the figures."""
    run = read_compared_run(folder)
    assert (run.run_id, run.scenario, run.invalid) == (folder.run_id, "synthetic", "")
    assert not run.percentiles[P99].is_lower_bound
    stages = [key.name for key in run.figures if key.kind is FigureKind.LATENCY_STAGE]
    assert "INIT committed -> SIMULATED committed" in stages
    assert run.fingerprint["stack"] == {"kind": "process"}


def test_a_run_that_lost_its_tail_is_read_with_a_lower_bound(tmp_path: Path) -> None:
    """A FAIL by lost signals is a valid measurement."""
    world = healthy(load_of(duration_s=4.0))
    for number in range(200, 212):
        drop(world, number)
    run = read_compared_run(world.write(tmp_path))
    assert run.invalid == ""
    assert run.percentiles[P99].is_lower_bound


def series(name: str, values: list[float]) -> TimeSeries:
    """One value a second, from 1 s after t0 on."""
    return TimeSeries(name, tuple(float(n + 1) for n in range(len(values))), tuple(values))


def telemetry(**found: list[float]) -> Telemetry:
    """Steps of the engine by name (mean in ms and observations), and the engine's cores."""
    made = [series("service.engine.cpu_cores", [0.5] * 10)]
    for name, values in found.items():
        page = PAGE % name.replace("_", "->")
        made.append(series(f"{page}.mean", values))
        made.append(series(f"{page}.per_s", [10.0] * (len(values) - 1) + [30.0]))
    return Telemetry({one.name: one for one in made}, every_s=1.0, present=True)


def test_steps_of_the_engine_are_weighted_means(found: Assessment) -> None:
    """Of the measured time only; a step that contains others is left out."""
    figures = explaining_figures(
        found.measurement,
        telemetry(
            INIT_EVALUATED=[1.0] * 4,
            EVALUATED_LOCKED=[99.0, 2.0, 2.0, 4.0],
            INIT_LOCKED=[7.0] * 4,
            LOCKED_SIMULATED=[1.0] * 4,
            INIT_SIMULATED=[9.0] * 4,
        ),
        ((1.0, 4.0),),
    )
    steps = {
        key.name: value
        for key, value in figures.items()
        if key.kind is FigureKind.ENGINE_TRANSITION
    }
    assert set(steps) == {
        "engine INIT->EVALUATED",
        "engine EVALUATED->LOCKED",
        "engine LOCKED->SIMULATED",
    }
    assert steps["engine EVALUATED->LOCKED"] == pytest.approx((2 + 2 + 3 * 4) / 5 * 1e6)


def test_cpu_time_is_for_each_signal(found: Assessment) -> None:
    """Cores over the measured load, divided by the signals attempted in it."""
    figures = explaining_figures(found.measurement, telemetry(), ((0.0, 10.0),))
    attempted = found.measurement.accounts["measure"].attempted
    key = FigureKey(FigureKind.CPU_PER_SIGNAL, "engine", "", "s")
    assert figures[key] == pytest.approx(0.5 * 10 / attempted)


def test_without_telemetry_there_are_stages_only(found: Assessment) -> None:
    """No CPU time, no step of the engine, and no error."""
    figures = explaining_figures(found.measurement, Telemetry(), ((0.0, 10.0),))
    assert {key.kind for key in figures} == {FigureKind.LATENCY_STAGE}
    assert all(value > 0 for value in figures.values())
