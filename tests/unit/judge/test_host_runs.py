"""What other runs of a harness starve is no fault of the system; what they leave alone is."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.resources.self_monitoring import CoreSample, HostSample
from harness.analysis.resources.telemetry import Telemetry
from harness.assessment.assess import Assessment, assess
from harness.contract.names import State
from harness.evidence.manifest import write_manifest
from harness.evidence.run_folder import RunFolder
from harness.judge.check import CheckContext
from harness.judge.host_runs import starved_intervals
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy, load_of
from tests.unit.judge import violations
from tests.unit.judge.assessing import advised, assessed, id_of, unclean
from tests.unit.judge.test_deadline import late
from tests.unit.judge.test_host_interference import (
    ALL,
    OBJECTIVE,
    check_of,
    judged,
    slow_from,
    telemetry,
)

CHECK = "host_interference"


def beside(
    world: World, runs: int, *, idle_share: float = 0.0, kept: Sequence[int] | None = None
) -> World:
    """Other runs are under way, and so much of the two cores is idle.

    Args:
        world: the run.
        runs: how many.
        idle_share: of both cores.
        kept: numbers of the samples that are kept; all by default.
    """
    for line in world.self_monitoring:
        idle_ns = round(idle_share * line["mono_ns"])
        core = {"iowait_ns": 0, "steal_ns": 0, "idle_ns": idle_ns}
        line["cores"] = [{**core, "busy_ns": line["mono_ns"] - idle_ns}] * 2
        line["other_runs"] = runs
    if kept is not None:
        world.self_monitoring = [world.self_monitoring[number] for number in kept]
    return world


def slow() -> World:
    """Signals take 900 ms where 500 ms are allowed."""
    return healthy(None, OBJECTIVE, delays=slow_from(0, 30))


def foreign(cores: float) -> str:
    """Telemetry: what other programs used, while no service had much to do."""
    own = {"host.foreign_cores": cores, "service.engine.cpu_wait_cores": 0.1}
    return telemetry({"host.idle_cores": 0.0, **own}, ALL)


@pytest.mark.parametrize(
    ("runs", "idle_share", "text", "verdict"),
    [
        (19, 0.0, None, Verdict.INVALID),
        (1, 0.0, None, Verdict.INVALID),
        (1, 0.09, None, Verdict.INVALID),
        (19, 0.0, foreign(1.5), Verdict.INVALID),
        # An idle run beside a system that is slow: there was no shortage.
        (1, 0.5, None, Verdict.FAIL),
        (1, 0.11, None, Verdict.FAIL),
        # The system, or nobody known, filled the cores.
        (0, 0.0, None, Verdict.FAIL),
        (1, 0.0, foreign(0.1), Verdict.FAIL),
    ],
)
def test_a_missed_latency_beside_other_runs(
    runs: int, idle_share: float, text: str | None, verdict: Verdict, tmp_path: Path
) -> None:
    """It is the system's unless the host was short of cores, and others may have used them."""
    world = beside(slow(), runs, idle_share=idle_share)
    found = assessed(world, tmp_path) if text is None else judged(world, text, tmp_path)
    excused = verdict is Verdict.INVALID
    assert found.judgement.verdict is verdict
    assert unclean(found) == (
        {id_of(OBJECTIVE): Verdict.INCONCLUSIVE, CHECK: Verdict.INVALID}
        if excused
        else {id_of(OBJECTIVE): Verdict.FAIL}
    )
    assert ("other_runs_looks" in check_of(found, CHECK).figures) is excused
    reason = "another run of a harness was under way on this host"
    assert (reason in found.judgement.grade.reasons) is (runs > 0)


@pytest.mark.parametrize(
    ("unseen", "busy_cores", "verdict"),
    [(1, 2.0, Verdict.INVALID), (1, 0.7, Verdict.FAIL), (0, 2.0, Verdict.FAIL)],
)
def test_runs_whose_processes_are_not_seen(
    unseen: int, busy_cores: float, verdict: Verdict, tmp_path: Path
) -> None:
    """In another PID namespace: what neither system nor harness used is theirs."""
    world = beside(slow(), 1)
    for line in world.self_monitoring:
        line["unseen_runs"] = unseen
    own = {"host.harness_cores": 0.1, "host.busy_cores": busy_cores, "host.idle_cores": 0.0}
    found = judged(world, telemetry(own, ALL, **{"host.harness_cores": 0.1}), tmp_path)
    assert found.judgement.verdict is verdict


