"""How the run went, second by second: what was due, sent, accepted and seen, and what was open.

Memory is one row of counters for each stretch of time, whatever the number of signals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import BUCKETS, LIMIT_NS, Values, bucket_high_ns, bucket_index
from harness.analysis.phase_timeline import Timeline
from harness.analysis.samples import Mask, Samples, SignalOutcome, column, has_outcome
from harness.analysis.series import INTERVALS_MAX, interval_length_s
from harness.analysis.statistics import size_needed
from harness.clock import NS_PER_S
from harness.contract.names import State
from harness.evidence.records import PushStatus

# A drain may be longer than the load; what lies beyond so many stretches is in the last of them.
THROUGHPUT_INTERVALS_MAX = 2 * INTERVALS_MAX
# So many of a histogram's buckets are one here: 4 us wide below 1 ms, 0.8 % above.
_COARSE_BITS = 3


@dataclass(frozen=True, slots=True)
class ThroughputInterval:
    """One stretch of time; each count goes by the time in its own words.

    Attributes:
        start_s: seconds after t0.
        length_s: of the last stretch of a very long drain more than of the others.
        intended: signals attempted, by their intended time.
        sent: the same, by when they were sent.
        accepted: by when Redis's answer came.
        simulated: by when they were seen SIMULATED; those that arrived unseen are in none.
        lateness_p99_ns: of the signals intended here; up to 4 us or 0.8 % too large. None where
            they are too few for it.
        lateness_max_ns: None where none was intended.
        in_flight: at the end, those sent and not yet seen final, nor refused by Redis; those that
            are never seen final stay in it.
    """

    start_s: float
    length_s: float
    intended: int
    sent: int
    accepted: int
    simulated: int
    lateness_p99_ns: int | None
    lateness_max_ns: int | None
    in_flight: int


class ThroughputRecorder:
    """`Second`s under way.

    Args:
        timeline: its load says how long a stretch is.
        end_ns: when the watching ended, monotonic.
    """

    def __init__(self, timeline: Timeline, end_ns: int) -> None:
        self._t0_ns = timeline.t0_ns
        self._length_s = interval_length_s(timeline.edges_ns[-1])
        self._end_ns = max(end_ns - timeline.t0_ns, 1)
        stretches = -(-self._end_ns // (self._length_s * NS_PER_S))
        self._number = min(stretches, THROUGHPUT_INTERVALS_MAX)
        self._intended, self._sent, self._accepted, self._simulated, self._gone = np.zeros(
            (5, self._number), dtype=np.int64
        )
        self._late = np.zeros((self._number, BUCKETS >> _COARSE_BITS), dtype=np.uint32)
        self._late_max = np.full(self._number, np.iinfo(np.int64).min, dtype=np.int64)

    def add(self, samples: Samples) -> None:
        """Take in samples; every one has its fate."""
        intended, sent = column(samples, "intended_ns"), column(samples, "sent_ns")
        acked, seen = column(samples, "acked_ns"), column(samples, "seen_ns")
        at = self._stretches(intended)
        self._intended += self._count(at)
        self._sent += self._count(self._stretches(sent))
        self._add_late(at, sent - intended)
        answered = acked != 0
        accepted = answered & (samples["outcome"] == PushStatus.ACCEPTED)
        self._accepted += self._count(self._stretches(acked[accepted]))
        final = (seen != 0) & _is_final(samples)
        rejected = final & (samples["state"] >= State.STALE_DATA_ERROR)
        self._simulated += self._count(self._stretches(seen[final & ~rejected]))
        refused = answered & has_outcome(samples, SignalOutcome.REFUSED)
        left = np.where(final, seen, acked)[final | refused]
        self._gone += self._count(self._stretches(left))

    def intervals(self) -> tuple[ThroughputInterval, ...]:
        """What has been taken in so far, in order of time."""
        in_flight = np.cumsum(self._sent - self._gone)
        return tuple(
            ThroughputInterval(
                start_s=float(number * self._length_s),
                length_s=self._length_of(number),
                intended=int(self._intended[number]),
                sent=int(self._sent[number]),
                accepted=int(self._accepted[number]),
                simulated=int(self._simulated[number]),
                lateness_p99_ns=self._late_p99(number),
                lateness_max_ns=int(self._late_max[number]) if self._intended[number] else None,
                in_flight=int(in_flight[number]),
            )
            for number in range(self._number)
        )

    def _length_of(self, number: int) -> float:
        if number + 1 < THROUGHPUT_INTERVALS_MAX:
            return float(self._length_s)
        return max(float(self._length_s), self._end_ns / NS_PER_S - number * self._length_s)

    def _stretches(self, mono_ns: Values) -> Values:
        numbers: Values = (mono_ns - self._t0_ns) // (self._length_s * NS_PER_S)
        return np.clip(numbers, 0, self._number - 1)

    def _count(self, at: Values) -> NDArray[np.int64]:
        return np.bincount(at, minlength=self._number)

    def _add_late(self, at: Values, late: Values) -> None:
        np.maximum.at(self._late_max, at, late)
        place = bucket_index(np.clip(late, 0, LIMIT_NS - 1)) >> _COARSE_BITS
        np.add.at(self._late, (at, place), 1)

    def _late_p99(self, number: int) -> int | None:
        total = int(self._intended[number])
        if total < size_needed(99):
            return None
        sums = np.cumsum(self._late[number])
        place = int(np.searchsorted(sums, -(-99 * total // 100)))
        high = bucket_high_ns(((place + 1) << _COARSE_BITS) - 1)
        return min(high, int(self._late_max[number]))


def _is_final(samples: Samples) -> Mask:
    return has_outcome(
        samples, SignalOutcome.SIMULATED, SignalOutcome.REJECTED, SignalOutcome.RECOVERED
    )
