from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.scenario.models import Load
from harness.schedule.pacing import expected_count, intended_offsets, presences_ns, stage_edges_ns
from tests.unit.load.swarm_setup import load_of, loads

SEEDS = st.integers(0, 2**63 - 1)


def everything(load: Load, seed: int, agent: int, block: int = 256) -> list[tuple[int, int]]:
    """Stage and offset of every signal of an agent."""
    return [
        (stage, int(offset))
        for stage, offsets in intended_offsets(load, seed, agent, block=block)
        for offset in offsets
    ]


def total(load: Load, seed: int) -> list[int]:
    """Offsets of all agents together, sorted."""
    agents = range(max(stage.agents for stage in load.timeline()))
    return sorted(offset for agent in agents for _, offset in everything(load, seed, agent))


@given(loads(), SEEDS, st.integers(0, 12))
def test_sorted_and_inside_the_stage(load: Load, seed: int, agent: int) -> None:
    """Signals come in order, each inside its stage, and only in stages of their agent."""
    edges = stage_edges_ns(load)
    found = everything(load, seed, agent)
    assert found == sorted(found)
    for stage, offset in found:
        assert edges[stage] <= offset < edges[stage + 1]
        assert agent < load.timeline()[stage].agents


@given(loads(), SEEDS, st.integers(0, 12), st.integers(1, 50))
def test_block_size_changes_nothing(load: Load, seed: int, agent: int, block: int) -> None:
    """How many values are made at a time is a matter of memory, never of the schedule."""
    assert everything(load, seed, agent, block) == everything(load, seed, agent)


@given(loads("constant"), SEEDS, SEEDS)
def test_constant_does_not_depend_on_the_seed(load: Load, seed: int, other: int) -> None:
    """An even grid has nothing random."""
    assert everything(load, seed, 0) == everything(load, other, 0)


@given(loads("constant"))
def test_constant_count_is_the_integral(load: Load) -> None:
    """Each stage sends its mean number of signals, to within one."""
    found = [0] * len(load.timeline())
    for agent in range(max(stage.agents for stage in load.timeline())):
        for number, _ in everything(load, 0, agent):
            found[number] += 1
    for count, stage in zip(found, load.timeline(), strict=True):
        assert abs(count - stage.signals_expected) <= 1
    assert expected_count(load, 0) == sum(found)


@given(st.integers(1, 50), st.floats(1, 500), st.floats(0.5, 3))
def test_constant_total_is_an_even_grid(agents: int, rate: float, seconds: float) -> None:
    """All agents together stand apart by the same time, however many they are: no clumps."""
    gaps = np.diff(total(load_of((agents, rate, rate, seconds), arrival="constant"), 0))
    assert all(abs(gap - 1e9 / rate) <= 2 for gap in gaps)


@example(2.0, 0.0, 9.0)
@given(st.floats(0, 200), st.floats(0, 200), st.floats(0.5, 5))
def test_ramp_stands_where_the_integral_reaches_whole_numbers(
    first: float, last: float, seconds: float
) -> None:
    """The k-th signal of a ramp is due when the rate, integrated, reaches k + 1/2."""
    load = load_of((3, first, last, seconds), arrival="constant")
    for k, offset in enumerate(total(load, 0)):
        t = offset / 1e9
        integral = first * t + (last - first) * t * t / (2 * seconds)
        assert integral == pytest.approx(k + 0.5, abs=1e-5)


@given(SEEDS)
def test_poisson_count_is_near_the_integral(seed: int) -> None:
    """The number of signals is Poisson: within six standard deviations of its mean."""
    load = load_of((10, 100, 300, 10), (5, 300, 0, 10), arrival="poisson")
    mean = sum(stage.signals_expected for stage in load.timeline())
    assert abs(expected_count(load, seed) - mean) < 6 * math.sqrt(mean)


