"""Trials of a search on one real stack; what a trial leaves does not change how the next is judged.

The host decides whether a trial of seconds is valid, so no test asks for its verdict.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.analysis.capacity.trials import Purpose, SearchPlan, TrialRequest
from harness.assessment.capacity_folder import CapacityFolder
from harness.cli.capacity_run import shared_runs
from harness.cli.run_command import contract_for
from harness.cli.stack_choice import StackChoice, StackKind
from harness.experiments.capacity_trial import outcome_of, trial_figures, trial_scenario
from harness.judge.check import CheckKind
from harness.judge.verdict import Status
from harness.scenario import Scenario, load_scenario
from harness.scenario.capacity_axis import CapacityAxis
from harness.stack.settings import ROOT
from tests.stack.conftest import Postgres, Redis
from tests.stack.external_system import ExternalSystem

CAPACITY = ROOT / "scenarios" / "capacity.toml"
SMALL = ("load.warmup_s=1", "load.drain_s=5", "load.stages.0.agents=5", "engine.workers=1")
RATE = CapacityAxis.RATE


def request(number: int, level: float) -> TrialRequest:
    """A short trial of fixed length."""
    return TrialRequest(
        number=number,
        level=level,
        purpose=Purpose.BRACKET,
        length_s=3.0,
        until_decided_s=3.0,
        confidence=0.95,
        confidence_broken=0.95,
    )


def test_the_second_trial_is_judged_as_the_first(tmp_path: Path) -> None:
    """Rows, stream, counters and nonces of the first are there, and are not those of the second."""
    base: Scenario = load_scenario(CAPACITY, SMALL)
    choice = StackChoice(StackKind.PROCESS, "upstream", (), 0, {})
    contract = contract_for(base, choice, ROOT)
    folder = CapacityFolder.create(tmp_path, base, 10**18)
    with shared_runs(base, RATE, 100, choice, contract, folder) as once:
        for number, level in ((1, 40.0), (2, 60.0)):
            own = request(number, level)
            run = once(trial_scenario(base, RATE, own), folder.path)
            figures = trial_figures(base, RATE, own, run, 5.0)
            integrity = run[0].judgement.of(CheckKind.INTEGRITY)
            assert [one for one in integrity if not one.status.is_clean] == []
            assert outcome_of(own, figures).request == own
            assert {one.name for one in figures.services} >= {"engine", "redis", "postgres"}
            assert figures.stack_started is (number == 1)
        shared = run[1].read_json(run[1].stack)["shared"]
    assert (shared["started"], shared["runs_before"]) == (1, 1)
    assert shared["idle"]["is_idle"] is True
    assert (shared["idle"]["pending"], shared["idle"]["open_rows"]) == (0, 0)
    assert (folder.logs / "stack-1" / "engine.log").is_file()


def test_a_system_of_others_is_waited_for(
    postgres: Postgres, redis_server: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not started; each trial goes on with the nonces that the one before left."""
    external = ExternalSystem(postgres, redis_server, "searched")
    external.prepare()
    for name, value in external.login().items():
        monkeypatch.setenv(name, value)
    choice = StackChoice(
        StackKind.ATTACH, "upstream", (), 0, {}, contract_file=external.contract(tmp_path)
    )
    base: Scenario = load_scenario(CAPACITY, SMALL[:-1])
    contract = contract_for(base, choice, ROOT)
    folder = CapacityFolder.create(tmp_path, base, 10**18)
    starts = []
    with external.open(), shared_runs(base, RATE, 100, choice, contract, folder) as once:
        for number in (1, 2):
            scenario = trial_scenario(base, RATE, request(number, 20.0))
            assessment, run = once(scenario, folder.path)
            integrity = assessment.judgement.of(CheckKind.INTEGRITY)
            assert [one for one in integrity if one.status is Status.FAIL] == []
            starts.append(run.read_plan().nonce_starts)
    shared = run.read_json(run.stack)["shared"]
    assert (shared["started"], shared["idle"]["open_rows"]) == (1, 0)
    assert sum(starts[1].values()) > sum(starts[0].values())


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def test_a_search_from_begin_to_report(tmp_path: Path) -> None:
    """Ends within its budget; judged again and gone on with, it is the same search."""
    settings: list[str] = [part for pair in SMALL for part in ("--set", pair)]
    ended = harness(
        *("capacity", str(CAPACITY), "--reports", str(tmp_path), *settings),
        *("--start", "20", "--min", "10", "--max", "40", "--trial", "3s", "--confirm", "1x3s"),
        *("--within", "15s"),
    )
    assert ended.returncode in {0, 3, 4}, ended.stderr
    (path,) = tmp_path.glob("*-capacity")
    document = json.loads((path / "result.json").read_text(encoding="utf-8"))
    assert document["kind"] == "capacity"
    assert document["trials"]
    assert document["exit_code"] == ended.returncode
    assert SearchPlan.model_validate(document["plan"]).maximum == 40
    for name in ("report.html", "junit.xml"):
        assert (path / name).stat().st_size > 0
    again = harness("judge", str(path))
    assert again.returncode == ended.returncode
    assert json.loads((path / "result.json").read_text(encoding="utf-8")) == document
    refused = harness("capacity", str(path), "--axis", "agents")
    assert refused.returncode == 2
    assert "--axis" in refused.stderr
