"""Recovery times of the system after disruptions.

Two times are measured from each disruption on:

- *first*: until the first SIMULATED of a signal that was intended at or after it.
- *backlog*: until no signal is overdue any more. A signal is overdue while it is not final although
  the *normal time* has passed since its intended time. The normal time is the longest latency of
  the signals that were intended and final before the first disruption. A disruption makes signals
  overdue only after a normal time, and work may resume in parts. So the backlog ends at the first
  moment after which no signal is overdue for a normal time plus one second.

Signals that Redis refused are not counted: the system never received them. A signal that never
became final is overdue until the end of the observation, which then has no recovery.
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

# Kinds of events that are disruptions; add new kinds here.
DISRUPTION_EVENTS = frozenset({"service_restarted"})
DISTURBANCES_MAX = 100
# Fewer signals before the first disruption give no normal time.
NORMAL_MIN = 100
_FREE_MS = NS_PER_S // NS_PER_MS
_NEVER_MS = np.iinfo(np.uint32).max

Times = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Recovery:
    """The recovery from a disruption; times are counted from it.

    Attributes:
        first_ns: until a signal intended after it was SIMULATED; None if none was.
        backlog_ns: until no signal was overdue any more, to 1 ms; None if some always were, or
            without a normal time.
        normal_ns: the normal time; None of too few signals before.
        watched_ns: until the end of the observation.
        sent_after: signals intended after it.
    """

    first_ns: int | None
    backlog_ns: int | None
    normal_ns: int | None
    watched_ns: int
    sent_after: int


class RecoveryRecorder:
    """Computes recoveries from samples in any order; 8 bytes a signal if there is a disruption.

    Args:
        t0_ns: start of the load.
        end_ns: end of the observation.
        at_ns: starts of the recovery times, in order; without any, samples are not kept.
        baseline_end_ns: start of the first disruption; None if its recovery time starts then.
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
        """Add samples with their outcomes."""
        if not self._at_ns or len(samples) == 0:
            return
        accepted = samples[~has_outcome(samples, SignalOutcome.REFUSED)]
        intended, seen = column(accepted, "intended_ns"), column(accepted, "seen_ns")
        # The final table has no time: such a signal was final by the end.
        final = np.where(seen != 0, seen, self._end_ns)
        self._blocks.append((self._ms(intended), self._ms(final)))
        simulated = (seen != 0) & (column(accepted, "state") == State.SIMULATED)
        self._update_first(intended[simulated], seen[simulated])

    def recoveries(self) -> tuple[Recovery, ...]:
        """The recovery from each disruption."""
        if not self._at_ns:
            return ()
        intended, final = _joined(self._blocks)
        at_ms = [max(0, (at - self._t0_ns) // NS_PER_MS) for at in self._at_ns]
        baseline_end_ns = self._at_ns[0] if self._baseline_end_ns is None else self._baseline_end_ns
        normal_ms = normal_time_ms(
            intended, final, max(0, (baseline_end_ns - self._t0_ns) // NS_PER_MS)
        )
        end_ms = int(self._ms(np.array([self._end_ns]))[0])
        found = []
        for at_ns, own_ms, first_ns in zip(self._at_ns, at_ms, self._first_ns, strict=True):
            backlog_ms = None
            if normal_ms is not None:
                backlog_ms = backlog_end_ms(intended, final, own_ms, normal_ms, end_ms)
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
                elapsed_ns, known = int(after.min()) - at_ns, self._first_ns[number]
                self._first_ns[number] = elapsed_ns if known is None else min(known, elapsed_ns)

    def _ms(self, times_ns: Values) -> Times:
        since = (times_ns - self._t0_ns) // NS_PER_MS
        return np.clip(since, 0, _NEVER_MS).astype(np.uint32)


def normal_time_ms(intended: Times, final: Times, at_ms: int) -> int | None:
    """Longest latency of the signals final before a moment; None of too few."""
    before = final < at_ms
    if int(before.sum()) < NORMAL_MIN:
        return None
    latency_ms = final[before].astype(np.int64) - intended[before]
    return max(0, int(latency_ms.max())) + 1


def backlog_end_ms(
    intended: Times, final: Times, at_ms: int, normal_ms: int, end_ms: int
) -> int | None:
    """Time from a moment until no signal is overdue any more; None if some always are.

    Args:
        intended: intended time of each signal, in ms after t0.
        final: when it became final; `end_ms` if it never did.
        at_ms: time of the disruption.
        normal_ms: a signal is overdue when it is not final this long after its intended time.
        end_ms: end of the observation.
    """
    overdue_ms = intended.astype(np.int64) + normal_ms
    late = (final > overdue_ms) & (final > at_ms)
    starts, ends = np.maximum(overdue_ms[late], at_ms), final[late].astype(np.int64)
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    # End of the uninterrupted overdue time, if it ended after each of them.
    until = np.maximum.accumulate(np.concatenate(([at_ms], ends[order])))
    free = np.flatnonzero(starts - until[:-1] >= normal_ms + _FREE_MS)
    clear_ms = int(until[free[0]] if len(free) else until[-1])
    return None if clear_ms >= end_ms and clear_ms > at_ms else clear_ms - at_ms


def _joined(blocks: list[tuple[Times, Times]]) -> tuple[Times, Times]:
    if not blocks:
        return np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.uint32)
    intended, final = zip(*blocks, strict=True)
    return np.concatenate(intended), np.concatenate(final)
