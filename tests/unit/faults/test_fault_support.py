"""Faults that seem possible and are not, and the message."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.cli.stack_choice import StackChoice, StackKind
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.faults.docker.factory import DOCKER_FAULT_SUPPORT
from harness.faults.support import PROCESS_FAULT_SUPPORT, check_faults
from harness.scenario import Scenario, load_scenario
from harness.stack.settings import ROOT

SMOKE = ROOT / "scenarios" / "smoke.toml"


def scenario_of(*faults: dict[str, Any], full_share: float = 0.0) -> Scenario:
    """The first scenario with faults."""

    def edit(document: dict[str, Any]) -> None:
        document["fault"] = list(faults)
        document["load"].pop("until_decided_s")
        document["signals"] = {"full_share": full_share}

    return load_scenario(SMOKE, (), edit)


def refused(*faults: dict[str, Any], on_containers: bool = False) -> UsageError:
    """The refusal."""
    possible = DOCKER_FAULT_SUPPORT if on_containers else PROCESS_FAULT_SUPPORT
    with pytest.raises(UsageError) as caught:
        check_faults(scenario_of(*faults), Contract(), possible.stack, possible)
    return caught.value


def test_only_anvil_stalls_as_an_rpc_node() -> None:
    """A stall of another service would have the wrong name."""
    stall = {"kind": "rpc_stall", "target": "redis", "at_s": 1, "for_s": 3}
    assert "rpc_stall is done to anvil, not to redis" in refused(stall).what


def test_a_container_with_two_names_is_one() -> None:
    """It is no peer of itself, and has one fault at a time."""
    link = {"kind": "partition", "target": "engine", "peer": "go-execution-engine"}
    message = refused({**link, "at_s": 1, "for_s": 3}, on_containers=True).what
    assert "no service 'go-execution-engine' at the other end" in message
    pause = {"kind": "pause", "target": "engine", "at_s": 1, "for_s": 3}
    kill = {"kind": "kill", "target": "go-execution-engine"}
    message = refused(pause, {**kill, "at_s": 2}, on_containers=True).what
    assert "begins before pause is over" in message
    two = scenario_of(pause, {**kill, "at_s": 9})
    check_faults(two, Contract(), "docker", DOCKER_FAULT_SUPPORT)


def test_containers_are_advised_only_where_they_help() -> None:
    """A wrong name is wrong on them too."""
    assert "--stack docker" in refused({"kind": "memory_hog", "target": "redis", "at_s": 1}).hint
    for fault in (
        {"kind": "kill", "target": "mysql", "at_s": 1},
        {"kind": "rpc_stale", "at_s": 1, "for_s": 9},
        {"kind": "checkpoint", "target": "redis", "at_s": 1},
    ):
        assert "--stack docker" not in refused(fault).hint
        assert refused(fault).hint


def test_agents_count_from_one() -> None:
    """No option gives an agent 0."""
    message = refused({"kind": "kill", "target": "python-agent-0", "at_s": 1}, on_containers=True)
    assert "--agent-containers" not in message.what


def test_many_times_are_counted_and_not_planned() -> None:
    """A hundred faults could have a hundred million occurrences, too many to plan."""
    many = {"kind": "kill", "target": "redis", "at_s": list(range(1_000)), "times": 1_000}
    begun = time.process_time()
    with pytest.raises(UsageError, match="2000000 faults are more than 1000"):
        scenario_of({**many, "every_s": 1}, {**many, "every_s": 1})
    assert time.process_time() - begun < 1


def test_what_lasts_is_no_moment() -> None:
    """A length that would be rounded to nothing is none."""
    with pytest.raises(UsageError, match="for_s"):
        scenario_of({"kind": "pause", "target": "redis", "at_s": 1, "for_s": 1e-12})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[fault]]\ntarget = "redis"\nat_s = 1', "fault.0: kind is missing; docs/scenarios.md"),
        (
            '[[fault]]\nkind = "explode"\nat_s = 1',
            "fault.0: there is no kind 'explode', but 'aof_rewrite'",
        ),
        ('[fault]\nkind = "kill"\nat_s = 1', "fault: has to be a list; write [[fault]]"),
        ("gate = 3", "gate: has to be a table"),
    ],
)
def test_wrong_forms_are_reported_in_terms_of_toml(text: str, message: str, tmp_path: Path) -> None:
    """Whoever writes a scenario knows nothing of tuples and discriminators."""
    path = tmp_path / "own.toml"
    plain = load_scenario(SMOKE).model_dump(
        mode="json", exclude={"fault", "gate"}, exclude_none=True
    )
    rest = tomli_w.dumps(plain)
    path.write_text(f"{text}\n{rest}" if "[" not in text else f"{rest}\n{text}\n", "utf-8")
    with pytest.raises(UsageError) as caught:
        load_scenario(path)
    assert message in str(caught.value)


def test_options_of_agents_that_are_not_there() -> None:
    """There are no limits to remove."""
    choice = StackChoice(StackKind.DOCKER, "offline", [], 0, {}, None, None, free_agents=True)
    with pytest.raises(UsageError, match="--free-agents"):
        choice.check(load_scenario(SMOKE), Contract(), ROOT)
