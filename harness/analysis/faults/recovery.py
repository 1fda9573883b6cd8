"""How long the system took to recover from what happened to it.

Two times are taken from each disturbance on:

- *first*: until the first SIMULATED of a signal that was intended at or after it.
- *backlog*: until nothing is overdue any more. A signal is overdue while it is not final although
  the *normal time* has passed since it was intended; the normal time is the longest latency among
  the signals that were intended and final before the first disturbance. Since a disturbance makes
  signals overdue only after a normal time, and since work may come back in pieces, the backlog is
  gone at the first moment after which nothing is overdue for a normal time and one second more.

Signals that Redis refused never were the system's to handle and are left out. One that never
became final is overdue until the observation ended; with no gap before it, there is no recovery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import Values
from harness.analysis.samples import Samples, SignalOutcome, column, has_outcome
from harness.clock import NS_PER_MS, NS_PER_S
from harness.contract.names import State

# Events after which a recovery is due; a new kind of disturbance is added here.
DISRUPTION_EVENTS = frozenset({"service_restarted"})
DISTURBANCES_MAX = 100
# Fewer signals before the first disturbance do not show what is normal.
NORMAL_MIN = 100
_IDLE_MS = NS_PER_S // NS_PER_MS
_NEVER_MS = np.iinfo(np.uint32).max

Times = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What followed a disturbance; times are counted from it.

    Attributes:
        first_ns: until a signal intended after it was SIMULATED; None if none was.
        backlog_ns: until nothing was overdue any more, to 1 ms; None if that never came, or if
            too few signals before it show what is normal.
        normal_ns: the normal time; None if there are too few signals for it.
        watched_ns: until the observation ended.
        sent_after: signals intended after it.
    """

    first_ns: int | None
    backlog_ns: int | None
    normal_ns: int | None
    watched_ns: int
    sent_after: int


class RecoveryRecorder:
    """Accepts samples in any order: eight bytes of each signal, if there was a disturbance.

    Args:
        t0_ns: start of the load.
        end_ns: when the observation ended.
        at_ns: from when on recoveries count, in order; none costs nothing.
        baseline_end_ns: when the first disturbance began; None if that is when it counts from.
    """

    def __init__(
        self,
        t0_ns: int,
        end_ns: int,
        at_ns: Sequence[int],
        baseline_end_ns: int | None = None,
    ) -> None:
        self._t0_ns = t0_ns
        self._end_ns = end_ns
        self._at_ns = tuple(at_ns[:DISTURBANCES_MAX])
        self._baseline_end_ns = baseline_end_ns
        self._first_ns: list[int | None] = [None] * len(self._at_ns)
        self._blocks: list[tuple[Times, Times]] = []

    def add(self, samples: Samples) -> None:
        """Add samples with an outcome."""
        if not self._at_ns or len(samples) == 0:
            return
        accepted = samples[~has_outcome(samples, SignalOutcome.REFUSED)]
        intended, seen = column(accepted, "intended_ns"), column(accepted, "seen_ns")
        # The final table has no times: such a signal was final by the end.
        final = np.where(seen != 0, seen, self._end_ns)
        self._blocks.append((self._ms(intended), self._ms(final)))
        simulated = (seen != 0) & (column(accepted, "state") == State.SIMULATED)
        self._update_first(intended[simulated], seen[simulated])

    def recoveries(self) -> tuple[Recovery, ...]:
        """What followed each disturbance."""
        if not self._at_ns:
            return ()
        intended, final = _joined(self._blocks)
        at_ms = [max(0, (at - self._t0_ns) // NS_PER_MS) for at in self._at_ns]
        baseline_ns = self._at_ns[0] if self._baseline_end_ns is None else self._baseline_end_ns
        normal_ms = normal_time_ms(
            intended, final, max(0, (baseline_ns - self._t0_ns) // NS_PER_MS)
        )
        end_ms = int(self._ms(np.array([self._end_ns]))[0])
        found = []
        for at_ns, own_ms, first_ns in zip(self._at_ns, at_ms, self._first_ns, strict=True):
            backlog_ms = None
            if normal_ms is not None:
                backlog_ms = backlog_gone_ms(intended, final, own_ms, normal_ms, end_ms)
            found.append(
                Recovery(
                    first_ns=first_ns,
                    backlog_ns=None if backlog_ms is None else backlog_ms * NS_PER_MS,
                    normal_ns=None if normal_ms is None else normal_ms * NS_PER_MS,
                    watched_ns=max(0, self._end_ns - at_ns),
                    sent_after=int((intended > own_ms).sum()),
                )
            )
        return tuple(found)

    def _update_first(self, intended: Values, seen: Values) -> None:
        for number, at_ns in enumerate(self._at_ns):
            after = seen[intended >= at_ns]
            if len(after):
                took_ns, known = int(after.min()) - at_ns, self._first_ns[number]
                self._first_ns[number] = took_ns if known is None else min(known, took_ns)

    def _ms(self, times_ns: Values) -> Times:
        since = (times_ns - self._t0_ns) // NS_PER_MS
        return np.clip(since, 0, _NEVER_MS).astype(np.uint32)


def normal_time_ms(intended: Times, final: Times, at_ms: int) -> int | None:
    """The longest latency of what was final before a moment; None of too few signals."""
    before = final < at_ms
    if int(before.sum()) < NORMAL_MIN:
        return None
    took_ms = final[before].astype(np.int64) - intended[before]
    return max(0, int(took_ms.max())) + 1


def backlog_gone_ms(
    intended: Times, final: Times, at_ms: int, normal_ms: int, end_ms: int
) -> int | None:
    """How long after a moment nothing is overdue any more; None if that never comes.

    Args:
        intended: when each signal was due, in ms after t0.
        final: when it was final; `end_ms` if it never was.
        at_ms: when the disturbance was.
        normal_ms: from when on a signal that is not final is overdue.
        end_ms: when the observation ended.
    """
    overdue_ms = intended.astype(np.int64) + normal_ms
    late = (final > overdue_ms) & (final > at_ms)
    begin, end = np.maximum(overdue_ms[late], at_ms), final[late].astype(np.int64)
    order = np.argsort(begin, kind="stable")
    begin = begin[order]
    # Until when something has been overdue without a gap, were it to end after each of them.
    until = np.maximum.accumulate(np.concatenate(([at_ms], end[order])))
    gaps = np.flatnonzero(begin - until[:-1] >= normal_ms + _IDLE_MS)
    gone_ms = int(until[gaps[0]] if len(gaps) else until[-1])
    return None if gone_ms >= end_ms and gone_ms > at_ms else gone_ms - at_ms


def _joined(blocks: list[tuple[Times, Times]]) -> tuple[Times, Times]:
    if not blocks:
        return np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.uint32)
    intended, final = zip(*blocks, strict=True)
    return np.concatenate(intended), np.concatenate(final)
