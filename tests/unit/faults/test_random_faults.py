"""Faults drawn at random: possible, in time, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.names import Contract
from harness.faults.docker.factory import DOCKER_FAULT_SUPPORT
from harness.faults.random_faults import candidates, chosen_kinds, draw_fault
from harness.faults.support import PROCESS_FAULT_SUPPORT, check_faults
from harness.scenario import Scenario
from harness.scenario.fault_registry import FaultSupport, kinds_where

MEASURED_S = 14.0
AGENT_FAULT_KINDS = kinds_where(lambda kind: kind.targets.needs_agents)
WITH_AGENTS = replace(
    DOCKER_FAULT_SUPPORT, services=DOCKER_FAULT_SUPPORT.services | {"python-agent-1"}
)


def scenario_of(fault: dict[str, Any], *, needs_anvil: bool) -> Scenario:
    """A scenario with one fault."""
    return Scenario.model_validate(
        {
            "name": "round",
            "about": "one round",
            "objectives": ["recovery < 15 s"],
            "signals": {"full_share": 0.1 if needs_anvil else 0.0},
            "load": {"stages": [{"agents": 5, "rate_from": 20, "duration_s": MEASURED_S}]},
            "fault": [fault],
        }
    )


@pytest.mark.parametrize("possible", [PROCESS_FAULT_SUPPORT, DOCKER_FAULT_SUPPORT, WITH_AGENTS])
@pytest.mark.parametrize("needs_anvil", [False, True])
def test_every_fault_that_is_drawn_can_be_injected(
    possible: FaultSupport, needs_anvil: bool
) -> None:
    """The model accepts it, it lies within the load, and the stack can have it."""
    choices = candidates(possible, needs_anvil=needs_anvil)
    seen = set()
    for number in range(300):
        fault = draw_fault(7, number, MEASURED_S, choices)
        scenario = scenario_of(fault, needs_anvil=needs_anvil)
        check_faults(scenario, Contract(), possible.stack, possible)
        seen.add((fault["kind"], fault["target"]))
    assert seen <= set(choices)
    assert {kind for kind, _ in seen} == {kind for kind, _ in choices}


@given(seed=st.integers(0, 2**62), number=st.integers(1, 10_000))
def test_the_same_seed_draws_the_same(seed: int, number: int) -> None:
    """A round can be repeated."""
    choices = candidates(PROCESS_FAULT_SUPPORT, needs_anvil=False)
    first = draw_fault(seed, number, MEASURED_S, choices)
    assert first == draw_fault(seed, number, MEASURED_S, choices)


def test_a_backup_policy_is_never_drawn() -> None:
    """It lasts longer than a round."""
    assert "backup" not in {kind for kind, _ in candidates(PROCESS_FAULT_SUPPORT, needs_anvil=True)}


def test_anvil_is_no_target_where_none_runs() -> None:
    """It is started on demand."""
    found = candidates(PROCESS_FAULT_SUPPORT, needs_anvil=False)
    assert not [one for one in found if one[1] == "anvil"]
    assert ("rpc_stall", "anvil") in candidates(PROCESS_FAULT_SUPPORT, needs_anvil=True)


def test_what_agents_do_is_drawn_where_there_are_agents() -> None:
    """And done by them alone."""
    assert not [
        one
        for one in candidates(DOCKER_FAULT_SUPPORT, needs_anvil=True)
        if one[0] in AGENT_FAULT_KINDS
    ]
    found = candidates(WITH_AGENTS, needs_anvil=False)
    assert {target for kind, target in found if kind in AGENT_FAULT_KINDS} == {"python-agent-1"}


def test_what_not_every_host_can_have_is_named() -> None:
    """Else a round could end for want of a loop device."""
    choices = candidates(DOCKER_FAULT_SUPPORT, needs_anvil=False)
    assert {"disk_fill", "fork_storm"} <= {kind for kind, _ in choices}
    assert {kind for kind, _ in chosen_kinds(choices, ())} == {
        kind for kind, _ in choices if kind not in ("disk_fill", "slow_disk")
    }
    named = chosen_kinds(choices, ["disk_fill"])
    assert {target for _, target in named} == {"engine", "postgres", "redis"}
    assert {kind for kind, _ in named} == {"disk_fill"}
    clocks = chosen_kinds(candidates(PROCESS_FAULT_SUPPORT, needs_anvil=False), ["clock_step"])
    assert {target for _, target in clocks} == {"data-processor"}
