"""A run that a person interrupts is no run of the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.assessment.assess import Assessment, assess
from harness.assessment.scale_folder import ScaleFolder, ScaleProgress
from harness.cli import scale_run
from harness.evidence.run_folder import RunFolder
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario
from tests.unit.analysis.evidence import healthy
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
