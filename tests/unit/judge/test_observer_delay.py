"""Without commit times the reads before bound the truth from below; FAIL needs that bound too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.assessment.assess import Assessment, assess
from harness.contract.observation import ObservationMethod, ObservationSettings
from harness.evidence.records import READ
from harness.judge.check import Check
from harness.judge.deadline import DRAIN_DEADLINE
from harness.judge.observer_delay import OBSERVER_DELAY
from harness.judge.verdict import Verdict
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy, in_order, load_of, steady
from tests.unit.judge.assessing import assessed, id_of, unclean

P99 = "p99 < 500 ms"
# A poll begins this long before its answer.
POLL_NS = 2 * MS


def polled(
    world: World, every_ms: int, way: ObservationMethod = ObservationMethod.POLLING
) -> World:
    """The same run, seen by polls that know no commit times."""
    every_ns = every_ms * MS
    finals = world.sightings[world.sightings["state"] > 1]
    finals["commit_us"] = finals["lsn"] = 0
    # A poll's snapshot lies 1 ms after it was sent; each sighting comes with the next poll.
    number = -(-(finals["seen_ns"] - MS - T0_NS) // every_ns)
    finals["seen_ns"] = T0_NS + number * every_ns + POLL_NS
    world.sightings = in_order(finals, "seen_ns")
    polls = np.unique(number)
    world.reads = np.zeros(len(polls), dtype=READ)
    world.reads["seen_ns"] = T0_NS + polls * every_ns + POLL_NS
    world.reads["since_ns"] = T0_NS + (polls - 1) * every_ns
    for name in ("observation_end_ns", "drain_deadline_ns"):
        world.run[name] += every_ns + S
    seen = ObservationSettings(way=way, pause_ms=every_ms)
    contract = world.plan.contract.model_copy(update={"seen": seen})
    world.plan = world.plan.model_copy(update={"contract": contract})
    world.observer["way"] = way.value
    world.stack = {"kind": "attach"}
    return world


def check_of(found: Assessment, name: str) -> Check:
    """A check by its name."""
    return next(check for check in found.judgement.checks if check.id == name)


@pytest.mark.parametrize(
    "objective", [P99, "max < 500 ms", "p99 of service < 500 ms", "p90 over any 5 s < 500 ms"]
)
def test_polls_too_far_apart_do_not_accuse_the_system(objective: str, tmp_path: Path) -> None:
    """10 ms, polled each 700 ms: INVALID, and the pause that would do is named."""
    found = assessed(polled(healthy(None, objective), 700), tmp_path)
    assert found.judgement.verdict is Verdict.INVALID
    assert unclean(found) == {
        id_of(objective): Verdict.INCONCLUSIVE,
        OBSERVER_DELAY.id: Verdict.INVALID,
    }
    checked = check_of(found, id_of(objective))
    assert checked.figures["undecided_by"] == "observer"
    assert "the observer was too slow to decide" in checked.message
    # 702 ms from poll to answer, 652 of them too many.
    assert (
        "polls pause for 700 ms at least: set seen.pause_ms to 48 or"
        in check_of(found, OBSERVER_DELAY.id).message
    )


@pytest.mark.parametrize("every_ms", [20, 100, 400])
def test_an_objective_met_by_the_sightings_is_met(every_ms: int, tmp_path: Path) -> None:
    """What is seen is an upper bound, however coarse the polls."""
    found = assessed(polled(healthy(None, P99), every_ms), tmp_path)
    assert unclean(found) == {}
    assert ("no verdict rests on it" in check_of(found, OBSERVER_DELAY.id).message) == (
        every_ms > 20
    )


def test_a_slow_system_fails_in_spite_of_coarse_polls(tmp_path: Path) -> None:
    """900 ms, polled each 100 ms: the poll before lies beyond the limit too."""
    found = assessed(polled(healthy(None, P99, delays=steady(900)), 100), tmp_path)
    assert unclean(found) == {id_of(P99): Verdict.FAIL}
    assert "no verdict rests on it" in check_of(found, OBSERVER_DELAY.id).message


@pytest.mark.parametrize("way", [ObservationMethod.POLLING, ObservationMethod.STREAM])
def test_without_the_reads_only_the_sending_bounds_it(
    way: ObservationMethod, tmp_path: Path
) -> None:
    """A run that kept none: even 900 ms may be the observer's; the remedy is that of the way."""
    world = polled(healthy(None, P99, delays=steady(900)), 100, way)
    world.reads = world.reads[:0]
    found = assessed(world, tmp_path)
    assert unclean(found) == {id_of(P99): Verdict.INCONCLUSIVE, OBSERVER_DELAY.id: Verdict.INVALID}
    assert ("track_commit_timestamp" in check_of(found, OBSERVER_DELAY.id).message) == (
        way is ObservationMethod.POLLING
    )


def test_polls_that_take_too_long_need_another_remedy(tmp_path: Path) -> None:
    """No pause makes them come soon enough."""
    world = polled(healthy(None, P99), 700)
    seen = world.plan.contract.seen.model_copy(update={"pause_ms": 10})
    contract = world.plan.contract.model_copy(update={"seen": seen})
    world.plan = world.plan.model_copy(update={"contract": contract})
    said = check_of(assessed(world, tmp_path), OBSERVER_DELAY.id).message
    assert "is there an index on the trace id?" in said
    assert "set seen.pause_ms" not in said


@pytest.mark.parametrize(("since_ms", "verdict"), [(-1, Verdict.INCONCLUSIVE), (1, Verdict.FAIL)])
def test_deadline_needs_the_bound_too(since_ms: int, verdict: Verdict, tmp_path: Path) -> None:
    """Seen after the deadline by a poll of which the one before was sent before or after it."""
    world = polled(healthy(load_of(), P99), 20)
    deadline_ns = int(world.sightings["seen_ns"][-1]) + 10 * MS
    world.run["drain_deadline_ns"] = deadline_ns
    world.sightings["seen_ns"][-1] = deadline_ns + 30 * MS
    late = np.array([(deadline_ns + since_ms * MS, deadline_ns + 30 * MS)], dtype=READ)
    world.reads = np.concatenate((world.reads, late))
    assert check_of(assessed(world, tmp_path), DRAIN_DEADLINE.id).status.verdict is verdict


def test_a_torn_file_of_reads_is_reported(tmp_path: Path) -> None:
    """As any other record cut short."""
    folder = polled(healthy(None, P99), 20).write(tmp_path)
    folder.reads.write_bytes(folder.reads.read_bytes()[:-3])

    found = assess(folder)
    assert "reads.bin ends with 13 bytes" in check_of(found, "evidence_complete").message
