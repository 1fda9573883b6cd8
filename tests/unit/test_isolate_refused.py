"""Experiments that cannot answer are refused before there is a folder of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.cli.isolate import isolate
from harness.errors import UsageError
from harness.experiments.isolation_run import expand_blocks
from harness.scenario import load_scenario
from harness.scenario.isolation import Isolation
from harness.scenario.models import Phase
from harness.stack.settings import ROOT

SMOKE = ROOT / "scenarios" / "smoke.toml"
PAUSE = "pause:target=engine"


def not_to_be_run(*_: object, **__: object) -> None:
    """In place of a run: no refused command starts one."""
    pytest.fail("a run was begun")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no disturbance is given"),
        ({"disturb": ["kill:target=redis"]}, "'kill' is no disturbance"),
        ({"disturb": ["backup:days=3,keep=2"]}, "'backup' is no disturbance"),
        ({"disturb": ["nonsense"]}, "'nonsense' is no disturbance"),
        ({"disturb": [":"]}, "'' is no disturbance"),
        ({"disturb": [f"{PAUSE},for_s=3"]}, "for_s"),
        ({"disturb": [f"{PAUSE},at_s=3,jitter_s=1"]}, "at_s, jitter_s"),
        ({"disturb": [f"{PAUSE},kind=kill"]}, "kind is given twice"),
        ({"disturb": [f"{PAUSE},target=redis"]}, "target is given twice"),
        ({"disturb": ["pause:=5"]}, "is not key=value"),
        ({"disturb": ["pause:target"]}, "is not key=value"),
        ({"disturb": [PAUSE], "settings": ['objectives=["rejected < 1 %"]']}, "no latency"),
        ({"disturb": [PAUSE], "pairs": 0}, "pairs: Input should be greater"),
        ({"disturb": [PAUSE], "block": 3.0}, "must be shorter than block_s"),
        ({"disturb": [PAUSE], "margin": float("nan")}, "margin_ms: Input should"),
        ({"disturb": [PAUSE, PAUSE]}, "begins before pause is over"),
    ],
)
def test_nothing_is_made(
    options: Mapping[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What, where and a hint, in the harness's own terms, and no folder."""
    monkeypatch.setattr(run_command, "run_once", not_to_be_run)
    reports = tmp_path / "reports"
    with pytest.raises(UsageError, match=message) as caught:
        isolate(SMOKE, reports=reports, **options)
    assert caught.value.hint
    assert "pydantic" not in str(caught.value)
    assert not reports.exists()


def test_an_unmeasured_stage_is_measured_in_blocks() -> None:
    """Only its rate is used."""
    pause = {"kind": "pause", "target": "engine"}
    found = load_scenario(
        SMOKE,
        ["load.stages.0.phase=warmup"],
        lambda document: expand_blocks(document, Isolation(), [pause], 1),
    )
    assert found.load.stages[0].phase is Phase.MEASURE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"disturb": [PAUSE]}, "--disturb"),
        ({"seed": 3, "settings": ["seed=2"]}, "--seed, --set"),
    ],
)
def test_a_folder_is_judged_as_it_was_run(
    options: Mapping[str, Any], message: str, tmp_path: Path
) -> None:
    """An option that would be passed over is refused."""
    with pytest.raises(UsageError, match=f"{message}: ") as caught:
        isolate(tmp_path, **options)
    assert caught.value.hint
