"""Latencies missed while somebody else had the host's cores or its storage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.assessment.assess import Assessment, assess
from harness.evidence.manifest import write_manifest
from harness.judge.check import Check
from harness.judge.host_interference import find_interference
from harness.judge.verdict import Status, Verdict
from harness.scenario import Load, Stage
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy
from tests.unit.judge import spoilers, violations
from tests.unit.judge.assessing import advised, id_of, unclean
from tests.unit.judge.test_faults import AT_NS, KILL, PAUSE, faulty, killed, outage, paused

OBJECTIVE = "p99 < 500 ms"
CHECK = "host_interference"
USUAL = {
    "host.busy_cores": 0.5,
    "host.idle_cores": 1.5,
    "host.iowait_cores": 0.0,
    "host.foreign_cores": 0.1,
    "host.system_cores": 0.4,
    "host.steal_cores": 0.0,
    "host.pressure_io_share": 0.0,
    "host.foreign_blocked_count": 0.0,
    "host.system_blocked_count": 0.0,
    "host.harness_blocked_count": 0.0,
    "service.engine.cpu_cores": 0.1,
    "service.engine.cpu_wait_cores": 0.0,
    "service.redis.cpu_cores": 0.05,
    "service.redis.cpu_wait_cores": 0.05,
    "foreign.cc1.cpu_cores": 0.1,
    "foreign.dd.blocked_count": 0.0,
}
BURNERS = {
    "host.idle_cores": 0.0,
    "host.foreign_cores": 1.5,
    "service.engine.cpu_wait_cores": 0.7,
    "foreign.cc1.cpu_cores": 1.5,
}
WRITERS = {
    "host.pressure_io_share": 0.8,
    "host.foreign_blocked_count": 3.0,
    "host.system_blocked_count": 1.0,
    "foreign.dd.blocked_count": 3.0,
}
STEAL = {"host.steal_cores": 0.4}
ALL = range(30)


def telemetry(change: dict[str, float], seconds: range, **own: float) -> str:
    """A file of it: two cores, a sample each second after t0, other figures in some of them."""
    usual = {**USUAL, **own}
    columns = [[name, "level"] for name in usual]
    lines: list[dict[str, object]] = [
        {"kind": "start", "mono_ns": T0_NS - 5 * S, "every_ns": S},
        {"kind": "columns", "of": "kernel", "first": 0, "columns": columns},
        {"kind": "limit", "track": "host.busy_cores", "value": 2, "source": "cores"},
    ]
    for second in range(-3, 40):
        reported = {**usual, **change} if second in seconds else usual
        values = [reported[name] for name in usual]
        mono_ns = T0_NS + second * S
        lines.append({"kind": "look", "of": "kernel", "mono_ns": mono_ns, "values": values})
    return "".join(json.dumps(line) + "\n" for line in lines)


def slow_from(start: int, end: int, ms: int = 900) -> Callable[[int], NDArray[np.int64]]:
    """Signals take so long in some seconds of the load (100 signals/s)."""

    def draw(count: int) -> NDArray[np.int64]:
        values = np.full(count, 10 * MS, dtype=np.int64)
        values[start * 100 : end * 100] = ms * MS
        return values

    return draw


def at_the_limit(count: int) -> NDArray[np.int64]:
    """One signal in a hundred is slow: nobody can tell on which side the P99 lies."""
    values = np.full(count, 10 * MS, dtype=np.int64)
    values[::100] = 900 * MS
    return values


def judged(world: World, text: str, reports: Path) -> Assessment:
    """Assessed beside this telemetry."""
    folder = world.write(reports)
    folder.telemetry.write_text(text, encoding="utf-8")
    write_manifest(folder)
    return advised(assess(folder))


def check_of(found: Assessment, name: str) -> Check:
    """A check by its name."""
    return next(check for check in found.judgement.checks if check.id == name)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (BURNERS, "other programs (cc1) used 1.50 of the host's 2 cores"),
        (WRITERS, "other programs (dd) kept the host's storage busy"),
        (STEAL, "the hypervisor used 0.40 of the host's 2 cores"),
    ],
)
def test_slow_while_others_had_the_host_is_invalid(
    change: dict[str, float], named: str, tmp_path: Path
) -> None:
    """And the resource is named; without them the same latency is a FAIL."""
    world = healthy(None, OBJECTIVE, delays=slow_from(0, 30))
    found = judged(world, telemetry(change, ALL), tmp_path)
    assert found.judgement.verdict is Verdict.INVALID
    assert unclean(found) == {id_of(OBJECTIVE): Verdict.INCONCLUSIVE, CHECK: Verdict.INVALID}
    assert named in check_of(found, CHECK).message
    assert named in check_of(found, id_of(OBJECTIVE)).message
    assert found.diagnosis is not None
    assert found.diagnosis.questions[0].key == "host"
    alone = judged(world, telemetry({}, ALL), tmp_path)
    assert unclean(alone) == {id_of(OBJECTIVE): Verdict.FAIL}


def test_all_forms_of_an_objective(tmp_path: Path) -> None:
    """Maxima and windows."""
    texts = ("max < 500 ms", "p99 over any 2 s < 500 ms", "p99 of service < 500 ms")
    world = healthy(None, *texts, delays=slow_from(8, 11))
    found = judged(world, telemetry(BURNERS, range(8, 13)), tmp_path)
    assert unclean(found) == {
        **dict.fromkeys(map(id_of, texts), Verdict.INCONCLUSIVE),
        CHECK: Verdict.INVALID,
    }


def test_the_time_to_catch_up_is_affected_too(tmp_path: Path) -> None:
    """Signals of two affected seconds took 2.5 s each, and those behind them no less."""
    world = healthy(None, "max < 500 ms", delays=slow_from(9, 12, ms=2_500))
    found = judged(world, telemetry(BURNERS, range(9, 11)), tmp_path)
    assert found.judgement.verdict is Verdict.INVALID


def test_the_window_of_a_fault_is_the_runs_own(tmp_path: Path) -> None:
    """A fault that takes cores is planned, and no neighbour."""
    second = (AT_NS - T0_NS) // S + 1
    world = faulty(KILL, killed(), OBJECTIVE)
    found = judged(world, telemetry(BURNERS, range(second, second + 1)), tmp_path)
    assert "no other program" in check_of(found, CHECK).message
    found = judged(world, telemetry(BURNERS, range(second - 4, second - 3)), tmp_path)
    assert "other programs (cc1)" in check_of(found, CHECK).message


def paused_and_slow(start: int, end: int, *objectives: str) -> World:
    """A pause from 9 s to 12 s that stops the system, and signals that are slow in some seconds."""
    held, slow = outage(9.0, 12.0), slow_from(start, end)
    world = healthy(None, *objectives, delays=lambda n: np.maximum(held(n), slow(n)))
    world.scenario = faulty(PAUSE, None, *objectives).scenario
    world.faults = [paused()]
    return world


@pytest.mark.parametrize(("start", "end"), [(2, 6), (15, 19)])
def test_outside_faults_others_excuse_the_seconds_that_they_affected(
    start: int, end: int, tmp_path: Path
) -> None:
    """Seconds are those of the run, before a fault and after it, though its time is left out."""
    text = "max < 500 ms outside faults"
    world = paused_and_slow(start, end, text)
    found = judged(world, telemetry(BURNERS, range(start, end + 2)), tmp_path)
    assert unclean(found) == {id_of(text): Verdict.INCONCLUSIVE, CHECK: Verdict.INVALID}
    for change, seconds in (({}, ALL), (BURNERS, range(7, 9))):
        found = judged(world, telemetry(change, seconds), tmp_path)
        assert unclean(found) == {id_of(text): Verdict.FAIL}


@pytest.mark.parametrize(("last", "verdict"), [(9, Verdict.INVALID), (6, Verdict.FAIL)])
def test_outside_faults_the_affected_share_is_of_that_time(
    last: int, verdict: Verdict, tmp_path: Path
) -> None:
    """Of 9 s outside the fault 7 s are affected: most of them, though not of all 20 s."""
    text = "p50 < 500 ms outside faults"
    world = healthy(None, text, delays=slow_from(0, 30))
    record = killed(heal_proven_ns=AT_NS + 10 * S)
    world.scenario, world.faults = faulty(KILL, record, text).scenario, [record]
    found = judged(world, telemetry(BURNERS, range(last)), tmp_path)
    assert found.judgement.verdict is verdict


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(range(16), Verdict.FAIL), (range(16, 22), Verdict.INVALID)]
)
def test_the_affected_share_is_of_the_stage(
    seconds: range, verdict: Verdict, tmp_path: Path
) -> None:
    """Interference in the 15 s before a stage excuses nothing in its 5 s."""
    lengths = {"base": 15.0, "peak": 5.0}
    stages = tuple(
        Stage(name=name, agents=5, rate_from=100.0, rate_to=100.0, duration_s=length_s)
        for name, length_s in lengths.items()
    )
    load = Load(stages=stages, warmup_s=1.0, drain_s=5.0, processes=1)
    world = healthy(load, "stage peak p50 < 500 ms", delays=slow_from(15, 30))
    found = judged(world, telemetry(BURNERS, seconds), tmp_path)
    assert found.judgement.verdict is verdict


def test_slow_in_other_seconds_too_is_a_fail(tmp_path: Path) -> None:
    """A neighbour of five seconds excuses those, and not a system that is always slow."""
    world = healthy(None, OBJECTIVE, "max < 500 ms", delays=slow_from(0, 30))
    found = judged(world, telemetry(BURNERS, range(8, 13)), tmp_path)
    assert found.judgement.verdict is Verdict.FAIL
    assert check_of(found, CHECK).status is Status.PASS


def test_what_comes_and_goes_is_one_disturbance(tmp_path: Path) -> None:
    """A writer that is seen in every fourth second is felt in those between, not minutes later."""
    world = healthy(None, OBJECTIVE, delays=slow_from(0, 30))
    found = judged(world, telemetry(WRITERS, range(0, 40, 4)), tmp_path)
    assert found.judgement.verdict is Verdict.INVALID
    apart = judged(world, telemetry(WRITERS, range(0, 40, 15)), tmp_path)
    assert apart.judgement.verdict is Verdict.FAIL


@pytest.mark.parametrize(("end", "verdict"), [(13, Verdict.INVALID), (9, Verdict.FAIL)])
def test_the_rest_of_an_affected_run_is_no_unaffected_run(
    end: int, verdict: Verdict, tmp_path: Path
) -> None:
    """Seen in more than half of 20 s, the same programs are felt in the rest; in a third, not."""
    world = healthy(None, OBJECTIVE, delays=slow_from(0, 30))
    found = judged(world, telemetry(BURNERS, range(end)), tmp_path)
    assert found.judgement.verdict is verdict


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(ALL, Verdict.INVALID), (range(8, 10), Verdict.INCONCLUSIVE)]
)
def test_what_others_keep_open_is_invalid(seconds: range, verdict: Verdict, tmp_path: Path) -> None:
    """A longer run beside the same programs would tell no more; two seconds are no cause."""
    world = healthy(None, OBJECTIVE, delays=at_the_limit)
    found = judged(world, telemetry(BURNERS, seconds), tmp_path)
    assert found.judgement.verdict is verdict
    assert check_of(found, id_of(OBJECTIVE)).status is Status.INCONCLUSIVE


def test_a_late_generator_names_who_kept_it_waiting(tmp_path: Path) -> None:
    """The journal is written to the disk that somebody else keeps busy."""
    world = healthy(None, OBJECTIVE)
    spoilers.late(world)
    found = judged(world, telemetry(WRITERS, ALL), tmp_path)
    assert "other programs (dd)" in check_of(found, "generator_lag_p99").message
    assert found.diagnosis is not None
    assert found.diagnosis.questions[0].key == "host"


def test_kept_beside_others_is_kept(tmp_path: Path) -> None:
    """And told."""
    found = judged(healthy(None, OBJECTIVE), telemetry(BURNERS, ALL), tmp_path)
    assert found.judgement.verdict is Verdict.PASS
    assert "other programs (cc1)" in check_of(found, CHECK).message


def test_a_lost_signal_stays_a_fail(tmp_path: Path) -> None:
    """Nobody else's load loses one."""
    world = healthy(None, OBJECTIVE, delays=slow_from(0, 30))
    violations.lose(world)
    found = judged(world, telemetry(WRITERS, ALL), tmp_path)
    assert found.judgement.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "change",
    [
        {**WRITERS, "host.foreign_blocked_count": 1.0, "host.system_blocked_count": 9.0},
        {**WRITERS, "host.system_blocked_count": 0.0},
        {**WRITERS, "host.foreign_blocked_count": 0.4, "host.system_blocked_count": 0.4},
        {**WRITERS, "host.pressure_io_share": 0.1},
        {**BURNERS, "host.idle_cores": 0.6},
        {**BURNERS, "host.foreign_cores": 0.3},
        {**BURNERS, "service.engine.cpu_wait_cores": 0.2},
    ],
    ids=[
        "victim",
        "other disk",
        "seldom",
        "not short",
        "cores idle",
        "system fills it",
        "nothing waits",
    ],
)
def test_what_is_not_the_others_doing(change: dict[str, float]) -> None:
    """Each condition is needed."""
    assert find_interference(read_telemetry(telemetry(change, ALL), T0_NS), [(0.0, 30.0)]) == ()


