"""Clocks that stepped or were not probed around the load; stages that last less than is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.judge.verdict import Verdict
from tests.unit.analysis.evidence import MS, World, healthy, probe
from tests.unit.judge import self_monitoring_spoilers
from tests.unit.judge.assessing import assessed, unclean
from tests.unit.judge.test_self_monitoring import said

PROBED = "clock_probed"


def test_step_of_the_hosts_wall_clock_is_reported(tmp_path: Path) -> None:
    """Stamps from before and after do not compare; a clock that is only disciplined is fine."""
    world = healthy()
    self_monitoring_spoilers.step_wall_clock(world)
    found = assessed(world, tmp_path / "stepped")
    assert unclean(found) == {"clock_stable": Verdict.INVALID}
    assert "the wall clock of this host stepped 1 time, by 49." in said(found, "clock_stable")
    calm = healthy()
    self_monitoring_spoilers.discipline_wall_clock(calm)
    assert unclean(assessed(calm, tmp_path / "disciplined")) == {}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (self_monitoring_spoilers.probe_only(before=False, after=True), "postgres 0 before, "),
        (self_monitoring_spoilers.probe_only(before=True, after=False), "0 after"),
    ],
    ids=["none before", "none after"],
)
def test_probes_must_enclose_the_load(
    spoil: Callable[[World], None], words: str, tmp_path: Path
) -> None:
    """Beyond its probes nobody knows how a clock went, and the run says so."""
    world = healthy()
    spoil(world)
    found = assessed(world, tmp_path)
    assert unclean(found) == {PROBED: Verdict.INVALID}
    assert words in said(found, PROBED)


def test_missing_probes_of_redis_are_only_reported(tmp_path: Path) -> None:
    """Its clock splits no stage."""
    world = healthy()
    world.probes = [line for line in world.probes if line["server"] == "postgres"]
    assert unclean(assessed(world, tmp_path)) == {}


def test_unprobed_postgres_is_invalid(tmp_path: Path) -> None:
    """Without any probe its commit times mean nothing."""
    world = healthy()
    world.probes = [line for line in world.probes if line["server"] == "redis"]
    assert unclean(assessed(world, tmp_path)) == {PROBED: Verdict.INVALID}


def test_clocks_are_reported_against_the_hosts(tmp_path: Path) -> None:
    """How far ahead, to which error, with which drift, from how many probes and when."""
    world = healthy()
    world.probes = [
        probe(line["server"], line["mono_ns"], off_us=7_000 * (line["server"] == "redis"))
        for line in world.probes
    ]
    clocks = {clock.server: clock for clock in assessed(world, tmp_path).measurement.clocks}
    assert set(clocks) == {"postgres", "redis", "host"}
    redis, postgres = clocks["redis"], clocks["postgres"]
    assert redis.ahead_ns == pytest.approx(7 * MS, abs=2_000)
    assert postgres.ahead_ns == pytest.approx(0, abs=2_000)
    assert redis.before + redis.during + redis.after == redis.probes == 6
    assert (redis.before, redis.after) == (1, 1)
    assert redis.drift_error_ppm is not None
    assert redis.drift_error_ppm > abs(redis.drift_ppm or 0.0)


def test_stage_shorter_than_the_clocks_are_known_says_so(tmp_path: Path) -> None:
    """Only stages between two clocks suffer; the one within PostgreSQL's own does not."""
    world = healthy()
    world.probes = [probe(line["server"], line["mono_ns"], rtt_ns=2 * MS) for line in world.probes]
    notes = assessed(world, tmp_path / "loose").measurement.splits[0].notes
    reported = [note for note in notes if "lies between two clocks" in note]
    assert len(reported) == 2
    assert reported[1].startswith(
        "'SIMULATED committed -> seen' lies between two clocks and is known only to"
        " +-1,001 us; its median is"
    )
    sharp = healthy()
    assert not any(
        "between two clocks" in note
        for split in assessed(sharp, tmp_path / "sharp").measurement.splits
        for note in split.notes
    )


def test_every_split_is_asked(tmp_path: Path) -> None:
    """The note stands beside each phase's split."""
    world = healthy()
    world.sightings["seen_ns"] = np.maximum(world.sightings["seen_ns"] - 480_000, 0)
    splits = assessed(world, tmp_path).measurement.splits
    assert {split.phase for split in splits} == {"measure", "warmup"}
    assert all(any("between two clocks" in note for note in split.notes) for split in splits)
