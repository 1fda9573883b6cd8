"""A run that a person interrupts is no run of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from harness.assessment.assess import Assessment, assess
from harness.assessment.scale_folder import ScaleFolder, ScaleProgress
from harness.assessment.scale_result import CellStatus
from harness.cli import scale_run
from harness.cli.stack_choice import StackChoice, StackKind
from harness.evidence.run_folder import RunFolder
from harness.experiments.capacity import RunOnce
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario, load_scenario
from harness.stack.settings import ROOT
from tests.unit.analysis.evidence import healthy
from tests.unit.capacity.searches import PLAN, System, sharp, use_truth
from tests.unit.scaling.experiments import base, experiment


def test_an_interrupted_run_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was judged as far as it went; nothing is stored of it."""

    def once(scenario: Scenario, within: Path, *_: Any) -> tuple[Assessment, RunFolder]:
        world = healthy(seed=scenario.seed)
        world.event("interrupted")
        folder = world.write(within)
        return assess(folder), folder

    monkeypatch.setattr(scale_run, "run_once", once)
    plan = ScaleProgress(experiment=experiment(measure="latency"))
    folder = ScaleFolder.create(tmp_path, base(), plan, 10**18)
    with pytest.raises(Interrupted):
        scale_run.continue_experiment(folder.path)
    assert folder.read().attempts == ()


def test_an_interrupted_search_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trials are kept: the next call has the same folder, and makes no trial twice."""
    use_truth(monkeypatch)
    systems = [System(sharp(737), interrupted_at=4), System(sharp(737))]
    calls = iter(systems)

    @contextmanager
    def shared(*_: Any) -> Iterator[RunOnce]:
        yield next(calls).once

    monkeypatch.setattr(scale_run, "shared_runs", shared)
    monkeypatch.setattr(scale_run, "contract_for", lambda *_: None)
    scenario = load_scenario(ROOT / "scenarios" / "capacity.toml")
    choice = StackChoice(StackKind.PROCESS, "offline", [], 0, {})
    with pytest.raises(Interrupted):
        scale_run._search(scenario, PLAN, tmp_path, choice)
    name, figure = scale_run._search(scenario, PLAN, tmp_path, choice)
    assert [path.name for path in tmp_path.glob("*-capacity")] == [name]
    assert figure.status is CellStatus.MEASURED
    assert figure.lower is not None
    assert figure.upper is not None
    assert figure.lower <= 737 < figure.upper
    whole = System(sharp(737))
    monkeypatch.setattr(scale_run, "shared_runs", lambda *_: nullcontext(whole.once))
    other = scale_run._search(scenario, PLAN, tmp_path / "whole", choice)
    assert len(whole.made) == sum(len(system.made) for system in systems)
    assert other[1] == figure