def test_poisson_gaps_are_exponential() -> None:
    """Gaps of all agents together have the exponential's mean, deviation and median."""
    gaps = np.diff(total(load_of((20, 1000, 1000, 30), arrival="poisson"), 3)) / 1e6
    assert gaps.mean() == pytest.approx(1.0, rel=0.05)
    assert gaps.std() == pytest.approx(1.0, rel=0.05)
    assert np.median(gaps) == pytest.approx(math.log(2), rel=0.05)


def test_poisson_agents_and_stages_are_independent() -> None:
    """No two agents, stages or seeds share their draws."""
    load = load_of((2, 50, 50, 4), (2, 50, 50, 4), arrival="poisson")
    edges = stage_edges_ns(load)
    rows = {
        tuple(
            offset - edges[stage] for stage, offset in everything(load, seed, agent) if stage == s
        )
        for seed in (1, 2)
        for agent in (0, 1)
        for s in (0, 1)
    }
    assert len(rows) == 8


@given(loads(), SEEDS)
def test_spreading_over_processes_changes_nothing(load: Load, seed: int) -> None:
    """The agents of three processes send what those of one send."""
    agents = max(stage.agents for stage in load.timeline())
    spread = sorted(
        offset
        for process in range(3)
        for agent in range(process, agents, 3)
        for _, offset in everything(load, seed, agent)
    )
    assert spread == total(load, seed)
    assert len(spread) == expected_count(load, seed)


def test_known_values_stay() -> None:
    """The schedule of a stored run can be computed again by a later version."""
    load = load_of((2, 2, 2, 2), arrival="poisson")
    assert everything(load, 1, 0) == [(0, 230_316_289), (0, 1_538_857_074)]
    two = load_of((2, 2, 2, 2), (2, 2, 2, 2), arrival="poisson")
    assert everything(two, 1, 1) == [
        (0, 279544745),
        (0, 823488615),
        (1, 2081106877),
        (1, 2459842998),
        (1, 3381520367),
    ]
    grid = load_of((2, 4, 4, 1), arrival="constant")
    assert total(grid, 9) == [125_000_000, 375_000_000, 625_000_000, 875_000_000]


def test_warmup_and_repeats_are_stages() -> None:
    """The timeline that is paced is the scenario's own, warm-up and repeats included."""
    load = load_of((2, 10, 10, 1), arrival="constant", warmup_s=2, repeat=2)
    assert stage_edges_ns(load) == (0, 2_000_000_000, 3_000_000_000, 4_000_000_000)
    assert expected_count(load, 0) == 40


def test_presences() -> None:
    """An agent is there for its stages, and stays through an absence too short to leave for."""
    load = load_of((1, 1, 1, 1), (5, 1, 1, 1), (2, 1, 1, 3), (5, 1, 1, 1))
    s = 1_000_000_000
    assert presences_ns(load, 0) == ((0, 6 * s),)
    assert presences_ns(load, 1) == ((s, 6 * s),)
    assert presences_ns(load, 4) == ((s, 2 * s), (5 * s, 6 * s))
    assert presences_ns(load, 4, gap_min_ns=3 * s) == ((s, 6 * s),)
    assert presences_ns(load, 5) == ()


def test_a_signal_may_be_due_in_the_last_nanosecond() -> None:
    """The end of a stage is the first nanosecond that is no longer its own."""
    load = load_of((1, 1, 1, 0.5000000006), arrival="constant")
    assert stage_edges_ns(load) == (0, 500_000_001)
    assert everything(load, 0, 0) == [(0, 500_000_000)]
    # Rounded onto the end of its stage, it is kept inside.
    load = load_of((1, 1, 1, 0.5000000004), arrival="constant")
    assert everything(load, 0, 0) == [(0, 499_999_999)]


def test_poisson_stage_of_less_than_one_signal_an_agent() -> None:
    """Half a signal an agent is a signal of every second one or so, not none."""
    load = load_of((4, 1, 1, 2), arrival="poisson")
    # The sum over 100 seeds is Poisson with mean 200: within six standard deviations.
    assert abs(sum(expected_count(load, seed) for seed in range(100)) - 200) < 85
