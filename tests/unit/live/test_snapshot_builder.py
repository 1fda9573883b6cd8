"""Snapshots of a run under way."""

from __future__ import annotations

import numpy as np
import pytest

from harness.clock import NS_PER_S
from harness.evidence.records import ATTEMPT
from harness.load.status import SendRate, SwarmTotals, sum_statuses
from harness.run.live.figures import LiveMatcher
from harness.run.live.snapshot import SnapshotBuilder
from harness.run.live.summary import LiveSummary
from harness.scenario import Load, Stage

LOAD = Load(
    warmup_s=2.0,
    stages=(Stage(agents=1, rate_from=10.0, rate_to=30.0, duration_s=4.0),),
)


def test_phases_follow_the_load() -> None:
    """By the clock, from before its start until after its end."""
    builder = SnapshotBuilder(LOAD, 100 * NS_PER_S)
    at = {99: "start", 100: "warmup", 102: "measure", 105: "measure", 106: "drain"}
    assert {second: builder.phase_at(second * NS_PER_S) for second in at} == at
    assert builder.load_ns == 6 * NS_PER_S


def test_rate_is_computed_between_status_lines_and_not_between_polls() -> None:
    """With lines every 1.01 s and polls every second no poll shows 0 or twice the rate."""
    rate = SendRate(0)
    shown = []
    for second in range(1, 200):
        lines = int(second / 1.01)
        reported_ns = round(lines * 1.01 * NS_PER_S)
        sent = round(lines * 1.01 * 100)
        totals = SwarmTotals(sent=sent, reported_ns=reported_ns)
        shown.append(rate.update(totals, second * NS_PER_S))
    assert shown[5:] == pytest.approx([100] * len(shown[5:]), rel=0.01)


def test_silent_swarm_has_no_rate() -> None:
    """What was true four seconds ago is not shown as true now."""
    rate = SendRate(0)
    assert rate.update(SwarmTotals(sent=50, reported_ns=NS_PER_S), NS_PER_S) == 50
    assert rate.update(SwarmTotals(sent=50, reported_ns=NS_PER_S), 4 * NS_PER_S) == 50
    assert rate.update(SwarmTotals(sent=50, reported_ns=NS_PER_S), 5 * NS_PER_S) == 0


def test_status_lines_of_several_processes_have_a_mean_time() -> None:
    """So that their sum has a time too."""
    found = sum_statuses([{"sent": 1, "mono_ns": 10}, {"sent": 2, "mono_ns": 20}])
    assert (found.sent, found.reported_ns) == (3, 15)


def test_journal_is_newer_than_the_status_lines() -> None:
    """A signal that was seen final has been sent, whenever the swarm reports it."""
    live = LiveMatcher()
    live.add_attempts(np.zeros(30, ATTEMPT))
    view = Matched(live)
    builder = SnapshotBuilder(LOAD, 0)
    totals = SwarmTotals(due=25, sent=20, accepted=20, reported_ns=NS_PER_S)
    progress = builder.snapshot("measure", 2 * NS_PER_S, totals, view, {}, ())
    assert (progress.due, progress.sent, progress.accepted) == (30, 30, 20)
    assert progress.rate_sent == 20, "a rate is computed between status lines"


class Matched:
    """A matcher as a view of a run."""

    has_unread_records = False
    final = 0
    backlog = 0

    def __init__(self, matcher: LiveMatcher) -> None:
        self._matcher = matcher

    def update(self) -> None: ...

    def summary(self, now_ns: int) -> LiveSummary:
        return self._matcher.summary(now_ns)

    def failed(self, now_ns: int) -> str | None:
        return None

    def analysis(self, now_ns: int) -> None:
        return None