def test_two_samples_are_enough(tmp_path: Path) -> None:
    """The kernel's figures are totals: those of the start and of the end show the time between."""
    world = beside(slow(), 3, kept=(0, -1))
    found = assessed(world, tmp_path)
    assert check_of(found, id_of(OBJECTIVE)).status is Status.INCONCLUSIVE
    assert check_of(found, CHECK).status is Status.INVALID
    assert found.judgement.verdict is Verdict.INVALID


def test_a_run_that_was_under_way_for_some_seconds_excuses_only_those(tmp_path: Path) -> None:
    """What is slow in the others too is slow by itself."""
    world = beside(slow(), 1)
    for line in world.self_monitoring:
        line["other_runs"] = int(T0_NS + 8 * S <= line["mono_ns"] < T0_NS + 11 * S)
    assert unclean(assessed(world, tmp_path)) == {id_of(OBJECTIVE): Verdict.FAIL}
    world = healthy(None, OBJECTIVE, delays=slow_from(8, 11))
    beside(world, 1)
    for line in world.self_monitoring:
        line["other_runs"] = int(T0_NS + 8 * S <= line["mono_ns"] < T0_NS + 11 * S)
    assert check_of(assessed(world, tmp_path), CHECK).status is Status.INVALID


def test_a_met_objective_is_met(tmp_path: Path) -> None:
    """The other runs are reported, and are a reason of the grade."""
    found = assessed(beside(healthy(None, OBJECTIVE), 2), tmp_path)
    assert found.judgement.verdict is Verdict.PASS
    assert check_of(found, CHECK).status is Status.PASS


def rejected_as_stale(world: World) -> None:
    """A tenth of the signals."""
    chosen = np.arange(len(world.attempts[0])) % 10 == 0
    violations.reject(world, chosen, State.STALE_DATA_ERROR)


def broken_invariants(world: World) -> None:
    """A tenth of the signals, for a reason that no host explains."""
    chosen = np.arange(len(world.attempts[0])) % 10 == 0
    violations.reject(world, chosen, State.INVARIANT_BROKEN)


def sent_after_the_phase(world: World) -> None:
    """Few signals, too few for a percentile of lateness, and each is sent after its phase."""
    world.attempts[0]["sent_ns"] += 20 * S
    world.acks[0]["acked_ns"] += 20 * S
    world.sightings["seen_ns"] += 20 * S
    world.sightings["commit_us"] += 20_000_000


@pytest.mark.parametrize(
    ("objective", "change", "excused"),
    [
        ("simulated >= 99 %", rejected_as_stale, True),
        ("rejected < 1 %", rejected_as_stale, True),
        ("p99 < 500 ms", rejected_as_stale, True),
        ("simulated >= 99 %", broken_invariants, False),
        ("rejected < 1 %", broken_invariants, False),
        ("p99 < 500 ms", broken_invariants, False),
    ],
)
def test_shares_that_are_missed_beside_other_runs(
    objective: str, change: Callable[[World], None], excused: bool, tmp_path: Path
) -> None:
    """Data become stale while nobody has a core; that breaks no invariant."""
    world = healthy(None, objective)
    change(world)
    alone = check_of(assess(world.write(tmp_path)), id_of(objective))
    assert alone.status is Status.FAIL
    found = advised(assess(beside(world, 19).write(tmp_path)))
    assert (check_of(found, id_of(objective)).status is not Status.FAIL) is excused
    if excused:
        assert found.judgement.verdict is Verdict.INVALID


@pytest.mark.parametrize("objective", ["simulated >= 99 %", "rejected < 1 %", "p99 < 500 ms"])
def test_a_second_of_shortage_does_not_excuse_rejections_at_all_times(
    objective: str, tmp_path: Path
) -> None:
    """The share of the other seconds is missed too."""
    world = healthy(None, objective)
    rejected_as_stale(world)
    beside(world, 1)
    for line in world.self_monitoring:
        line["other_runs"] = int(line["mono_ns"] == T0_NS + 8 * S)
    found = assess(world.write(tmp_path))
    assert check_of(found, CHECK).figures == {"other_runs_looks": 2}
    assert check_of(found, id_of(objective)).status is Status.FAIL


