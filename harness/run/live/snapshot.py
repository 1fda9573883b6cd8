"""Snapshots of a run under way, the same for its own terminal and for `harness watch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.clock import NS_PER_S
from harness.evidence.run_documents import RunEvent
from harness.load.status import SendRate, SwarmTotals
from harness.run.parts import LiveView, Progress
from harness.scenario import Load


class SnapshotBuilder:
    """Builds snapshots of one run.

    Args:
        load: the load of the scenario.
        t0_ns: its start, on the monotonic clock.
    """

    def __init__(self, load: Load, t0_ns: int) -> None:
        self._load = load
        self._t0_ns = t0_ns
        self._rate = SendRate(t0_ns)

    @property
    def load_ns(self) -> int:
        """Length of the load, warm-up included."""
        return round(sum(stage.duration_s for stage in self._load.timeline()) * NS_PER_S)

    def phase_at(self, now_ns: int) -> str:
        """`start`, `warmup`, `measure` or `drain`."""
        elapsed_ns = now_ns - self._t0_ns
        if elapsed_ns < 0:
            return "start"
        for stage in self._load.timeline():
            elapsed_ns -= round(stage.duration_s * NS_PER_S)
            if elapsed_ns < 0:
                return stage.phase.value
        return "drain"

    def snapshot(
        self,
        phase: str,
        now_ns: int,
        totals: SwarmTotals,
        live: LiveView,
        restarts: Mapping[str, int],
        events: Sequence[RunEvent],
    ) -> Progress:
        """The run at this moment."""
        summary = live.summary(now_ns)
        # The journal is up to a second newer than the swarm's status lines.
        sent = max(totals.sent, summary.attempted)
        return Progress(
            phase=phase,
            elapsed_ns=max(0, now_ns - self._t0_ns),
            total_ns=self.load_ns,
            due=max(totals.due, sent),
            sent=sent,
            accepted=totals.accepted,
            refused=totals.refused,
            unknown=totals.unknown,
            backlog=max(0, live.backlog - totals.refused),
            agents=totals.agents,
            rate_intended=self._rate_at(now_ns),
            rate_sent=0.0 if phase == "finish" else self._rate.update(totals, now_ns),
            lateness_max_ns=totals.lateness_max_ns,
            summary=summary,
            restarts=tuple(restarts.items()),
            events=tuple(events),
            may_end_early=self._load.until_decided_s is not None,
        )

    def _rate_at(self, now_ns: int) -> float:
        offset_s = (now_ns - self._t0_ns) / NS_PER_S
        if offset_s < 0:
            return 0.0
        for stage in self._load.timeline():
            if offset_s < stage.duration_s:
                share = offset_s / stage.duration_s
                return stage.rate_from + (stage.rate_to - stage.rate_from) * share
            offset_s -= stage.duration_s
        return 0.0
