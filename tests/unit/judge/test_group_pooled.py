"""Several runs together: the percentile of all their signals, beside that of a typical run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assessment.group import judge_group
from harness.assessment.repeats import RunEstimate, combine_runs
from harness.evidence.group_folder import GroupProgress
from harness.evidence.manifest import ManifestCheck
from harness.judge.check import Figure
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import MS, World, healthy, steady, without
from tests.unit.judge.assessing import assessed, id_of
from tests.unit.judge.test_censoring import refused
from tests.unit.judge.test_group import P99, SPEC, member, part, pool
from tests.unit.judge.violations import drop


def runs_of(beyond: list[int], least: int | None = None) -> list[RunEstimate]:
    """Runs whose own P99 is 40 ms, with so many signals beyond the limit."""
    return [replace(part(40), tail=pool(number, least=least)) for number in beyond]


def test_stalls_in_few_runs_do_not_pass_by_the_typical_run() -> None:
    """Two stalls in ten runs: the share is kept, but two events cannot show it."""
    check = combine_runs(SPEC, runs_of([110, 0, 0, 0, 110, 0, 0, 0, 0, 0]), 10)
    assert check.status is Status.INCONCLUSIVE
    assert "0.733 % of the 30,000 signals of all runs took as long as the limit or longer" in (
        check.message
    )
    assert "P99 allows 1 %; make about" in check.message
    assert check.figures["pooled_beyond"] == 220
    assert combine_runs(SPEC, runs_of([0] * 10), 10).status is Status.PASS


def test_pooled_share_beyond_what_is_allowed_fails() -> None:
    """Whatever the typical run says; not where observer or generator may have been the cause."""
    beyond = [60, 70, 65, 80, 75]
    assert combine_runs(SPEC, runs_of(beyond), 5).status is Status.FAIL
    assert combine_runs(SPEC, runs_of(beyond, least=0), 5).status is Status.INCONCLUSIVE


def test_pass_says_how_rare_an_event_may_be_missed() -> None:
    """Three runs of 30 s: 90 s / ln 20."""
    check = combine_runs(SPEC, runs_of([0, 0, 0]), 3)
    assert "events rarer than one every 30.0 s may be missed" in check.message
    assert check.figures["horizon_ns"] == round(90e9 / 2.995732273553991)


def test_runs_that_do_not_say_how_many_were_beyond_do_not_pass() -> None:
    """Nothing can be pooled; a FAIL stays one."""
    unknown = [replace(part(40), tail=None), part(41), part(42)]
    check = combine_runs(SPEC, unknown, 3)
    assert check.status is Status.INCONCLUSIVE
    assert "only 2 of 3 runs count the signals beyond it" in check.message
    failing = [replace(part(600, Verdict.FAIL), tail=None)] * 3
    assert combine_runs(SPEC, failing, 3).status is Status.FAIL


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=2, max_size=8),
    st.integers(1, 1_000),
)
def test_more_signals_beyond_never_turn_fail_into_pass(
    runs: list[tuple[int, int]], value_ms: int
) -> None:
    """And no PASS has a pooled share above the allowed one."""
    before = [replace(part(value_ms), tail=pool(beyond)) for beyond, _ in runs]
    after = [replace(part(value_ms), tail=pool(beyond + more)) for beyond, more in runs]
    first, second = (
        combine_runs(SPEC, parts, len(parts)).status.verdict for parts in (before, after)
    )
    assert not (first is Verdict.FAIL and second is Verdict.PASS)
    if first is Verdict.PASS:
        assert sum(beyond for beyond, _ in runs) < 30 * len(runs)


def figures_of(world: World, reports: Path, name: str = SPEC.id) -> dict[str, Figure]:
    """The figures of one objective of a run."""
    checks = assessed(world, reports).judgement.checks
    return next(check.figures for check in checks if check.id == name)


def test_a_run_says_what_is_beyond_the_limit(tmp_path: Path) -> None:
    """Counted from the evidence; what never arrived counts as beyond for a PASS only."""
    world = healthy(delays=steady(10.0))
    drop(world, 1_000)
    figures = figures_of(world, tmp_path)
    assert figures["percentile"] == 99.0
    assert figures["beyond"] == figures["beyond_least"] == 1
    figures = figures_of(refused(0.05, "p99 < 60 s"), tmp_path, "latency_p99")
    assert isinstance(figures["beyond"], int)
    assert figures["beyond"] > 40
    assert figures["beyond_least"] == 0


@pytest.mark.parametrize("metric", ["", " of service"])
def test_signals_that_were_not_seen_are_beyond_for_a_pass_only(metric: str, tmp_path: Path) -> None:
    """Nobody knows that they were slow, nor that they were not."""
    world = healthy(None, f"p99{metric} < 500 ms")
    gone = np.zeros(len(world.sightings), dtype=np.bool_)
    for number in range(800, 900):
        gone |= world.of(world.sightings, number)
    world.sightings = without(world.sightings, gone)
    figures = figures_of(world, tmp_path, id_of(f"p99{metric} < 500 ms"))
    assert (figures["beyond"], figures["beyond_least"]) == (100, 0)


@pytest.mark.parametrize("metric", ["", " of service"])
def test_signals_committed_in_time_are_not_beyond_for_a_fail(metric: str, tmp_path: Path) -> None:
    """The observer saw them a second late; an objective of the observation has nothing else."""
    world = healthy(None, f"p99{metric} < 500 ms")
    late = slice(len(world.sightings) - 40, None)
    world.sightings["seen_ns"][late] += 1_000 * MS
    figures = figures_of(world, tmp_path, id_of(f"p99{metric} < 500 ms"))
    assert isinstance(figures["beyond"], int)
    assert figures["beyond"] > 10
    assert figures["beyond_least"] == (figures["beyond"] if metric else 0)


def test_group_of_clean_runs_has_the_pooled_figures(tmp_path: Path) -> None:
    """From each run's check to the group's."""
    worlds = [healthy(delays=steady(10.0 + number)) for number in range(3)]
    members = [member(world, seed, tmp_path) for seed, world in enumerate(worlds, start=1)]
    found = judge_group(members, GroupProgress(seeds=(1, 2, 3)), ManifestCheck(None))
    check = next(check for check in found.checks if check.id == id_of(P99))
    assert check.figures["pooled_beyond"] == 0
    assert isinstance(check.figures["horizon_ns"], int)
    assert check.figures["horizon_ns"] > 10 * MS
