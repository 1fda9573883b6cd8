"""Intended time of each signal: a pure function of load, seed, agent and index.

A stage's total rate R(t) is linear, so the number of signals due since its start is the quadratic
L(t) = r0 t + s t^2 / 2 with s = (r1 - r0) / D. Signals are due where L reaches given values x, at
the inverse t = 2 x / (r0 + sqrt(r0^2 + 2 s x)), which has no cancellation and holds for s = 0 too.

- constant: the stage's k-th signal is due at L = k + 1/2 and belongs to agent k mod N, so all
  agents together form one regular grid.
- poisson: each agent is a Poisson process of its own with rate R(t) / N: the sums of unit
  exponentials are values of L / N. They come from Philox, a counter-based generator keyed by seed,
  stage and agent; an agent's draws depend neither on other agents, nor on the assignment of agents
  to processes, nor on the block size.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from harness.clock import NS_PER_S
from harness.scenario.models import Load, Stage

Offsets = NDArray[np.int64]

# Values computed at a time: a few tens of microseconds of work, and constant memory.
BLOCK = 256
# Separates these draws from those of other purposes with the same seed.
_PACING_DRAWS = 1


def stage_edges_ns(load: Load) -> tuple[int, ...]:
    """Start of each stage of `load.timeline()`, and the end of the last; ns after t0."""
    lengths = (round(stage.duration_s * NS_PER_S) for stage in load.timeline())
    return tuple(accumulate(lengths, initial=0))


def intended_offsets(
    load: Load, seed: int, agent: int, *, block: int = BLOCK
) -> Iterator[tuple[int, Offsets]]:
    """The intended times of one agent's signals, in order, computed lazily.

    Args:
        load: the load of the scenario.
        seed: the scenario's seed; constant arrival does not depend on it.
        agent: number of the agent, from 0.
        block: maximum length of an array; affects memory only.

    Yields:
        Index of the stage in `load.timeline()`, and sorted ns after t0, never empty. The agent's
        n-th signal is the n-th value over all arrays.
    """
    edges = stage_edges_ns(load)
    for number, stage in enumerate(load.timeline()):
        if agent >= stage.agents:
            continue
        if load.arrival == "constant":
            values_of_l = _grid(stage, agent, block)
        else:
            values_of_l = _exponential_sums(stage, seed, number, agent, block)
        latest = edges[number]
        for values in values_of_l:
            offsets = edges[number] + (_inverse(stage, values) * NS_PER_S).astype(np.int64)
            # Rounding may move a value onto the edge, or swap two that almost coincide.
            offsets = np.clip(offsets, latest, edges[number + 1] - 1)
            offsets = np.maximum.accumulate(offsets)
            latest = int(offsets[-1])
            yield number, offsets


def presences_ns(load: Load, agent: int, *, gap_min_ns: int = 0) -> tuple[tuple[int, int], ...]:
    """Intervals in which an agent is active: start and end, ns after t0.

    Args:
        load: the load of the scenario.
        agent: number of the agent.
        gap_min_ns: shorter gaps between intervals are closed.
    """
    edges = stage_edges_ns(load)
    found: list[tuple[int, int]] = []
    for number, stage in enumerate(load.timeline()):
        if agent >= stage.agents:
            continue
        start, end = edges[number], edges[number + 1]
        if found and start - found[-1][1] <= gap_min_ns:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)


def expected_count(load: Load, seed: int) -> int:
    """Exact number of planned signals of all agents."""
    agents = max(stage.agents for stage in load.timeline())
    return sum(
        len(offsets)
        for agent in range(agents)
        for _, offsets in intended_offsets(load, seed, agent, block=65_536)
    )


def _grid(stage: Stage, agent: int, block: int) -> Iterator[NDArray[np.float64]]:
    """Values of L at which the agent's signals of a constant stage are due."""
    count = _grid_count(stage, agent)
    for first in range(0, count, block):
        turns = np.arange(first, min(first + block, count), dtype=np.float64)
        yield agent + turns * stage.agents + 0.5


def _grid_count(stage: Stage, agent: int) -> int:
    """Number of k with k mod N == agent and k + 1/2 < L(D)."""
    whole = int(np.ceil(stage.signals_expected - 0.5))
    return max(0, -(-(whole - agent) // stage.agents))


def _exponential_sums(
    stage: Stage, seed: int, number: int, agent: int, block: int
) -> Iterator[NDArray[np.float64]]:
    """Values of L at which the agent's signals of a Poisson stage are due."""
    end = stage.signals_expected / stage.agents
    if end <= 0:
        return
    draws = np.random.Generator(
        np.random.Philox(
            key=np.array([seed, number << 32 | agent], dtype=np.uint64),
            counter=np.array([0, 0, 0, _PACING_DRAWS], dtype=np.uint64),
        )
    )
    last = 0.0
    while last < end:
        gaps = draws.standard_exponential(block)
        gaps[0] += last  # added here, sums are rounded identically for every block size
        sums = np.cumsum(gaps)
        last = float(sums[-1])
        inside = sums[: np.searchsorted(sums, end)]
        if len(inside):
            yield inside * stage.agents


def _inverse(stage: Stage, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds into the stage at which L reaches the values, all of them above 0."""
    slope = (stage.rate_to - stage.rate_from) / stage.duration_s
    under_root = np.maximum(stage.rate_from**2 + 2 * slope * values, 0.0)
    seconds: NDArray[np.float64] = 2 * values / (stage.rate_from + np.sqrt(under_root))
    return seconds
