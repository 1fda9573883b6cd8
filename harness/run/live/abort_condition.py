"""Objectives that end the load early once they can no longer be met, and overload.

Only what is certain counts: a signal counts once it is old enough that its outcome against the
limit is final. The verdict never depends on this module; it comes from the evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.analysis.capacity.backlog import backlog_grows
from harness.analysis.sliding_windows import Counts, WindowGrid, allowed_above
from harness.analysis.statistics import BATCHES_MIN, order_ranks
from harness.clock import NS_PER_MS, NS_PER_S
from harness.contract.names import State
from harness.evidence.records import Mode
from harness.scenario import SLO, Load, Scenario

# Time for the observer and for reading files before a signal counts as not arrived.
SLACK_NS = 2 * NS_PER_S
# Without windows, steps of a second show how autocorrelated the signals are.
_PLAIN_WINDOW_NS = 50 * NS_PER_S
_WIDTHS = (1, 2, 4, 8)
# Evaluated repeatedly, so it needs more confidence than the judge, who evaluates once.
_CONFIDENCE = 0.999
_MODES = len(Mode)
# So many tests within a trial of a minute as the confidence above allows for.
_OVERLOAD_EVERY_S = 5


class AbortCondition(Protocol):
    """A condition that may end the load early."""

    def due(self, intended_ns: NDArray[np.int64], modes: NDArray[Any]) -> None:
        """Signals were attempted."""
        ...

    def final(
        self,
        intended_ns: NDArray[np.int64],
        modes: NDArray[Any],
        seen_ns: NDArray[np.int64],
        states: NDArray[Any],
    ) -> None:
        """Signals were seen in a final state."""
        ...

    def failed(self, now_ns: int) -> str | None:
        """Why the load is to end; None while it is not."""
        ...


class ObjectiveCondition:
    """One objective under way.

    Args:
        slo: a percentile or the maximum of latency, of all that is measured.
        load: when signals are due.
        t0_ns: start of the load.
    """

    def __init__(self, slo: SLO, load: Load, t0_ns: int) -> None:
        self._objective = slo.parsed
        self._limit_ns = self._objective.limit_ns or 0
        self._percentile = self._objective.percentile or 50.0
        self._t0_ns = t0_ns
        stretches = load.measured_stretches_ns()
        self._from_ns = t0_ns + stretches[0][0] + round(slo.abort_delay_s * NS_PER_S)
        self._grid = WindowGrid.of(stretches, self._objective.window_ns or _PLAIN_WINDOW_NS)
        steps = np.arange(self._grid.steps, dtype=np.int64)
        self._ends_ms = self._grid.begin_ms(steps) + self._grid.step_ms
        self._open: Counts = np.zeros((_MODES, self._grid.steps), dtype=np.int64)
        self._kept: Counts = np.zeros((_MODES, self._grid.steps), dtype=np.int64)
        self._windows_judged = 0

    def due(self, intended_ns: NDArray[np.int64], modes: NDArray[Any]) -> None:
        """Signals were attempted."""
        self._count(self._open, intended_ns, modes, 1)

    def final(
        self,
        intended_ns: NDArray[np.int64],
        modes: NDArray[Any],
        seen_ns: NDArray[np.int64],
        states: NDArray[Any],
    ) -> None:
        """Signals were seen in a final state.

        A rejection never arrives, so it breaks the limit. One for stale data is left out: a fault
        or a late generator may excuse it, which only the evidence shows.
        """
        simulated = states == State.SIMULATED
        kept = simulated & (seen_ns - intended_ns < self._limit_ns)
        self._count(self._kept, intended_ns[kept], modes[kept], 1)
        stale = states == State.STALE_DATA_ERROR
        self._count(self._open, intended_ns[stale], modes[stale], -1)

    def failed(self, now_ns: int) -> str | None:
        """Why the objective can no longer be met; None while it can."""
        if now_ns < self._from_ns:
            return None
        until_ms = (now_ns - self._t0_ns - self._limit_ns - SLACK_NS) // NS_PER_MS
        known = int(np.searchsorted(self._ends_ms, until_ms, side="right"))
        for mode in Mode:
            if self._objective.mode not in (None, mode.name.lower()):
                continue
            signals = self._open[mode, :known]
            broken = signals - self._kept[mode, :known]
            if reason := self._failed(signals, broken):
                return f"{self._objective.text}: {reason}"
        self._windows_judged = int(np.searchsorted(self._grid.last, known, side="right"))
        return None

    def _failed(self, signals: Counts, broken: Counts) -> str | None:
        if self._percentile == 100:
            number = int(broken.sum())
            return f"{number:,} of {int(signals.sum()):,} signals broke it" if number else None
        if self._objective.window_ns is None:
            return self._whole_failed(signals, broken)
        return self._window_failed(signals, broken)

    def _window_failed(self, signals: Counts, broken: Counts) -> str | None:
        """Whether a window that is complete, and was not evaluated before, broke it."""
        end = int(np.searchsorted(self._grid.last, len(signals), side="right"))
        first = self._grid.first[self._windows_judged : end]
        last = self._grid.last[self._windows_judged : end]
        number = _between(signals, first, last)
        allowed = allowed_above(number, self._percentile)
        above = _between(broken, first, last)
        failing = np.flatnonzero((allowed > 0) & (above > allowed))
        if not len(failing):
            return None
        at = failing[0]
        begin_s = self._grid.begin_ms(first[at : at + 1])[0] / 1_000
        return (
            f"in the window from {begin_s:.2f} s on {above[at]:,} of {number[at]:,} signals"
            f" broke it, {allowed[at]:,} may"
        )

    def _whole_failed(self, signals: Counts, broken: Counts) -> str | None:
        """Whether the share of those that broke it is too large for the effective sample size."""
        total, above = int(signals.sum()), int(broken.sum())
        if above == 0 or len(signals) < BATCHES_MIN:
            return None
        size = int(total / _inflation(signals, broken))
        rank, _ = order_ranks(size, self._percentile, _CONFIDENCE)
        if rank is None or total - above >= (rank - 1) * total / size:
            return None
        return f"{above:,} of {total:,} signals broke it"

    def _count(
        self, table: Counts, intended_ns: NDArray[np.int64], modes: NDArray[Any], sign: int
    ) -> None:
        if len(intended_ns) == 0:
            return
        step = self._grid.step_of((intended_ns - self._t0_ns) // NS_PER_MS)
        for mode in Mode:
            own = step[(step >= 0) & (modes == mode)]
            table[mode] += sign * np.bincount(own, minlength=self._grid.steps)


class OverloadCondition:
    """The backlog of signals under way: the load ends once it certainly grows.

    Args:
        load: when signals are due.
        t0_ns: start of the load.
    """

    def __init__(self, load: Load, t0_ns: int) -> None:
        stretches = load.measured_stretches_ns()
        self._start_ns = t0_ns + stretches[0][0]
        seconds = -(-(stretches[-1][1] - stretches[0][0]) // NS_PER_S)
        # By second of the measured load; the first cell has all that came before.
        self._change: Counts = np.zeros(seconds + 1, dtype=np.int64)
        self._next_s = _OVERLOAD_EVERY_S

    def due(self, intended_ns: NDArray[np.int64], modes: NDArray[Any]) -> None:
        """Signals were attempted."""
        del modes
        self._add(intended_ns, 1)

    def final(
        self,
        intended_ns: NDArray[np.int64],
        modes: NDArray[Any],
        seen_ns: NDArray[np.int64],
        states: NDArray[Any],
    ) -> None:
        """Signals were seen in a final state, whichever."""
        del intended_ns, modes, states
        self._add(seen_ns, -1)

    def failed(self, now_ns: int) -> str | None:
        """Why the load is to end; None while its backlog does not certainly grow."""
        known = int((now_ns - SLACK_NS - self._start_ns) // NS_PER_S)
        known = min(known, len(self._change) - 1)
        if known < self._next_s:
            return None
        self._next_s = known + _OVERLOAD_EVERY_S
        backlog = np.cumsum(self._change)[1 : known + 1]
        times_s = np.arange(1, known + 1, dtype=np.float64)
        if not backlog_grows(times_s, backlog, confidence=_CONFIDENCE):
            return None
        return f"overload: the backlog grew to {int(backlog[-1]):,} signals within {known} s"

    def _add(self, at_ns: NDArray[np.int64], sign: int) -> None:
        if len(at_ns):
            last = len(self._change) - 1
            second = np.clip((at_ns - self._start_ns) // NS_PER_S + 1, 0, last)
            self._change += sign * np.bincount(second, minlength=last + 1)


def abort_conditions_of(scenario: Scenario, t0_ns: int) -> tuple[AbortCondition, ...]:
    """The objectives of a scenario that may end its load early, and its overload if that may."""
    conditions: tuple[AbortCondition, ...] = tuple(
        ObjectiveCondition(slo, scenario.load, t0_ns)
        for slo in scenario.slos()
        if slo.abort_on_fail
    )
    if scenario.load.abort_on_overload:
        conditions = (*conditions, OverloadCondition(scenario.load, t0_ns))
    return conditions


def first_failed(abort_conditions: Sequence[AbortCondition], now_ns: int) -> str | None:
    """Why the first objective that can no longer be met fails; None while all can."""
    reasons = (condition.failed(now_ns) for condition in abort_conditions)
    return next((reason for reason in reasons if reason is not None), None)


def _between(by_step: Counts, first: Counts, last: Counts) -> Counts:
    sums = np.concatenate(([0], np.cumsum(by_step)))
    return np.asarray(sums[last] - sums[first], dtype=np.int64)


def _inflation(signals: Counts, broken: Counts) -> float:
    """Variance inflation by autocorrelation, at least 1, from batches of several lengths."""
    total = int(signals.sum())
    share = int(broken.sum()) / total
    expected = total * share * (1 - share)
    if expected == 0:
        return 1.0
    found = 1.0
    for width in _WIDTHS:
        number = len(signals) // width
        if number < BATCHES_MIN:
            break
        batch = slice(0, number * width)
        rest = (broken[batch] - share * signals[batch]).reshape(number, width).sum(axis=1)
        found = max(found, float(rest @ rest) / expected)
    return found
