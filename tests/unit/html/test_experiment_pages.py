"""The pages of groups, of rounds of faults and of isolation experiments."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from harness.assessment.chaos import ChaosResult, RoundFigures, build_chaos_result
from harness.assessment.group import GroupJudgement
from harness.assessment.isolation_result import (
    BlockFigures,
    ChangeFigures,
    IsolationJudgement,
    IsolationOutcome,
)
from harness.cli.report_files import ReportRequest, report_folder
from harness.clock import NS_PER_MS
from harness.errors import UsageError
from harness.evidence.chaos_folder import ChaosFolder
from harness.evidence.group_folder import GroupFolder
from harness.experiments.chaos import run_rounds
from harness.experiments.repeat import repeat
from harness.judge.verdict import Verdict
from harness.report.html.chaos_page import chaos_page
from harness.report.html.group_page import group_page
from harness.report.html.isolation_page import isolation_page
from harness.scenario import load_scenario
from harness.stack.settings import ROOT
from tests.unit.test_chaos import Rounds, folder_in, unheard

SILENT = Console(quiet=True)


def group_in(path: Path) -> tuple[GroupFolder, GroupJudgement]:
    """Three runs of a scenario."""
    folder = GroupFolder.create(path, "small", 10**18)
    scenario = load_scenario(ROOT / "scenarios" / "chaos.toml")
    return folder, repeat(scenario, 3, folder, Rounds().once)


def test_a_group_has_every_run_and_check(tmp_path: Path) -> None:
    """In its page, which the report command writes."""
    folder, judgement = group_in(tmp_path)
    page = group_page(judgement, folder.path.name)
    for run in judgement.runs:
        assert run.run_id in page
    for check in judgement.checks:
        assert check.name.replace("<", "&lt;").replace(">", "&gt;") in page
    report_folder(folder.path, ReportRequest(), show=False, console=SILENT)
    assert folder.html.read_text(encoding="utf-8") == page
    with pytest.raises(UsageError, match="one of its runs"):
        report_folder(folder.path, ReportRequest(csv=tmp_path), show=False, console=SILENT)


def chaos_round(number: int, backlog_ns: int | None) -> RoundFigures:
    """One round; text of a run is never markup."""
    return RoundFigures(
        number=number,
        run_id=f"run-{number}",
        kind="kill",
        fault="kill of <engine>",
        verdict=Verdict.FAIL if number == 2 else Verdict.PASS,
        first_ns=backlog_ns,
        backlog_ns=backlog_ns,
        lost=0,
        duplicated=0,
        refused=number,
        reasons=("no lost signals: <b>one</b>",) if number == 2 else (),
    )


@pytest.mark.parametrize(
    "result",
    [
        build_chaos_result([chaos_round(n, 80 * NS_PER_MS * n) for n in range(1, 5)], 5),
        build_chaos_result([chaos_round(1, None)], 1),
        build_chaos_result([], 3),
    ],
    ids=["four of five", "without a recovery", "none"],
)
def test_rounds_of_faults(result: ChaosResult) -> None:
    """Every round, whatever is known of it."""
    page = chaos_page(result, "x-chaos")
    for one in result.rounds:
        assert one.run_id in page
    assert "<b>one</b>" not in page
    assert result.verdict.value in page


def test_the_report_command_judges_rounds_again(tmp_path: Path) -> None:
    """Their stored result is no evidence."""
    folder = folder_in(tmp_path, rounds=2)
    run_rounds(folder, Rounds().once, unheard)
    report_folder(folder.path, ReportRequest(), show=False, console=SILENT)
    page = ChaosFolder.open(folder.path).html.read_text(encoding="utf-8")
    assert all(run_id in page for run_id in folder.read().runs)
    with pytest.raises(UsageError, match="a page only"):
        report_folder(
            folder.path, ReportRequest(markdown=tmp_path / "x.md"), show=False, console=SILENT
        )


def block(pair: int, *, is_treatment: bool, p99_ns: int | None) -> BlockFigures:
    """One block."""
    return BlockFigures(
        pair=pair,
        is_treatment=is_treatment,
        start_s=10.0 * pair,
        end_s=10.0 * pair + 5,
        signals=500,
        p99_ns=p99_ns,
        force="engine: <stopped>" if is_treatment else "",
    )


@pytest.mark.parametrize("outcome", list(IsolationOutcome))
@pytest.mark.parametrize("p99_ns", [None, 20 * NS_PER_MS])
def test_an_isolation_experiment(outcome: IsolationOutcome, p99_ns: int | None) -> None:
    """Every block; with and without a change."""
    change = ChangeFigures(pairs=3, estimate_ns=1e6, lower_ns=-1e6, upper_ns=None)
    judgement = IsolationJudgement(
        outcome=outcome,
        exit_code=int(outcome.exit_code),
        because=("the change is below the margin",),
        margin_ns=50 * NS_PER_MS,
        limit_ns=500 * NS_PER_MS,
        baseline_p99_ns=p99_ns,
        treatment_p99_ns=p99_ns,
        change=change if p99_ns else None,
        blocks=tuple(
            block(pair, is_treatment=on, p99_ns=p99_ns) for pair in range(3) for on in (False, True)
        ),
    )
    page = isolation_page(judgement, "run-1")
    assert outcome.value in page
    assert page.count("engine: &lt;stopped&gt;") == 3
    assert {"isolated": "PASS", "not isolated": "FAIL"}.get(outcome, "INCONCLUSIVE") in page