def test_a_rate_that_is_missed_beside_other_runs(tmp_path: Path) -> None:
    """Also where the signals are too few for a percentile of their lateness."""
    objective = "rate >= 99 %"
    load = load_of(rate=2.0).model_copy(update={"drain_s": 40.0})
    world = healthy(load, objective)
    sent_after_the_phase(world)
    rate = check_of(assess(world.write(tmp_path)), id_of(objective))
    assert rate.status is Status.FAIL
    found = assess(beside(world, 19).write(tmp_path))
    expected = {id_of(objective): Verdict.INCONCLUSIVE, CHECK: Verdict.INVALID}
    assert unclean(found).items() >= expected.items()


def test_final_after_the_deadline_beside_other_runs(tmp_path: Path) -> None:
    """The engine had no core either."""
    world = late(healthy(), 300 * MS, 3)
    assert unclean(assessed(world, tmp_path)) == {"drain_deadline": Verdict.FAIL}
    found = assessed(beside(world, 19), tmp_path)
    assert unclean(found) == {"drain_deadline": Verdict.INVALID}


def test_lost_and_doubled_signals_are_never_excused(tmp_path: Path) -> None:
    """A lost signal is lost."""
    world = slow()
    violations.lose(world)
    found = assessed(beside(world, 19), tmp_path)
    assert found.judgement.verdict is Verdict.FAIL
    assert unclean(found)["signals_lost"] is Verdict.FAIL


def add_runs(folder: RunFolder, sealed: bool) -> Assessment:
    """The evidence says afterwards that others were under way, and the cores full."""
    lines = folder.self_monitoring.read_text(encoding="utf-8").splitlines()
    found = []
    for line in map(json.loads, lines):
        full = {"busy_ns": line["mono_ns"], "iowait_ns": 0, "idle_ns": 0, "steal_ns": 0}
        found.append({**line, "other_runs": 9, "cores": [full, full]})
    text = "".join(json.dumps(line) + "\n" for line in found)
    folder.self_monitoring.write_text(text, encoding="utf-8")
    if sealed:
        write_manifest(folder)
    return assess(folder)


@pytest.mark.parametrize("sealed", [False, True])
def test_forged_evidence_gives_no_pass(sealed: bool, tmp_path: Path) -> None:
    """At most INVALID, whether or not the seal is forged too."""
    folder = slow().write(tmp_path)
    assert assess(folder).judgement.verdict is Verdict.FAIL
    assert add_runs(folder, sealed).judgement.verdict is Verdict.INVALID


@given(
    totals=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=8),
    runs=st.lists(st.one_of(st.none(), st.integers(-2, 3)), min_size=8, max_size=8),
)
def test_only_full_cores_beside_other_runs_are_a_shortage(
    totals: list[tuple[int, int]], runs: list[int | None]
) -> None:
    """An interval with more than a tenth idle, or without another run near it, is none."""
    idle = list(itertools.accumulate(one for one, _ in totals))
    busy = list(itertools.accumulate(one for _, one in totals))
    samples = [
        host_sample(number * S, idle[number] * S, busy[number] * S, runs[number])
        for number in range(len(totals))
    ]
    found = {one.span_s[0] for one in starved_intervals(case_of(samples))}
    for number, (earlier, later) in enumerate(itertools.pairwise(samples)):
        idle_ns = later.cores[0].idle_ns - earlier.cores[0].idle_ns
        busy_ns = later.cores[0].busy_ns - earlier.cores[0].busy_ns
        if idle_ns > 0.1 * (idle_ns + busy_ns) or not any((one or 0) > 0 for one in runs):
            assert number not in found
        elif idle_ns + busy_ns and (runs[number] or 0) > 0:
            assert number in found


def host_sample(mono_ns: int, idle_ns: int, busy_ns: int, runs: int | None) -> HostSample:
    """A line of one core."""
    cores = (CoreSample(busy_ns, 0, idle_ns, 0),)
    return HostSample(mono_ns, 0, 0, 0, None, cores, {}, {}, runs)


def case_of(samples: list[HostSample]) -> CheckContext:
    """As much of a case as these intervals need; there is no telemetry."""
    instruments = SimpleNamespace(self_monitoring=SimpleNamespace(samples=samples))
    analysis = SimpleNamespace(timeline=SimpleNamespace(t0_ns=0), instruments=instruments)
    return cast("CheckContext", SimpleNamespace(analysis=analysis, telemetry=Telemetry))
