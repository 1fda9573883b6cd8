"""The scenarios of faults that come with the repository."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.contract.names import Contract
from harness.faults.docker.factory import DOCKER_FAULT_SUPPORT
from harness.faults.support import PROCESS_FAULT_SUPPORT, check_faults
from harness.scenario import load_scenario
from harness.scenario.fault_registry import FaultSupport
from harness.stack.settings import ROOT

FOLDER = ROOT / "scenarios" / "faults"
CONTAINERS = sorted((FOLDER / "docker").glob("*.toml"))
PROCESSES = sorted((*FOLDER.glob("*.toml"), *(FOLDER / "process").glob("*.toml")))


@pytest.mark.parametrize("path", PROCESSES, ids=lambda path: path.stem)
def test_every_scenario_can_be_run_on_child_processes(path: Path) -> None:
    """Each asks for a recovery, and names what is done."""
    _check(path, PROCESS_FAULT_SUPPORT)


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.stem)
def test_every_scenario_of_containers_can_be_run_on_them(path: Path) -> None:
    """As above, with as many agents as it asks for."""
    agents = range(1, load_scenario(path).agent_containers.at_least + 1)
    services = DOCKER_FAULT_SUPPORT.services | {f"python-agent-{number}" for number in agents}
    _check(path, replace(DOCKER_FAULT_SUPPORT, services=services))


def _check(path: Path, possible: FaultSupport) -> None:
    scenario = load_scenario(path)
    assert scenario.planned_faults()
    assert any(one.metric == "recovery" for one in scenario.parsed_objectives())
    check_faults(scenario, Contract(), possible.stack, possible)
