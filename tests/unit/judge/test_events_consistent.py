"""The restarts that a stack counts are events of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.evidence.run_documents import STOPPED_EARLY
from harness.judge.crosscheck import EVENTS_CONSISTENT
from harness.judge.verdict import Verdict
from tests.unit.analysis.evidence import healthy
from tests.unit.judge.assessing import assessed, unclean


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        ({"what": "made up", "subject": "engine", "exit_code": -9, "restarts": 1}, None),
        ({"what": "engine was restarted", "subject": "redis"}, Verdict.INVALID),
        ({"what": "engine was restarted"}, None),
        ({"what": "engine2 was restarted"}, Verdict.INVALID),
    ],
    ids=["named", "another one", "in the sentence", "another one in the sentence"],
)
def test_a_counted_restart_is_an_event(
    event: dict[str, Any], verdict: Verdict | None, tmp_path: Path
) -> None:
    """By the name of the service: a field, or in older evidence the first word."""
    world = healthy()
    world.stack = {**world.stack, "services": {"engine": {"restarts": 1}}}
    world.run["events"].append({"kind": "service_restarted", "mono_ns": 5, **event})
    found = assessed(world, tmp_path)
    assert unclean(found).get(EVENTS_CONSISTENT.id) is verdict


@pytest.mark.parametrize(
    ("event", "error", "verdict"),
    [
        ("decided", STOPPED_EARLY, None),
        ("decided", "MemoryError", Verdict.INVALID),
        ("", STOPPED_EARLY, Verdict.INVALID),
    ],
)
def test_a_swarm_that_was_stopped_early_reports_nothing_else(
    event: str, error: str, verdict: Verdict | None, tmp_path: Path
) -> None:
    """A run that was decided stops its swarm; any other error has an event of its own."""
    world = healthy()
    world.swarm_statuses[-1] |= {"kind": "done", "error": error}
    if event:
        world.event(event)
    assert unclean(assessed(world, tmp_path)).get(EVENTS_CONSISTENT.id) is verdict
