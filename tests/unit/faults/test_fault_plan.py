"""When faults are due, and which are refused before anything is started."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.clock import NS_PER_S
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.evidence.run_folder import scenario_text
from harness.faults.docker.factory import DOCKER_FAULT_SUPPORT
from harness.faults.kinds.process_exit import Kill
from harness.faults.support import PROCESS_FAULT_SUPPORT, check_faults
from harness.scenario import Scenario
from harness.scenario.fault import plan_faults
from harness.scenario.fault_registry import FaultSupport

LOAD = {"warmup_s": 5.0, "stages": [{"agents": 2, "rate_from": 10.0, "duration_s": 60.0}]}

LINK = {"target": "engine", "peer": "redis", "at_s": 1, "for_s": 3}


def scenario_of(*faults: dict[str, Any], full_share: float = 0.0) -> Scenario:
    """A minute of load with these faults."""
    return Scenario.model_validate(
        {
            "name": "faulty",
            "about": "made up",
            "objectives": ["recovery < 15 s"],
            "load": LOAD,
            "signals": {"full_share": full_share},
            "fault": faults,
        }
    )


@given(
    at_s=st.lists(st.floats(0, 100), min_size=1, max_size=5),
    times=st.integers(1, 5),
    every_s=st.floats(0.5, 20),
    jitter_s=st.floats(0, 5),
    seed=st.integers(0, 2**63 - 1),
)
def test_plan_is_a_pure_function_of_seed(
    at_s: list[float], times: int, every_s: float, jitter_s: float, seed: int
) -> None:
    """As many as asked for, in order, none early, none later than the jitter allows."""
    fault = Kill(
        kind="kill",
        target="engine",
        at_s=tuple(at_s),
        times=times,
        every_s=every_s if times > 1 else 0.0,
        jitter_s=jitter_s,
    )
    start_ns = 5 * NS_PER_S
    planned = plan_faults((fault,), seed, start_ns)
    assert planned == plan_faults((fault,), seed, start_ns)
    assert [one.number for one in planned] == list(range(len(at_s) * times))
    when = [one.at_ns for one in planned]
    assert when == sorted(when)
    due = sorted(start_ns + (a + n * every_s) * NS_PER_S for a in at_s for n in range(times))
    for own_ns, due_ns in zip(when, due, strict=True):
        assert -1 <= own_ns - due_ns <= jitter_s * NS_PER_S + 1


def test_times_count_from_the_measured_phase() -> None:
    """The warm-up comes before."""
    (planned,) = scenario_of(
        {"kind": "pause", "target": "redis", "at_s": 3, "for_s": 2}
    ).planned_faults()
    assert (planned.at_ns, planned.for_ns) == (8 * NS_PER_S, 2 * NS_PER_S)


def test_a_backup_policy_lasts_as_long_as_its_days() -> None:
    """And there is one of a database."""
    backup = {"kind": "backup", "at_s": 3, "days": 5, "keep": 2, "day_s": 2.0}
    (planned,) = scenario_of(backup).planned_faults()
    assert planned.for_ns == 10 * NS_PER_S
    with pytest.raises(ValidationError, match="one backup policy"):
        scenario_of(backup, {**backup, "at_s": 20})


def test_a_fault_survives_its_file() -> None:
    """As it is written into the run's folder, with every default."""
    scenario = scenario_of(
        {"kind": "kill", "target": "engine", "at_s": [3, 9], "jitter_s": 1},
        {"kind": "aof_rewrite", "at_s": 20, "times": 2, "every_s": 5},
        {"kind": "backup", "at_s": 5, "days": 4, "keep": 2},
    )
    text = scenario_text(scenario)
    assert Scenario.model_validate(tomllib.loads(text)) == scenario


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"kind": "kil", "target": "engine", "at_s": 1}, "does not match any of the expected"),
        ({"kind": "kill", "target": "engine"}, "Field required"),
        ({"kind": "kill", "target": "engine", "at_s": -1}, "greater than or equal to 0"),
        ({"kind": "kill", "target": "engine", "at_s": 1, "for_s": 2}, "Extra inputs"),
        ({"kind": "pause", "target": "engine", "at_s": 1}, "Field required"),
        ({"kind": "kill", "target": "engine", "at_s": 1, "times": 2}, "every_s is needed"),
        ({"kind": "kill", "target": "engine", "at_s": 1, "every_s": 2}, "means nothing"),
        ({"kind": "kill", "target": "engine", "at_s": 60}, "beyond the measured load"),
        ({"kind": "pause", "target": "engine", "at_s": 58, "for_s": 3}, "beyond the measured load"),
        ({"kind": "kill", "target": "engine", "at_s": [4, 4]}, "before kill is over"),
        (
            {**LINK, "kind": "delay", "delay_ms": 5, "jitter_ms": 6},
            "jitter_ms is more than delay_ms",
        ),
        ({**LINK, "kind": "delay", "delay_ms": 5, "for_s": 1}, "greater than or equal to 2"),
        ({**LINK, "kind": "loss", "loss_share": 10}, "less than or equal to 0.9"),
        ({**LINK, "kind": "loss"}, "Field required"),
        ({**LINK, "kind": "bandwidth", "kbit_s": 1}, "greater than or equal to 64"),
        ({**LINK, "kind": "bandwidth", "kbit_s": 99, "direction": "up"}, "Input should be"),
        ({"kind": "backup", "at_s": 1, "days": 3, "keep": 3}, "no backup would ever be removed"),
        ({"kind": "backup", "at_s": [1, 9], "days": 3, "keep": 2}, "a policy begins once"),
        ({"kind": "backup", "at_s": 30}, "beyond the measured load"),
        ({"kind": "feed_stall", "at_s": 4, "for_s": 7.9}, "too short to show anything.* 8 s"),
        ({"kind": "rpc_stale", "at_s": 4, "for_s": 7.9}, "too short to show anything.* 8 s"),
    ],
)
def test_what_makes_no_sense_is_refused(fault: dict[str, Any], text: str) -> None:
    """With the reason."""
    with pytest.raises(ValidationError, match=text):
        scenario_of(fault)