def test_without_telemetry_it_is_not_known(tmp_path: Path) -> None:
    """Old evidence is judged as before."""
    world = healthy(None, OBJECTIVE, delays=slow_from(0, 30))
    found = assess(world.write(tmp_path))
    assert unclean(found) == {id_of(OBJECTIVE): Verdict.FAIL}
    assert "not known" in check_of(found, CHECK).message


def test_another_run_of_a_harness_is_reported(tmp_path: Path) -> None:
    """It changes no verdict by itself, but such a run is not for a sign-off."""
    world = healthy(None, OBJECTIVE)
    text = telemetry({"host.other_runs_count": 2.0}, range(5, 8), **{"host.other_runs_count": 0.0})
    found = judged(world, text, tmp_path)
    assert found.judgement.verdict is Verdict.PASS
    assert "2 other runs of a harness under way" in check_of(found, CHECK).message
    assert "in 3 samples of" in check_of(found, CHECK).message
    assert "another run of a harness was under way on this host" in found.judgement.grade.reasons
    assert "other run" not in check_of(judged(world, telemetry({}, ALL), tmp_path), CHECK).message


@pytest.mark.parametrize("seconds", [1, 2, 5, 11, 15, 16])
def test_a_run_with_fewer_samples_than_a_mean_takes(seconds: int) -> None:
    """Storage is judged by means over several samples; a short run has fewer of them."""
    spans = [(0.0, float(seconds))]
    lines = telemetry(WRITERS, ALL).splitlines(keepends=True)
    short = "".join(line for line in lines if _before(line, T0_NS + seconds * S))
    (found,) = find_interference(read_telemetry(short, T0_NS), spans)
    assert len(found.spans_s) == seconds


def _before(line: str, end_ns: int) -> bool:
    """Whether a line of telemetry is no sample, or one of that time."""
    return int(json.loads(line).get("mono_ns", 0)) <= end_ns
