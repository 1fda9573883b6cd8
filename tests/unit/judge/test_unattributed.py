"""Effects of nobody's signals, and states that nothing leads to: only where others work too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contract.names import State
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import World, healthy
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean

UNEXPECTED = "effects_unexpected"
LEFT = "final_rows_match"
GHOST = "deadbeef-0000-4000-8000-000000000001"
NOBODY: dict[str, Any] = {"tasks": 0, "ledger": 0, "traces": []}


def with_rows(stack: dict[str, Any] | None = None, **rows: Any) -> World:
    """A run after which rows of others were counted."""
    world = healthy()
    world.stack = stack or {"kind": "process"}
    assert world.final is not None
    world.final["postgres"]["strangers"] = {**NOBODY, "traces": [GHOST], **rows}
    return world


@pytest.mark.parametrize("kind", ["process", "docker"])
@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ({"tasks": 1}, "1 FSM row of no signal of this run"),
        ({"ledger": 3}, "3 ledger rows of no signal"),
        ({"tasks": 2, "ledger": 6}, "2 FSM rows and 6 ledger rows of no signal"),
    ],
)
def test_rows_of_nobody_on_servers_of_our_own_fail(
    kind: str, rows: dict[str, int], text: str, tmp_path: Path
) -> None:
    """Nobody else could have caused them."""
    world = with_rows({"kind": kind}, **rows)
    found = assessed(world, tmp_path)
    check = next(one for one in found.judgement.checks if one.id == UNEXPECTED)
    assert check.status is Status.FAIL
    assert text in check.message
    assert GHOST in check.examples


def test_row_versions_of_nobody_fail_even_if_they_are_gone_in_the_end(tmp_path: Path) -> None:
    """The observer saw them pass."""
    world = with_rows()
    world.observer["foreign"] = 2
    found = assessed(world, tmp_path)
    assert unclean(found)[UNEXPECTED] is Verdict.FAIL
    assert "2 row versions of no signal" in found.judgement.reasons[0].message


@pytest.mark.parametrize(
    "stack",
    [
        {"kind": "attach", "name": "desk", "grade_reasons": []},
        {"kind": "docker", "services": {"python-agent-1": {}}},
    ],
)
def test_rows_of_others_are_left_alone_where_others_send(
    stack: dict[str, Any], tmp_path: Path
) -> None:
    """A system that others use, and a stack with agents of its own beside the swarm."""
    world = with_rows(stack, tasks=2, ledger=6)
    world.observer["foreign"] = 4
    assert UNEXPECTED not in unclean(assessed(world, tmp_path))


def test_rows_that_nobody_counted_are_no_violation(tmp_path: Path) -> None:
    """An older run wrote no such figure; a clean one found nothing."""
    assert unclean(assessed(healthy(), tmp_path)) == {}
    assert unclean(assessed(with_rows(), tmp_path)) == {}


def take_further(world: World) -> None:
    """A simulated signal is left in a state that the contract does not tell apart."""
    violations.field(world.tasks, world, violations.N, "state", State.OTHER)


@pytest.mark.parametrize(
    ("kind", "fails"), [("process", True), ("docker", True), ("attach", False)]
)
def test_state_beyond_simulated_fails_where_nothing_leads_to_it(
    kind: str, fails: bool, tmp_path: Path
) -> None:
    """Zone C takes signals further in a system that runs already, and is in no stack of ours."""
    world = healthy()
    world.stack = {"kind": kind, "grade_reasons": [], "name": "desk"}
    take_further(world)
    found = assessed(world, tmp_path)
    assert (unclean(found).get(LEFT) is Verdict.FAIL) is fails
    if fails:
        check = next(one for one in found.judgement.checks if one.id == LEFT)
        assert "1 signal left in a state that nothing on this stack leads to" in check.message
        assert check.examples == (world.trace(violations.N),)
