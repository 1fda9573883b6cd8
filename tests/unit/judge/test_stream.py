"""What was left in the stream, what was trimmed, and what others wrote there."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.assessment.assess import assess
from harness.evidence.manifest import write_manifest
from harness.evidence.records import PushStatus
from harness.judge.check import Check
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import World, healthy
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean

ADDED = "stream_entries_added"
LEFT = "stream_drained"
TRIMMED = "stream_trimmed"


def shared(world: World) -> World:
    """The stream belongs to a system that others use too."""
    world.stack = {"kind": "attach"}
    return world


def check(world: World, name: str, reports: Path) -> Check:
    """One check of the judgement."""
    found = assessed(world, reports)
    return next(check for check in found.judgement.checks if check.id == name)


def other_traffic(world: World) -> None:
    """Others wrote 40 entries, of which three are under way."""
    stream = violations.stream(world)
    stream["entries_added"] += 40
    group = stream["engine_group"]
    group["pending"], group["lag"] = 3, 2
    group["pending_ids"] = ["2-1", "2-2", "2-3"]


def test_other_traffic_is_left_alone_where_others_write(tmp_path: Path) -> None:
    """What is left of others, and how much they wrote, is reported and nothing more."""
    world = shared(healthy())
    other_traffic(world)
    assert unclean(assessed(world, tmp_path)) == {}
    assert "3 entries of others pending" in check(world, LEFT, tmp_path).message
    assert "40 are other traffic" in check(world, ADDED, tmp_path).message


def test_other_traffic_on_servers_of_our_own(tmp_path: Path) -> None:
    """Nobody else should be there: the load was not the one asked for."""
    world = healthy()
    violations.stream(world)["entries_added"] += 40
    assert unclean(assessed(world, tmp_path)) == {ADDED: Verdict.INVALID}
    world.stack = {"kind": "docker", "services": {"engine": {}, "python-agent-1": {}}}
    assert check(world, ADDED, tmp_path).status is Status.PASS


def test_own_entries_are_found_among_others(tmp_path: Path) -> None:
    """A signal that is pending is named, also where most of what is pending is others'."""
    world = shared(healthy())
    other_traffic(world)
    violations.stream(world)["engine_group"]["pending_ids"][1] = f"1-{violations.N}"
    found = check(world, LEFT, tmp_path)
    assert (found.status, found.examples) == (Status.FAIL, (world.trace(violations.N),))


def test_pending_entries_that_were_not_listed_leave_a_doubt(tmp_path: Path) -> None:
    """Among more entries than were listed one of ours may be."""
    world = shared(healthy())
    other_traffic(world)
    violations.stream(world)["engine_group"]["pending"] = 4
    assert check(world, LEFT, tmp_path).status is Status.INCONCLUSIVE


@pytest.mark.parametrize("added", [0, 1, 2])
def test_unanswered_signals_may_or_may_not_be_there(added: int, tmp_path: Path) -> None:
    """Two signals without an answer: none, one or both of them were accepted."""
    world = healthy()
    for number in (violations.N, violations.N + 1):
        violations.field(world.acks[0], world, number, "outcome", PushStatus.UNKNOWN)
    violations.stream(world)["entries_added"] += added - 2
    found = check(world, ADDED, tmp_path)
    assert found.status is Status.PASS
    assert found.figures["unanswered"] == 2


def test_redis_6_cannot_count_but_tells_the_newest(tmp_path: Path) -> None:
    """Without `entries-added` and `lag`: not judged; an undelivered newest entry is found."""
    world = healthy()
    assert world.final is not None
    world.final["redis"]["version"] = "6.2.14"
    stream = violations.stream(world)
    stream["entries_added"] = stream["engine_group"]["lag"] = None
    for line in world.stream_polls:
        line["stream"]["entries_added"] = None
    assert unclean(assessed(world, tmp_path)) == {}
    assert "before 7.0" in check(world, ADDED, tmp_path).message
    assert "newest entry was delivered" in check(world, LEFT, tmp_path).message
    violations.leave_lag(world)
    stream["engine_group"]["lag"] = None
    found = check(world, LEFT, tmp_path)
    assert (found.status, len(found.examples)) == (Status.FAIL, 1)


def test_trimmed_signals_are_no_ordinary_loss(tmp_path: Path) -> None:
    """Lost, in a way of its own: named there, and said where losses are reported."""
    world = healthy()
    violations.trim_unread(world)
    found = assessed(world, tmp_path)
    assert unclean(found) == {TRIMMED: Verdict.FAIL}
    assert found.measurement.account.lost == 1
    last = world.trace(len(world.attempts[0]) - 1)
    assert check(world, TRIMMED, tmp_path).examples == (last,)
    assert "except 1 signal trimmed unread" in check(world, "signals_lost", tmp_path).message


def test_lost_and_not_trimmed_is_an_ordinary_loss(tmp_path: Path) -> None:
    """A stream that was never trimmed explains nothing."""
    world = healthy()
    violations.lose(world)
    assert unclean(assessed(world, tmp_path)) == {"signals_lost": Verdict.FAIL}


def test_a_run_of_before_was_not_looked_at(tmp_path: Path) -> None:
    """Its folder has no samples; that is said, and does not count as lost evidence."""
    world = healthy()
    world.run["kept"] = [name for name in world.run["kept"] if name != "redis.jsonl"]
    world.observer["stream_looks"] = None
    folder = world.write(tmp_path)
    folder.stream.unlink()
    write_manifest(folder)
    found = assess(folder)
    assert unclean(found) == {}
    checks = {check.id: check for check in found.judgement.checks}
    for name in (TRIMMED, ADDED):
        assert checks[name].figures == {"reason": "not_recorded"}


def test_looks_that_were_kept_and_are_gone(tmp_path: Path) -> None:
    """Evidence that the run says it has, and a sample that the observer wrote and is not there."""
    world = healthy()
    folder = world.write(tmp_path)
    folder.stream.unlink()
    assert unclean(assess(folder))["evidence_complete"] is Verdict.INVALID
    world.observer["stream_looks"] = len(world.stream_polls)
    world.stream_polls = world.stream_polls[:-1]
    assert unclean(assessed(world, tmp_path)) == {"observer_complete": Verdict.INVALID}
