"""A load ends when its backlog certainly grows, and only then."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.contract.names import State
from harness.run.live.abort_condition import SLACK_NS, abort_conditions_of
from harness.scenario import Load, Scenario, Stage

MS = 1_000_000
S = 1_000 * MS
T0_NS = 77 * S
RATE = 50


def failed(latency_ns: NDArray[np.int64], *, until_s: int, is_wanted: bool = True) -> str | None:
    """Why a load of 50/s ends at a time, with such latencies of its signals."""
    stage = Stage(agents=1, rate_from=float(RATE), rate_to=float(RATE), duration_s=100.0)
    load = Load(stages=(stage,), warmup_s=2.0, abort_on_overload=is_wanted)
    scenario = Scenario(name="x", about="x", load=load, objectives=("p99 < 500 ms",))
    now_ns = T0_NS + until_s * S
    conditions = abort_conditions_of(scenario, T0_NS)
    for condition in conditions:
        intended = T0_NS + np.arange(len(latency_ns), dtype=np.int64) * (S // RATE)
        due = intended[intended < now_ns]
        seen = (intended + latency_ns)[: len(due)]
        ended = seen < now_ns
        modes = np.zeros(len(due), dtype=np.uint8)
        states = np.full(len(due), State.SIMULATED, dtype=np.uint8)
        condition.due(due, modes)
        condition.final(due[ended], modes[ended], seen[ended], states[ended])
        if reason := condition.failed(now_ns):
            return reason
    return None


def noisy(count: int = 5_000) -> NDArray[np.int64]:
    """Latencies of a system that keeps up."""
    return (np.random.default_rng(3).exponential(200 * MS, count)).astype(np.int64)


def test_a_growing_backlog_ends_the_load() -> None:
    """With the backlog, once it was observed for long enough."""
    late = noisy() + np.arange(5_000, dtype=np.int64) * (S // RATE) // 2
    assert failed(late, until_s=20) is None
    reason = failed(late, until_s=50)
    assert reason is not None
    assert reason.startswith("overload: the backlog grew to ")


def test_a_stable_backlog_does_not() -> None:
    """Also a long one, and one that was built up before the measured load."""
    assert failed(noisy(), until_s=100) is None
    assert failed(noisy() + 1_500 * MS, until_s=100) is None


def test_only_where_the_scenario_wants_it() -> None:
    """The key is off by default."""
    late = noisy() + np.arange(5_000, dtype=np.int64) * (S // RATE) // 2
    assert failed(late, until_s=50, is_wanted=False) is None


def test_signals_too_young_to_be_seen_do_not_count() -> None:
    """The last seconds are left out: files and observer lag behind."""
    assert SLACK_NS >= S
    assert failed(noisy()[: 60 * RATE] + np.int64(SLACK_NS // 2), until_s=60) is None
