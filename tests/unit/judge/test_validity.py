"""Whatever spoils a run or its evidence makes it INVALID, with its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.assessment.assess import assess
from harness.judge.verdict import Verdict
from tests.unit.analysis.evidence import (
    MS,
    World,
    healthy,
    server_us,
    without,
)
from tests.unit.judge import spoilers
from tests.unit.judge.assessing import assessed, unclean

INVALIDS: list[tuple[str, Callable[[World], None], str]] = [
    ("late", spoilers.late, "generator_lag_p99"),
    ("half sent", spoilers.half_sent, "load_attempted"),
    ("overflow", spoilers.overflow, "histogram_range"),
    ("stepped clock", spoilers.step_clock, "clock_stable"),
    ("skewed clock", spoilers.skew_clock, "durations_nonnegative"),
    ("slow observer", spoilers.slow_observer(80), "observer_delay"),
    ("other schedule", spoilers.intended_later, "journal_matches_plan"),
    ("swapped times", spoilers.swapped, "journal_matches_plan"),
    ("early", spoilers.early, "journal_matches_plan"),
    ("no answer journaled", spoilers.no_ack, "evidence_consistent"),
    ("sighting gone", spoilers.forget_sighting, "evidence_consistent"),
    ("attempt twice", spoilers.repeat("attempt"), "evidence_consistent"),
    ("answer twice", spoilers.repeat("ack"), "evidence_consistent"),
    ("sighting twice", spoilers.repeat("sighting"), "evidence_consistent"),
    ("attempts reordered", spoilers.reorder_attempts, "evidence_consistent"),
    ("sightings reordered", spoilers.reorder_sightings, "evidence_consistent"),
    ("attempt gone", spoilers.forget_attempt, "evidence_consistent"),
    ("ledger twice", spoilers.repeat("ledger"), "evidence_consistent"),
    ("strange row", spoilers.forge_row, "evidence_consistent"),
    ("sightings cut off", spoilers.lose_tail, "observer_complete"),
    ("observer not drained", spoilers.not_drained, "observer_complete"),
    ("forged state", spoilers.forge_state, "evidence_consistent"),
    ("forged outcome", spoilers.forge_outcome, "evidence_consistent"),
    ("swarm died", spoilers.event_of("swarm_died"), "unplanned_events"),
    ("engine restarted", spoilers.event_of("service_restarted"), "unplanned_events"),
    ("unknown event", spoilers.event_of("never heard of"), "unplanned_events"),
]


@pytest.mark.parametrize(
    ("breaks", "name"), [i[1:] for i in INVALIDS], ids=[i[0] for i in INVALIDS]
)
def test_invalid_run_never_passes(
    breaks: Callable[[World], None], name: str, tmp_path: Path
) -> None:
    """Whatever spoils the run or its evidence is found by the check that is there for it."""
    world = healthy()
    breaks(world)
    found = assessed(world, tmp_path)
    assert unclean(found).get(name) is Verdict.INVALID
    assert found.judgement.verdict in (Verdict.INVALID, Verdict.FAIL)


@pytest.mark.parametrize(
    "breaks",
    [
        spoilers.late,
        spoilers.half_sent,
        spoilers.step_clock,
        spoilers.slow_observer(80),
        spoilers.slow_observer(600),
        spoilers.event_of("swarm_died"),
    ],
    ids=[
        "late",
        "half sent",
        "stepped clock",
        "slow observer",
        "very slow",
        "swarm died",
    ],
)
def test_fault_of_the_harness_is_not_the_systems(
    breaks: Callable[[World], None], tmp_path: Path
) -> None:
    """What the harness did wrong makes the run INVALID, and accuses nobody."""
    world = healthy()
    breaks(world)
    assert assessed(world, tmp_path).judgement.verdict is Verdict.INVALID


def tear(folder_file: str) -> Callable[[Path], None]:
    """A file that ends within a record."""

    def cut(path: Path) -> None:
        file = path / folder_file
        file.write_bytes(file.read_bytes()[:-7])

    return cut


@pytest.mark.parametrize(
    "name",
    ["journal/attempts-0.bin", "journal/acks-0.bin", "sightings.bin", "final-tasks.bin"],
)
def test_torn_record_is_invalid(name: str, tmp_path: Path) -> None:
    """A file that a full disk cut short is not evidence."""
    folder = healthy().write(tmp_path)
    tear(name)(folder.path)
    found = assess(folder)
    assert unclean(found)["evidence_complete"] is Verdict.INVALID
    assert found.judgement.verdict is not Verdict.PASS
    assert "record cut short" in next(
        check.message for check in found.judgement.checks if check.id == "evidence_complete"
    )


@pytest.mark.parametrize(
    "name",
    [
        "sightings.bin",
        "observer.json",
        "clock.jsonl",
        "final-tasks.bin",
        "final-ledger.bin",
        "final.json",
    ],
)
def test_missing_file_never_passes(name: str, tmp_path: Path) -> None:
    """What is not there cannot speak for the run."""
    folder = healthy().write(tmp_path)
    (folder.path / name).unlink()
    found = assess(folder)
    assert found.judgement.verdict in (Verdict.INVALID, Verdict.FAIL)
    assert unclean(found)["evidence_complete"] is Verdict.INVALID


def test_nothing_sent_is_invalid(tmp_path: Path) -> None:
    """Zero signals prove nothing."""
    world = healthy()
    for name in ("attempts", "acks"):
        setattr(world, name, [part[:0] for part in getattr(world, name)])
    world.sightings = world.sightings[:0]
    assert world.tasks is not None
    assert world.ledger is not None
    world.tasks, world.ledger = world.tasks[:0], world.ledger[:0]
    found = assessed(world, tmp_path)
    assert found.judgement.verdict is Verdict.INVALID
    assert unclean(found)["signals_sent"] is Verdict.INVALID


def test_skewed_commit_times_widen_the_bracket(tmp_path: Path) -> None:
    """Commit times before the sending are reported as such, whatever the objective says."""
    world = healthy()
    world.sightings["commit_us"] = server_us(world.sightings["seen_ns"] - 400 * MS)
    found = assessed(world, tmp_path)
    assert unclean(found)["durations_nonnegative"] is Verdict.INVALID


def test_many_unseen_signals_do_not_fail_an_objective(tmp_path: Path) -> None:
    """The observer missed a tenth: that spoils the run, but nobody knows that they were slow."""
    world = healthy()
    gone = np.zeros(len(world.sightings), dtype=np.bool_)
    for number in range(300, 500):
        gone |= world.of(world.sightings, number)
    world.sightings = without(world.sightings, gone)
    found = assessed(world, tmp_path)
    assert found.judgement.verdict is Verdict.INVALID
    assert unclean(found)["latency_p99"] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("events", [(), ("swarm_died",)])
def test_signals_that_were_not_sent_are_the_generators(
    events: tuple[str, ...], tmp_path: Path
) -> None:
    """Whether it died or only sent too few, it says nothing of the system."""
    world = healthy(None, "rate >= 99 %")
    spoilers.half_sent(world)
    for event in events:
        world.event(event)
    assert unclean(assessed(world, tmp_path))["rate_share"] is Verdict.INVALID
