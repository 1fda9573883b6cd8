"""What nobody promised, or nobody could see, is no PASS either."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.judge.verdict import Verdict
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean
from tests.unit.measure.evidence import healthy


@pytest.mark.parametrize("objective", ["max < 60 s", "p99 over any 5 s < 30 s"])
def test_limits_longer_than_the_wait_say_nothing_of_what_never_came(
    objective: str, tmp_path: Path
) -> None:
    """A lost signal had less time than the limit; nobody knows how long it would have taken."""
    world = healthy(None, objective)
    violations.lose(world)
    assert unclean(assessed(world, tmp_path))[objective] is Verdict.INCONCLUSIVE


def test_a_plan_of_another_scenario_is_invalid(tmp_path: Path) -> None:
    """What was asked and what was done are one."""
    world = healthy()
    world.scenario = world.scenario.model_copy(update={"seed": 99})
    found = unclean(assessed(world, tmp_path))
    assert found == {"journal follows the plan": Verdict.INVALID}


def test_row_versions_that_nobody_could_read(tmp_path: Path) -> None:
    """On servers of our own each of them may be the duplicate."""
    world = healthy()
    world.stack = {"kind": "process"}
    world.observer["unreadable"] = 1
    found = unclean(assessed(world, tmp_path))
    assert found["observer saw to the end"] is Verdict.INVALID
