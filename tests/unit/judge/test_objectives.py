"""Objectives beyond a percentile of the whole: windows, stages, shares, recovery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.clock import NS_PER_S
from harness.contract.names import State
from harness.judge.check import Check
from harness.judge.verdict import Status, Verdict
from harness.scenario import Load, Stage
from tests.unit.analysis.evidence import MS, T0_NS, Delays, World, healthy, load_of
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, id_of, unclean

S = 1_000 * MS
WINDOWED = "p99 over any 2 s < 500 ms"
RECOVERY = "recovery < 15 s"


def check_of(world: World, reports: Path, name: str) -> Check:
    """The check of one objective."""
    found = assessed(world, reports).judgement.checks
    return next(check for check in found if check.id == name)


def spike(at_s: float, number: int, delay_ms: int = 700) -> Delays:
    """So many signals in a row are slow, from a moment on (100 signals/s)."""

    def draw(count: int) -> NDArray[np.int64]:
        values = np.full(count, 10 * MS, dtype=np.int64)
        first = round((at_s + 1) * 100)  # after a second of warm-up
        values[first : first + number] = delay_ms * MS
        return values

    return draw


def test_short_spike_hides_in_the_whole_and_not_in_its_window(tmp_path: Path) -> None:
    """12 slow ones of 2,000 keep the P90 of all; in their own 2 s they break it."""
    world = healthy(None, "p90 < 500 ms", WINDOWED, delays=spike(9.0, 12))
    found = assessed(world, tmp_path)
    assert unclean(found) == {id_of(WINDOWED): Verdict.FAIL}
    check = found.judgement.reasons[0]
    assert isinstance(check.figures["worst_start_ns"], int)
    # The spike lies about 10 s after the start, and the worst window holds all of it.
    assert 7.5 * S < check.figures["worst_start_ns"] < 10.5 * S
    assert isinstance(check.figures["worst_ns"], int)
    assert 700 * MS < check.figures["worst_ns"] < 705 * MS
    assert "in the worst of 451 windows of 2 s is 70" in check.message


def test_even_load_passes_in_every_window(tmp_path: Path) -> None:
    """The same objective on a steady run; the worst window is named all the same."""
    check = check_of(healthy(None, WINDOWED), tmp_path, id_of(WINDOWED))
    assert check.status is Status.PASS
    assert check.figures["windows_sparse"] == 0
    assert check.figures["windows_at_limit"] == 0


def test_windows_without_enough_signals_are_reported(tmp_path: Path) -> None:
    """At 20/s no window of 2 s has a P99; that is no PASS. Some that have are judged."""
    none = check_of(healthy(load_of(rate=20.0), WINDOWED), tmp_path, id_of(WINDOWED))
    assert none.status is Status.INCONCLUSIVE
    assert "none of 451 windows of 2 s has enough signals for P99" in none.message
    some = check_of(healthy(load_of(rate=50.0), WINDOWED), tmp_path, id_of(WINDOWED))
    assert some.status is Status.PASS
    assert "had too few signals for P99 and were not judged" in some.message


def test_windows_hold_signals_that_never_arrived(tmp_path: Path) -> None:
    """A dozen lost in a row break the window in which they were due."""
    world = healthy(None, WINDOWED)
    for number in range(800, 812):
        violations.drop(world, number)
    found = check_of(world, tmp_path, id_of(WINDOWED))
    assert found.status is Status.FAIL


def test_slow_observer_leaves_a_window_open(tmp_path: Path) -> None:
    """Seen late, committed in time: it is not known that the objective was missed."""
    world = healthy(None, WINDOWED)
    late = (world.sightings["seen_ns"] > T0_NS + 9 * S) & (
        world.sightings["seen_ns"] < T0_NS + 10 * S
    )
    world.sightings["seen_ns"][late] = T0_NS + 10 * S
    check = check_of(world, tmp_path, id_of(WINDOWED))
    assert check.status is Status.INCONCLUSIVE
    assert "the observer was too slow to decide" in check.message
    world.sightings["commit_us"][late] = 0
    assert check_of(world, tmp_path, id_of(WINDOWED)).status is Status.INCONCLUSIVE


def test_modes_have_windows_of_their_own(tmp_path: Path) -> None:
    """Each mode that occurs is judged apart, and one may be asked for."""
    load = load_of(rate=200.0)
    world = healthy(load, WINDOWED, "full p90 over any 5 s < 500 ms", full_every=2)
    names = [check.id for check in assessed(world, tmp_path).judgement.checks]
    assert id_of(WINDOWED, "lite") in names
    assert id_of(WINDOWED, "full") in names
    assert "latency_p90_over_5s_full" in names


def staged(repeat: int = 1) -> Load:
    """A calm stage, a peak, and a calm one, 100 signals/s."""
    stages = [
        Stage(name=name, agents=5, rate_from=100.0, rate_to=100.0, duration_s=8.0)
        for name in ("calm", "peak", "after")
    ]
    return Load(stages=tuple(stages), warmup_s=1.0, drain_s=5.0, repeat=repeat)


def slow_between(begin_s: float, end_s: float) -> Delays:
    """Everything sent between two moments takes 700 ms (100 signals/s)."""

    def draw(count: int) -> NDArray[np.int64]:
        at_s = np.arange(count) / 100 - 1
        slow = (at_s >= begin_s) & (at_s < end_s)
        return np.where(slow, 700 * MS, 10 * MS).astype(np.int64)

    return draw


@pytest.mark.parametrize("stage", ["peak", "2"])
def test_stage_is_judged_apart(stage: str, tmp_path: Path) -> None:
    """The peak misses its objective, by name or number; the calm stages meet theirs."""
    name = f"stage {stage} p99 < 500 ms"
    world = healthy(
        staged(), "stage calm p99 < 500 ms", name, "stage 3 p90 < 1 s", delays=slow_between(9, 15)
    )
    found = assessed(world, tmp_path)
    assert unclean(found) == {id_of(name): Verdict.FAIL}
    signals = found.judgement.reasons[0].figures["signals"]
    assert isinstance(signals, int)
    assert 650 < signals < 950


def test_repetitions_of_a_stage_count_together(tmp_path: Path) -> None:
    """A stage that runs twice has the signals of both times."""
    check = check_of(healthy(staged(2), "stage peak p50 < 1 s"), tmp_path, "latency_p50_stage_peak")
    signals = check.figures["signals"]
    assert isinstance(signals, int)
    assert 1_400 < signals < 1_800


def test_stage_with_too_few_signals_says_how_much_longer(tmp_path: Path) -> None:
    """Less than 299 signals of a stage cannot decide its P99; the stage must be longer."""
    load = load_of(rate=20.0, duration_s=10.0)
    check = check_of(healthy(load, "stage 1 p99 < 500 ms"), tmp_path, "latency_p99_stage_1")
    assert check.status is Status.INCONCLUSIVE
    assert "not known (at least 299 signals are needed)" in check.message
    assert "run stage 1 about" in check.message
    assert check.figures["estimate_ns"] is None


@pytest.mark.parametrize(
    ("objective", "verdict"),
    [("simulated >= 90 %", Verdict.PASS), ("simulated >= 99 %", Verdict.FAIL)],
)
def test_share_of_simulated(objective: str, verdict: Verdict, tmp_path: Path) -> None:
    """5 % refused by the engine leave 95 % simulated."""
    world = healthy(None, objective)
    violations.reject(world, np.arange(len(world.attempts[0])) % 20 == 3, State.INVARIANT_BROKEN)
    check = check_of(world, tmp_path, id_of(objective))
    assert check.status.verdict is verdict
    assert "reached SIMULATED, 95 %" in check.message


@pytest.mark.parametrize(
    ("event", "verdict"),
    [("swarm_died", Verdict.INVALID), ("interrupted", Verdict.INCONCLUSIVE)],
)
def test_share_of_simulated_of_an_unwatched_end(
    event: str, verdict: Verdict, tmp_path: Path
) -> None:
    """Signals nobody waited for may have arrived: no FAIL can be said."""
    world = healthy(None, "simulated >= 99.99 %")
    violations.drop(world, len(world.attempts[0]) - 1)
    world.run["drain_deadline_ns"] = 0
    world.event(event)
    check = check_of(world, tmp_path, "simulated_share")
    assert check.status.verdict is verdict
    assert "1 signal not observed to the end" in check.message


def outage(begin_s: float, end_s: float) -> Delays:
    """Nothing is committed between two moments of the load; then everything at once."""

    def draw(count: int) -> NDArray[np.int64]:
        at_ns = (np.arange(count) * S) // 100
        begin_ns, end_ns = round((begin_s + 1) * S), round((end_s + 1) * S)
        held = (at_ns >= begin_ns) & (at_ns < end_ns)
        return np.where(held, np.maximum(end_ns - at_ns, 10 * MS), 10 * MS).astype(np.int64)

    return draw


@pytest.mark.parametrize(
    ("limit", "verdict"), [("15 s", Verdict.PASS), ("2 s", Verdict.FAIL), ("3.5 s", Verdict.PASS)]
)
def test_recovery_is_held_against_its_limit(limit: str, verdict: Verdict, tmp_path: Path) -> None:
    """An outage of 3 s: both times are reported, the larger is judged."""
    name = f"recovery < {limit}"
    world = healthy(None, name, "p50 < 5 s", delays=outage(8.0, 11.0))
    world.event("service_restarted", T0_NS + 9 * NS_PER_S)
    check = check_of(world, tmp_path, id_of(name))
    assert check.status.verdict is verdict
    for figure in ("first_ns", "backlog_ns"):
        value = check.figures[figure]
        assert isinstance(value, int)
        assert 2.7 * S < value < 3.4 * S
    assert "the first signal was SIMULATED within" in check.message


def test_nothing_to_recover_from_is_invalid(tmp_path: Path) -> None:
    """Without a disturbance the objective was not tested."""
    check = check_of(healthy(None, RECOVERY), tmp_path, id_of(RECOVERY))
    assert check.status is Status.INVALID
    assert "there was no disturbance to recover from" in check.message


def test_no_recovery_at_all_fails_once_the_limit_is_over(tmp_path: Path) -> None:
    """Everything after the disturbance is lost: longer than 5 s is certain, 60 s is not."""
    for limit, verdict in (("5 s", Verdict.FAIL), ("60 s", Verdict.INCONCLUSIVE)):
        world = healthy(None, f"recovery < {limit}")
        for number in range(1_500, len(world.attempts[0])):
            violations.drop(world, number)
        world.event("service_restarted", int(world.attempts[0]["intended_ns"][1_500]))
        check = check_of(world, tmp_path, id_of(f"recovery < {limit}"))
        assert check.status.verdict is verdict
        assert "were overdue" in check.message


@pytest.mark.parametrize(
    ("at_s", "text"), [(0.2, "fewer than 100 signals"), (25.0, "no signal was due")]
)
def test_disturbance_at_the_edge_cannot_be_judged(at_s: float, text: str, tmp_path: Path) -> None:
    """Before there was a normal time, or after the last signal."""
    world = healthy(None, RECOVERY)
    world.event("service_restarted", T0_NS + round(at_s * S))
    check = check_of(world, tmp_path, id_of(RECOVERY))
    assert check.status is Status.INVALID
    assert text in check.message


def test_recoveries_are_in_the_measurement(tmp_path: Path) -> None:
    """Reported with or without an objective."""
    world = healthy(delays=outage(8.0, 9.0))
    world.event("service_restarted", T0_NS + 9 * NS_PER_S)
    found = assessed(world, tmp_path).measurement.recoveries
    assert [one.kind for one in found] == ["service_restarted"]
    assert found[0].at_s == 9.0
