from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.load.kernel_tuning import exceeds_realtime_share
from harness.load.reconnector import OUTAGE_AFTER_END_MAX_NS, OUTAGE_MAX_NS, give_up_ns
from harness.load.status import SwarmTotals, sum_statuses
from harness.load.swarm import Swarm, describe_end
from harness.schedule.plan import SwarmPlan
from tests.unit.load.swarm_setup import load_of, plan_of


def test_statuses_sum() -> None:
    """Counts add up; the longest lateness is everybody's."""
    found = sum_statuses(
        [
            {"kind": "status", "due": 5, "sent": 4, "accepted": 3, "lateness_max_ns": 7},
            {"kind": "done", "due": 1, "sent": 1, "unknown": 1, "lateness_max_ns": 9, "agents": 2},
        ]
    )
    assert found == SwarmTotals(due=6, sent=5, accepted=3, unknown=1, agents=2, lateness_max_ns=9)


@given(st.lists(st.fixed_dictionaries({"sent": st.integers(0), "due": st.integers(0)})))
def test_sum_is_independent_of_order(statuses: list[dict[str, int]]) -> None:
    """Which process speaks first does not matter, and none is no signal."""
    assert sum_statuses(statuses) == sum_statuses(reversed(statuses))
    assert sum_statuses([]) == SwarmTotals()


@pytest.mark.parametrize(
    ("code", "latest", "text"),
    [
        (0, {"kind": "done", "error": None}, None),
        (0, {"kind": "status"}, "swarm-0 ended without a final status"),
        (5, {"kind": "done", "error": "Redis: gone"}, "swarm-0: Redis: gone"),
        (-9, {"kind": "status"}, "swarm-0 was ended by SIGKILL"),
        (1, None, "swarm-0 ended with exit code 1"),
    ],
)
def test_end_is_told(code: int, latest: dict[str, object] | None, text: str | None) -> None:
    """Only a process that ends by itself with its last word said ended well."""
    assert describe_end("swarm-0", code, latest) == text


@given(st.integers(1, 5))
def test_every_agent_has_one_process(processes: int) -> None:
    """The processes' agents are all agents, each once."""
    plan = plan_of(load_of((7, 1, 1, 1), (11, 1, 1, 1), processes=processes))
    owned = [
        agent
        for process in range(processes)
        for agent in plan.model_copy(update={"process": process}).own_agents
    ]
    assert sorted(owned) == list(range(11))


def test_plan_goes_through_the_pipe(tmp_path: Path) -> None:
    """A process reads back what it is told, password included; nothing else shows it."""
    plan = plan_of(
        load_of((2, 1, 1, 1), warmup_s=1), tmp_path, redis_url="redis://:secret@host:1/0"
    )
    assert SwarmPlan.model_validate_json(plan.to_stdin()) == plan
    assert "secret" not in repr(plan)
    assert plan.end_ns == plan.t0_ns + 2 * NS_PER_S


def test_swarm_makes_a_process_for_each_share(tmp_path: Path) -> None:
    """As many processes as the load asks for; before the start there is nothing to tell."""
    swarm = Swarm(plan_of(load_of((4, 1, 1, 1), processes=3), tmp_path), tmp_path)
    assert [child.name for child in swarm.children] == ["swarm-0", "swarm-1", "swarm-2"]
    assert swarm.totals() == SwarmTotals()
    assert swarm.failure() is None


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_giving_up_is_bounded(lost_ns: int, end_ns: int) -> None:
    """Redis gets its time to come back, but never more than the longest, nor long after the end."""
    until_ns = give_up_ns(lost_ns, end_ns)
    assert lost_ns + OUTAGE_AFTER_END_MAX_NS <= until_ns <= lost_ns + OUTAGE_MAX_NS
    assert until_ns <= max(lost_ns, end_ns) + OUTAGE_AFTER_END_MAX_NS


def test_greed() -> None:
    """Real-time priority is for those who take little of a core."""
    assert not exceeds_realtime_share(used_ns=NS_PER_S // 4, elapsed_ns=NS_PER_S)
    assert exceeds_realtime_share(used_ns=NS_PER_S, elapsed_ns=NS_PER_S)
    assert not exceeds_realtime_share(used_ns=10, elapsed_ns=10)


def test_swarm_is_free_of_locust() -> None:
    """The parent side imports neither Locust nor gevent: both would patch the main process."""
    code = "import sys, harness.load.swarm; print({'locust', 'gevent'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_worker_refuses_what_is_no_plan() -> None:
    """A wrong plan ends at once, in words, without showing what it was given."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.load.worker"],
        input='{"redis_url": "redis://:secret@h/0"}',
        capture_output=True,
        text=True,
        check=False,
    )
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["kind"]) == (2, "done")
    assert "run_tag" in last["error"]
    assert "secret" not in done.stdout + done.stderr