def test_one_link_has_one_fault_at_a_time() -> None:
    """Whichever end is the target; another link of the same peer may have one."""
    delay = {**LINK, "kind": "delay", "delay_ms": 5}
    loss = {"kind": "loss", "target": "redis", "peer": "engine", "for_s": 3, "loss_share": 0.1}
    scenario_of(delay, {**loss, "target": "data-processor", "peer": "redis", "at_s": 2})
    scenario_of(delay, {**loss, "at_s": 10})
    with pytest.raises(ValidationError, match="before delay is over"):
        scenario_of(delay, {**loss, "at_s": 2})


def test_there_is_no_link_to_an_anvil_that_does_not_run() -> None:
    """It is started on demand."""
    fault = {**LINK, "kind": "delay", "delay_ms": 5, "peer": "anvil"}
    with pytest.raises(UsageError, match="no link to it"):
        check_faults(scenario_of(fault), Contract(), "docker", DOCKER_FAULT_SUPPORT)
    check_faults(scenario_of(fault, full_share=0.1), Contract(), "docker", DOCKER_FAULT_SUPPORT)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"kind": "kill", "target": "archive", "at_s": 1}, "no service 'archive'"),
        ({"kind": "kill", "target": "anvil", "at_s": 1}, "there is no Anvil"),
        ({"kind": "rpc_stall", "at_s": 1, "for_s": 1}, "there is no Anvil"),
        ({"kind": "aof_rewrite", "target": "postgres", "at_s": 1}, "is done to redis"),
        ({"kind": "checkpoint", "target": "redis", "at_s": 1}, "is done to postgres"),
        ({"kind": "snapshot", "target": "redis", "at_s": 1}, "is done to postgres"),
        ({"kind": "backup", "target": "redis", "at_s": 1}, "is done to postgres"),
        (
            {"kind": "partition", "target": "engine", "peer": "redis", "at_s": 1, "for_s": 1},
            "partition is not possible on the process stack",
        ),
        (
            {"kind": "partition", "target": "engine", "peer": "engine", "at_s": 1, "for_s": 1},
            "no service 'engine' at the other end",
        ),
        (
            {"kind": "disk_fill", "target": "redis", "at_s": 1, "for_s": 1},
            "disk_fill is not possible on the process stack",
        ),
        (
            {"kind": "clock_step", "target": "redis", "at_s": 1, "for_s": 1, "step_s": 9.0},
            "clock_step is done to data-processor, not to redis",
        ),
        ({"kind": "rpc_stale", "at_s": 1, "for_s": 9}, "needs 2 RPC nodes"),
        ({"kind": "feed_stall", "target": "engine", "at_s": 1, "for_s": 9}, "is done to agents"),
        ({"kind": "pause", "target": "agents", "at_s": 1, "for_s": 9}, "no service 'agents'"),
    ],
)
def test_what_the_stack_cannot_have_is_refused_first(fault: dict[str, Any], text: str) -> None:
    """Before a server is started."""
    with pytest.raises(UsageError, match=text):
        check_faults(scenario_of(fault), Contract(), "process", PROCESS_FAULT_SUPPORT)


