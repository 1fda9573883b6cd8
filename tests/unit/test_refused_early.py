"""What cannot be run is refused before anything of a run is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cli import run_command
from harness.cli.overrides import as_overrides
from harness.cli.stack_choice import StackChoice, StackKind
from harness.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ROOT / "scenarios" / "smoke.toml"
EXTERNAL = ROOT / "examples" / "foreign"
PROCESS = StackChoice(StackKind.PROCESS, "offline", [], 0, {})
DOCKER = StackChoice(StackKind.DOCKER, "offline", [], 0, {})


def refused(
    choice: StackChoice, reports: Path, times: int, *defects: str, scenario: Path = SMOKE
) -> str:
    """What is said; nothing may have been made."""
    overrides = as_overrides(
        agents=None, rate=None, duration=None, seed=None, settings=[], defects=defects
    )
    with pytest.raises(UsageError) as caught:
        run_command.run_scenario(
            scenario, overrides, reports=reports, choice=choice, root=ROOT, times=times
        )
    assert caught.value.hint
    assert not reports.exists()
    return str(caught.value)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("defect", ["no_such_defect", "skip_nonce:no_such_key=1"])
def test_unknown_defect(times: int, defect: str, tmp_path: Path) -> None:
    """A defect, or a setting of one, that there is not."""
    assert "no_such" in refused(PROCESS, tmp_path / "reports", times, defect)


@pytest.mark.parametrize("times", [1, 3])
def test_options_that_do_not_fit(times: int, tmp_path: Path) -> None:
    """Defects in containers, images without any, a set that there is not."""
    reports = tmp_path / "reports"
    assert "child processes only" in refused(DOCKER, reports, times, "skip_nonce")
    images = StackChoice(StackKind.PROCESS, "offline", ["engine=x"], 0, {})
    assert "need containers" in refused(images, reports, times)
    other = StackChoice(StackKind.DOCKER, "no-such-set", [], 0, {})
    assert "no image set" in refused(other, reports, times)


@pytest.mark.parametrize("scenario", ["gate-g4.toml", "full-mode.toml"])
def test_a_node_that_is_needed_and_not_there(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a gate, or for signals in full; told with how to get one."""
    monkeypatch.setenv("HARNESS_ANVIL", str(tmp_path / "no-such-program"))
    monkeypatch.setattr(run_command, "run", not_to_be_run)
    path = ROOT / "scenarios" / scenario
    said = refused(PROCESS, tmp_path / "reports", 1, scenario=path)
    assert "is not a program" in said
    assert "npm install" in said


def not_to_be_run(*_: object) -> None:
    """In place of a run: what is not refused must not start anything."""
    pytest.fail("a run was begun")


def test_a_scenario_about_agents_needs_some(tmp_path: Path) -> None:
    """It says how to have them, on whatever stack."""
    budget = ROOT / "scenarios" / "faults" / "docker" / "restart-budget.toml"
    said = refused(DOCKER, tmp_path / "reports", 1, scenario=budget)
    assert "3 agent containers or more, and there are 0" in said
    assert "--agent-containers 3" in said
    assert "--stack docker" in refused(PROCESS, tmp_path / "reports", 1, scenario=budget)


@pytest.mark.parametrize("times", [1, 3])
def test_unset_variable_of_a_login(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contract names variables, and one of them holds nothing."""
    names = set(re.findall(r'_env = "(\w+)"', (EXTERNAL / "desk.toml").read_text(encoding="utf-8")))
    assert names
    for name in names:
        monkeypatch.delenv(name, raising=False)
    choice = StackChoice(StackKind.ATTACH, "offline", [], 0, {}, EXTERNAL / "desk.toml")
    said = refused(choice, tmp_path / "reports", times, scenario=EXTERNAL / "desk-smoke.toml")
    assert any(name in said for name in names)


def test_service_rate_of_a_system_that_runs_already(tmp_path: Path) -> None:
    """Only the reference engine has one."""
    choice = StackChoice(StackKind.ATTACH, "offline", [], 0, {}, EXTERNAL / "desk.toml")
    scenario = tmp_path / "served.toml"
    text = (EXTERNAL / "desk-smoke.toml").read_text(encoding="utf-8")
    service = '[engine]\nworkers = 1\nservice = "mmc"\nservice_rate = 300\n'
    scenario.write_text(f"{text}\n{service}", encoding="utf-8")
    message = refused(choice, tmp_path / "reports", 1, scenario=scenario)
    assert "engine.service" in message
