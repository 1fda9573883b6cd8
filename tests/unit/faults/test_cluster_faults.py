"""Faults of a Redis Cluster: what they need, and what the nodes' own table says."""

from __future__ import annotations

import pytest

from harness.cli.stack_choice import StackChoice, StackKind
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.faults.cluster_view import ClusterView, parse_nodes
from harness.faults.support import PROCESS_FAULT_SUPPORT, check_faults
from harness.scenario import load_scenario
from harness.stack.process.redis_cluster import SLOTS, node_names, slot_ranges
from harness.stack.settings import ROOT

FOLDER = ROOT / "scenarios" / "faults" / "process"


@pytest.mark.parametrize(
    ("name", "nodes", "needed"),
    [("slot-migration", 1, 3), ("slot-unreachable", 1, 3), ("redis-failover", 3, 6)],
)
def test_each_needs_a_cluster_that_is_large_enough(name: str, nodes: int, needed: int) -> None:
    """One node has nowhere to move a slot to, and without replicas nothing takes over."""
    scenario = load_scenario(FOLDER / f"{name}.toml", (f"redis.cluster_nodes={nodes}",))
    with pytest.raises(UsageError, match=f"set redis.cluster_nodes={needed}"):
        check_faults(scenario, Contract(), "process", PROCESS_FAULT_SUPPORT)


@pytest.mark.parametrize("nodes", [1, 3, 6])
def test_only_child_processes_are_a_cluster(nodes: int) -> None:
    """Containers refuse the key before anything starts."""
    scenario = load_scenario(ROOT / "scenarios" / "smoke.toml", (f"redis.cluster_nodes={nodes}",))
    StackChoice(StackKind.PROCESS, "offline", [], 0, {}).check(scenario, Contract(), ROOT)
    with pytest.raises(UsageError) as caught:
        StackChoice(StackKind.DOCKER, "offline", [], 0, {}).check(scenario, Contract(), ROOT)
    assert caught.value.where == "redis.cluster_nodes"


@pytest.mark.parametrize("primaries", [1, 2, 3])
@pytest.mark.parametrize("slot", [0, 5461, 10_922, SLOTS - 1])
def test_every_slot_has_one_primary(primaries: int, slot: int) -> None:
    """And the first primary serves the given one."""
    ranges = slot_ranges(primaries, slot)
    assert slot in ranges[0]
    assert sorted(number for slots in ranges for number in slots) == list(range(SLOTS))
    assert len(node_names(primaries)) == len(ranges) == primaries


def test_nodes_are_read_from_their_table() -> None:
    """Suspected (`fail?`) is not failed; a single slot is a range of one."""
    row = {"node_id": "a", "flags": "master,fail?", "master_id": "-", "slots": [["7"], ["9", "11"]]}
    replica = {"node_id": "b", "flags": "slave,fail", "master_id": "a", "slots": []}
    first, second = parse_nodes({"h:1": row, "h:2": replica})
    assert (first.failed, first.primary_id, first.slots) == (False, "", ((7, 7), (9, 11)))
    assert (second.failed, second.primary_id) == (True, "a")
    assert [first.serves(slot) for slot in (7, 8, 11)] == [True, False, True]
    assert ClusterView.of("redis+cluster://:p@h:1,h:2/0", "k").addresses() == ("h:1", "h:2")
