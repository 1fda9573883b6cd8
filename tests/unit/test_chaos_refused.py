"""Impossible rounds are refused before there is a folder, and broken folders are an error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.assessment.assess import Assessment
from harness.cli import run_command
from harness.cli.chaos import chaos
from harness.cli.options import StackKind
from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.chaos_folder import ChaosFolder
from harness.evidence.run_folder import RunFolder
from harness.experiments.chaos import run_rounds
from harness.scenario import Scenario, load_scenario
from harness.stack.settings import ROOT

CHAOS = ROOT / "scenarios" / "chaos.toml"
FACTS: dict[str, Any] = {
    "seed": 40,
    "rounds": 2,
    "stack": "process",
    "choices": [["kill", "engine"]],
    "runs": [],
}


def not_to_be_run(*_: object) -> None:
    """In place of a run: what is not refused must not start anything."""
    pytest.fail("a round was begun")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": ["kill", "nonsense"]}, "no rounds of nonsense"),
        ({"kind": ["backup"]}, "no rounds of backup"),
        ({"kind": ["rpc_stall"]}, "no rounds of rpc_stall"),
        ({"stack": StackKind.ATTACH}, "not with --stack attach"),
        ({"image": ["engine=x"]}, "need containers"),
        ({"defect": ["no_such_defect"]}, "no defect"),
        ({"defect": ["skip_nonce"], "stack": StackKind.DOCKER}, "child processes only"),
        ({"images": "no-such-set", "stack": StackKind.DOCKER}, "no image set"),
        ({"settings": ["agent_containers.at_least=2"]}, "2 agent containers or more"),
        ({"settings": ["load.stages.0.duration_s=4"]}, "4 s of measured load are too short"),
        ({"settings": ["load.stages.0.phase=warmup"]}, "0 s of measured load are too short"),
        ({"seed": 2**63 - 1}, "leaves no seeds for 20 rounds"),
    ],
)
def test_nothing_is_made(
    options: Mapping[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What, where and a hint, and no folder."""
    reports = tmp_path / "reports"
    monkeypatch.setattr(run_command, "run_once", not_to_be_run)
    with pytest.raises(UsageError, match=message) as caught:
        chaos(CHAOS, reports=reports, **options)
    assert caught.value.hint
    assert not reports.exists()


def test_a_hint_names_only_what_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not all kinds that a scenario may have."""
    monkeypatch.setattr(run_command, "run_once", not_to_be_run)
    with pytest.raises(UsageError) as caught:
        chaos(CHAOS, reports=tmp_path, kind=["feed_stall"])
    assert "pause" in caught.value.hint
    assert "feed_stall" not in caught.value.hint


def test_faults_fit_a_load_that_begins_unmeasured(tmp_path: Path) -> None:
    """Moments count from the measured phase, whose length is not that of all stages."""
    scenario = load_scenario(
        CHAOS,
        [
            'load.stages=[{agents=2,rate_from=9,duration_s=60,phase="warmup"},'
            "{agents=2,rate_from=9,duration_s=5}]"
        ],
    )
    folder = ChaosFolder.create(tmp_path, scenario, 10**18)
    atomic_files.write_json(folder.path / "chaos.json", FACTS)
    made = Made()
    with pytest.raises(Made.EnoughError):
        run_rounds(folder, made.once, lambda _: None)
    assert made.scenario is not None
    assert made.scenario.fault[0].at_s[0] <= 2.5


@pytest.mark.parametrize(
    "broken",
    [
        {"stack": "attach"},
        {"choices": []},
        {"choices": [["explode", "redis"]]},
        {"seed": -5},
        {"seed": 2**63 - 1},
    ],
)
def test_broken_facts_are_an_error(broken: Mapping[str, Any], tmp_path: Path) -> None:
    """As evidence that cannot be read, and no round is begun."""
    folder = ChaosFolder.create(tmp_path, load_scenario(CHAOS), 10**18)
    atomic_files.write_json(folder.path / "chaos.json", {**FACTS, **broken})
    with pytest.raises(EvidenceError) as caught:
        run_rounds(folder, Made().once, lambda _: None)
    assert caught.value.where.startswith(str(folder.path))


def test_a_missing_round_is_the_first_error(tmp_path: Path) -> None:
    """Not after those that were missing have been made."""
    folder = ChaosFolder.create(tmp_path, load_scenario(CHAOS), 10**18)
    atomic_files.write_json(folder.path / "chaos.json", {**FACTS, "runs": ["away"]})
    with pytest.raises(UsageError, match="no such folder"):
        run_rounds(folder, Made().once, lambda _: None)


class Made:
    """Notes the first round that would be made."""

    class EnoughError(Exception):
        """It was."""

    def __init__(self) -> None:
        self.scenario: Scenario | None = None

    def once(self, scenario: Scenario, _: Path) -> tuple[Assessment, RunFolder]:
        """One round."""
        self.scenario = scenario
        raise Made.EnoughError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 40}, "--rounds"),
        ({"seed": 7, "kind": ["kill"]}, "--seed, --kind"),
        ({"settings": ["seed=2"], "defect": ["skip_nonce"], "image": ["x=y"]}, "--defect, --set"),
    ],
)
def test_a_folder_is_gone_on_with_as_it_was_begun(
    options: Mapping[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option that would be passed over is refused."""
    monkeypatch.setattr(run_command, "run_once", not_to_be_run)
    folder = ChaosFolder.create(tmp_path, load_scenario(CHAOS), 10**18)
    atomic_files.write_json(folder.path / "chaos.json", FACTS)
    with pytest.raises(UsageError, match=message) as caught:
        chaos(folder.path, **options)
    assert caught.value.hint
