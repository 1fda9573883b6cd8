"""Laws of a scale-out's windows, periods and changes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.integrity.pending_takeover import PendingSnapshot
from harness.analysis.scale_out import ScaleOutAnalysis, analyze_scale_out, step_windows
from harness.evidence.scale_log import (
    AgentInstance,
    ScaleBegin,
    ScaleEnd,
    ScaleLog,
    ScaleStepRecord,
    ServiceIdentity,
)

END_NS = 2_000
gaps = st.lists(st.integers(1, 300), max_size=12)
numbers = st.lists(st.integers(0, 6), min_size=6, max_size=6)


def agents_of(number: int) -> tuple[AgentInstance, ...]:
    """The first so many agents."""
    return tuple(AgentInstance(name=f"a-{n}", host=f"h{n}.", running_ns=0) for n in range(number))


def analyzed(gaps: list[int], numbers: list[int]) -> ScaleOutAnalysis:
    """Steps that begin and end after these gaps, and one event after another for each agent."""
    moments, steps = 0, []
    for number, (before, during) in enumerate(zip(gaps[::2], gaps[1::2], strict=False), 1):
        asked_ns = moments + before
        moments = asked_ns + during
        step = ScaleStepRecord(
            number=number,
            wanted=numbers[number - 1],
            planned_ns=asked_ns,
            asked_ns=asked_ns,
            scaled_ns=moments,
            agents=agents_of(numbers[number - 1]),
        )
        steps.append(step)
    log = ScaleLog(ScaleBegin(mono_ns=0, agents=agents_of(2), services=()), tuple(steps))
    snapshots = tuple(
        PendingSnapshot(moment, {f"agent-h{moment // 20 % 7}.": [f"{moment}-0"]})
        for moment in range(0, END_NS, 20)
    )
    return analyze_scale_out(log, snapshots, None, END_NS)


@given(gaps, numbers, st.integers(1, 800))
def test_windows_follow_each_other(gaps: list[int], numbers: list[int], length: int) -> None:
    """Before, during, after; never longer than asked, and none overlaps the same of another."""
    found = analyzed(gaps, numbers)
    windows = [(name, start, end) for _, name, start, end in step_windows(found, 0, END_NS, length)]
    assert [name for name, _, _ in windows] == ["before", "during", "after"] * (len(gaps) // 2)
    for name, start, end in windows:
        assert name == "during" or end - start <= length
    for name in ("before", "during"):
        spans = [(start, end) for own, start, end in windows if own == name]
        assert all(one[0] <= other[0] for one, other in pairwise(spans))


@given(gaps, numbers)
def test_an_event_counts_in_one_period_at_most(gaps: list[int], numbers: list[int]) -> None:
    """And only for agents of that period."""
    found = analyzed(gaps, numbers)
    assert len(found.periods) == 1 + len(found.log.steps)
    assert sum(sum(one.events.values()) for one in found.periods) <= END_NS // 20
    counts = [2, *(step.wanted for step in found.log.steps)]
    assert [len(one.events) for one in found.periods] == counts


@given(st.lists(st.integers(1, 3), min_size=1, max_size=5))
def test_a_change_is_found_exactly_where_values_differ(pids: list[int]) -> None:
    """The first reading that differs is named, and each value once."""

    def services(pid: int) -> tuple[ServiceIdentity, ...]:
        return (ServiceIdentity(name="redis", id="r", pid=pid, started="0", restarts=0),)

    steps = tuple(
        ScaleStepRecord(
            number=number,
            wanted=2,
            planned_ns=0,
            asked_ns=0,
            scaled_ns=0,
            before=services(pid),
            services=services(pid),
        )
        for number, pid in enumerate(pids[1:], 1)
    )
    log = ScaleLog(
        ScaleBegin(mono_ns=0, agents=(), services=services(pids[0])),
        steps,
        ScaleEnd(mono_ns=0, services=services(pids[-1])),
    )
    changes = analyze_scale_out(log, (), None, END_NS).changes
    first = next((n for n, pid in enumerate(pids) if pid != pids[0]), None)
    assert [(one.setting, one.when) for one in changes] == (
        [] if first is None else [("pid", f"before step {first}")]
    )