def test_agents_are_asked_for_where_a_fault_is_aimed_at_one() -> None:
    """And only agents are targets of the kinds of agents."""
    flood = {"kind": "redis_flood", "target": "python-agent-3", "at_s": 1, "for_s": 2}
    with pytest.raises(UsageError, match="--agent-containers 3"):
        check_faults(scenario_of(flood), Contract(), "docker", DOCKER_FAULT_SUPPORT)
    agents = frozenset({"python-agent-3"})
    possible = replace(DOCKER_FAULT_SUPPORT, services=DOCKER_FAULT_SUPPORT.services | agents)
    check_faults(scenario_of(flood), Contract(), "docker", possible)
    other = scenario_of({**flood, "target": "redis"})
    with pytest.raises(UsageError, match="done by an agent"):
        check_faults(other, Contract(), "docker", possible)
    with pytest.raises(UsageError, match="not possible on the process stack"):
        check_faults(scenario_of(flood), Contract(), "process", PROCESS_FAULT_SUPPORT)


def test_a_container_has_no_clock_of_its_own() -> None:
    """And the refusal has the reason."""
    step = {"kind": "clock_step", "target": "data-processor", "at_s": 1, "for_s": 1, "step_s": 9.0}
    check_faults(scenario_of(step), Contract(), "process", PROCESS_FAULT_SUPPORT)
    with pytest.raises(UsageError, match="docker stack: containers share this host's wall clock"):
        check_faults(scenario_of(step), Contract(), "docker", DOCKER_FAULT_SUPPORT)


@pytest.mark.parametrize("kind", ["disk_fill", "slow_disk"])
def test_only_a_disk_of_its_own_is_harmed(kind: str) -> None:
    """A service without a volume writes to the host's."""
    fault = {"kind": kind, "at_s": 1, "for_s": 1}
    for target in ("redis", "postgres", "engine"):
        scenario = scenario_of({**fault, "target": target})
        check_faults(scenario, Contract(), "docker", DOCKER_FAULT_SUPPORT)
    with pytest.raises(UsageError, match="data-processor has no data volume"):
        check_faults(
            scenario_of({**fault, "target": "data-processor"}),
            Contract(),
            "docker",
            DOCKER_FAULT_SUPPORT,
        )


def test_nothing_would_bring_anvil_back() -> None:
    """It may stall, but not end."""
    check_faults(
        scenario_of({"kind": "rpc_stall", "at_s": 1, "for_s": 1}, full_share=0.1),
        Contract(),
        "process",
        PROCESS_FAULT_SUPPORT,
    )
    kill = scenario_of({"kind": "kill", "target": "anvil", "at_s": 1}, full_share=0.1)
    with pytest.raises(UsageError, match="nothing would start anvil again"):
        check_faults(kill, Contract(), "process", PROCESS_FAULT_SUPPORT)


def test_every_problem_is_reported_at_once() -> None:
    """Each with its place."""
    faults = (
        {"kind": "kill", "target": "archive", "at_s": 1},
        {"kind": "checkpoint", "target": "redis", "at_s": 5},
    )
    with pytest.raises(UsageError, match=r"(?s)fault\.0:.*fault\.1:"):
        check_faults(scenario_of(*faults), Contract(), "process", PROCESS_FAULT_SUPPORT)


@pytest.mark.parametrize(
    ("contract", "possible", "text"),
    [
        (Contract(prefix="prod:"), PROCESS_FAULT_SUPPORT, "never injected"),
        (Contract(), None, "only into what the harness started"),
    ],
)
def test_what_is_not_ours_is_left_alone(
    contract: Contract, possible: FaultSupport | None, text: str
) -> None:
    """Production, and systems that were there before."""
    scenario = scenario_of({"kind": "kill", "target": "engine", "at_s": 1})
    with pytest.raises(UsageError, match=text):
        check_faults(scenario, contract, "any", possible)
    check_faults(scenario_of(), contract, "any", possible)
