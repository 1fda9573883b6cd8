"""Runs in seeded order, repeated where not valid, gone on with, and judged again."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.assessment.scale_folder import ScaleFolder
from harness.assessment.scale_result import CellStatus, ScaleResult
from harness.assessment.scaling import RunFigure, figure_of_run
from harness.errors import EvidenceError, UsageError
from harness.evidence.run_folder import RunFolder
from harness.experiments.scale import judge_cells, run_cells
from harness.judge.verdict import Verdict
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario
from harness.scenario.experiment import Measure
from tests.unit.analysis.evidence import healthy
from tests.unit.judge.violations import lose
from tests.unit.scaling.experiments import (
    GRADE,
    Runs,
    base,
    experiment,
    measured,
    new_folder,
    unheard,
    workers_law,
)

INVALID = RunFigure(CellStatus.INVALID, Verdict.INVALID, GRADE, reasons=("another run",))
FAILED = RunFigure(CellStatus.FAILED, Verdict.FAIL, GRADE, reasons=("signals lost",))


def execute(folder: ScaleFolder, runs: Runs) -> ScaleResult:
    """Run and judge."""
    return judge_cells(folder, runs.measure, run_cells(folder, runs.measure, unheard))


def test_each_cell_is_run_once_in_the_order_of_the_seed(tmp_path: Path) -> None:
    """With its level, and a seed of its own."""
    folder, runs = new_folder(tmp_path), Runs()
    result = execute(folder, runs)
    plan = experiment()
    assert [one.engine.workers for one in runs.made] == [
        plan.levels[cell.level] for cell in plan.cells()
    ]
    assert len({one.seed for one in runs.made}) == 15
    assert (result.verdict, result.measured, result.planned) == (Verdict.PASS, 15, 15)
    assert runs.judged == []  # what was judged at its end is not judged twice
    assert result.scaling is not None
    assert folder.read_result() == result.model_copy(update={"bound": folder.read_result().bound})


@pytest.mark.parametrize("interrupted_at", [1, 2, 8, 15])
def test_an_interrupted_experiment_goes_on(tmp_path: Path, interrupted_at: int) -> None:
    """No run is made twice, and the result is that of an uninterrupted one."""
    whole, folder = execute(new_folder(tmp_path / "whole"), Runs()), new_folder(tmp_path / "cut")
    runs = Runs(interrupted_at=interrupted_at)
    with pytest.raises(Interrupted):
        run_cells(folder, runs.measure, unheard)
    second = runs.go_on()
    # The law counts the runs of a process: go on counting.
    second.made = list(runs.made)
    result = execute(ScaleFolder.open(folder.path), second)
    assert len(second.made) == 15
    assert result.model_copy(update={"experiment_id": ""}) == whole.model_copy(
        update={"experiment_id": ""}
    )


def test_an_invalid_run_is_repeated_with_another_seed(tmp_path: Path) -> None:
    """Both attempts are in the result; only the valid one has a figure."""

    def law(scenario: Scenario, number: int) -> RunFigure:
        return INVALID if number == 4 else workers_law(scenario, number)

    runs = Runs(law)
    result = execute(new_folder(tmp_path), runs)
    assert len(runs.made) == 16
    assert len({one.seed for one in runs.made}) == 16
    assert [cell.status for cell in result.cells].count(CellStatus.INVALID) == 1
    assert [cell.attempt for cell in result.cells][3:5] == [1, 2]
    assert result.verdict is Verdict.PASS


def test_attempts_are_bounded(tmp_path: Path) -> None:
    """A level that is never valid has no figure, and the experiment is INVALID."""

    def law(scenario: Scenario, number: int) -> RunFigure:
        return INVALID if scenario.engine.workers == 3 else workers_law(scenario, number)

    runs = Runs(law)
    result = execute(new_folder(tmp_path, attempts=2), runs)
    assert sum(one.engine.workers == 3 for one in runs.made) == 2 * 3
    assert result.verdict is Verdict.INVALID
    assert [one.level for one in result.levels] == [1, 2, 4, 5]


def test_a_level_with_too_few_runs_is_inconclusive(tmp_path: Path) -> None:
    """One cell of fifteen has no valid run."""

    def law(scenario: Scenario, number: int) -> RunFigure:
        return INVALID if number == 1 else workers_law(scenario, number)

    result = execute(new_folder(tmp_path, attempts=1), Runs(law))
    assert (result.verdict, result.exit_code) == (Verdict.INCONCLUSIVE, 3)


def test_a_violation_fails_the_experiment_and_is_not_repeated(tmp_path: Path) -> None:
    """Its figure does not count."""

    def law(scenario: Scenario, number: int) -> RunFigure:
        return FAILED if number == 5 else workers_law(scenario, number)

    runs = Runs(law)
    result = execute(new_folder(tmp_path), runs)
    assert len(runs.made) == 15
    assert (result.verdict, result.exit_code) == (Verdict.FAIL, 1)
    assert result.measured == 14


def test_an_unfinished_experiment_has_a_result_so_far(tmp_path: Path) -> None:
    """INCONCLUSIVE, without a model while there are too few levels."""
    folder, runs = new_folder(tmp_path), Runs(interrupted_at=3)
    with pytest.raises(Interrupted):
        run_cells(folder, runs.measure, unheard)
    result = judge_cells(folder, runs.measure)
    assert (result.verdict, result.measured, result.scaling) == (Verdict.INCONCLUSIVE, 2, None)


def test_judging_again_reads_the_evidence(tmp_path: Path) -> None:
    """Every run once, with the same result."""
    folder, runs = new_folder(tmp_path), Runs()
    result = execute(folder, runs)
    assert judge_cells(folder, runs.measure) == result
    assert len(runs.judged) == 15


def test_evidence_of_another_run_is_refused(tmp_path: Path) -> None:
    """A run with another level in the place of one that was planned."""
    folder, runs = new_folder(tmp_path), Runs()
    execute(folder, runs)
    run = RunFolder(folder.path / folder.read().attempts[0].run_id)
    other = run.read_scenario()
    workers = other.engine.workers % 5 + 1
    run.write_scenario(
        other.model_copy(update={"engine": other.engine.model_copy(update={"workers": workers})})
    )
    with pytest.raises(EvidenceError, match="its scenario differs"):
        judge_cells(folder, runs.measure)
    with pytest.raises(EvidenceError, match="differs from that in the folder"):
        folder.read_result()


def test_a_missing_or_linked_run_is_refused(tmp_path: Path) -> None:
    """A link is not followed."""
    folder, runs = new_folder(tmp_path), Runs()
    execute(folder, runs)
    path = folder.path / folder.read().attempts[0].run_id
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError, match="missing"):
        judge_cells(folder, runs.measure)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError, match="missing"):
        judge_cells(folder, runs.measure)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """With what is expected."""
    with pytest.raises(UsageError, match="not the folder of an experiment"):
        ScaleFolder.open(tmp_path)


def test_a_latency_has_a_trend_and_no_model(tmp_path: Path) -> None:
    """Its figures are nanoseconds."""
    folder = new_folder(
        tmp_path, vary="load.agents", levels=[10, 20, 30, 40, 50], measure="latency"
    )
    runs = Runs(lambda scenario, _: measured(1e6 * scenario.load.stages[0].agents))
    result = execute(folder, runs)
    assert (result.scaling, result.value_unit) == (None, "ns")
    assert result.trend is not None
    assert result.trend.direction == "rises"


def test_words_have_figures_and_no_trend(tmp_path: Path) -> None:
    """Values of a setting without an order."""
    folder = new_folder(
        tmp_path, vary="postgres.wal_compression", levels=["off", "pglz", "lz4"], indicative=True
    )
    result = execute(folder, Runs(lambda _, number: measured(100.0 + number)))
    assert (result.levels, result.trend, result.scaling) == ((), None, None)
    assert [(one.level, one.runs) for one in result.word_levels] == [
        ("off", 3), ("pglz", 3), ("lz4", 3)
    ]  # fmt: skip


def test_a_run_that_lost_signals_has_no_figure(tmp_path: Path) -> None:
    """Of a real assessment: the integrity check is named."""
    from harness.assessment.assess import assess

    world = healthy()
    lose(world)
    figure = figure_of_run(Measure.LATENCY, base(), assess(world.write(tmp_path)))
    assert (figure.status, figure.value) == (CellStatus.FAILED, None)
    assert figure.reasons


def test_the_latency_of_a_run_is_that_of_its_first_objective(tmp_path: Path) -> None:
    """With the interval of its check; a system that keeps up has no throughput."""
    from harness.assessment.assess import assess

    folder = healthy().write(tmp_path)
    assessment = assess(folder)
    figure = figure_of_run(Measure.LATENCY, folder.read_scenario(), assessment)
    own = [c for c in assessment.judgement.checks if "estimate_ns" in c.figures]
    assert figure.status is CellStatus.MEASURED
    assert figure.value == own[0].figures["estimate_ns"]
    other = figure_of_run(Measure.THROUGHPUT, folder.read_scenario(), assessment)
    assert (other.status, other.value) == (CellStatus.INVALID, None)
    assert "not saturated" in other.reasons[0]
