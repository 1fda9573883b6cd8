"""Throughput over time: signals intended, sent, accepted, simulated and in flight, by interval.

Memory is one row of counters for each interval, whatever the number of signals.
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

# A drain may be longer than the load; the last interval holds everything beyond.
THROUGHPUT_INTERVALS_MAX = 2 * INTERVALS_MAX
# 2^3 buckets of a histogram are one here: 4 us wide below 1 ms, 0.8 % above.
_COARSE_BITS = 3


@dataclass(frozen=True, slots=True)
class ThroughputInterval:
    """One time interval; each count is by its own kind of time.

    Attributes:
        start_s: seconds after t0.
        length_s: the last interval of a very long drain is longer than the others.
        intended: signals attempted, by their intended time.
        sent: the same, by their sending time.
        accepted: by the time of Redis's answer.
        simulated: by the time they were observed SIMULATED; unobserved ones are not counted.
        lateness_p99_ns: send lag of the signals intended here, up to 4 us or 0.8 % too large; None
            of too few.
        lateness_max_ns: None where none was intended.
        in_flight: at the end of the interval, those sent and neither observed final nor refused by
            Redis. Signals that are never observed final stay in it.
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
    """Accumulates `ThroughputInterval`s.

    Args:
        timeline: its length gives the length of an interval.
        end_ns: end of the observation, monotonic.
    """

    def __init__(self, timeline: Timeline, end_ns: int) -> None:
        self._t0_ns = timeline.t0_ns
        self._length_s = interval_length_s(timeline.edges_ns[-1])
        self._end_ns = max(end_ns - timeline.t0_ns, 1)
        intervals = -(-self._end_ns // (self._length_s * NS_PER_S))
        self._size = min(intervals, THROUGHPUT_INTERVALS_MAX)
        self._intended, self._sent, self._accepted, self._simulated, self._completed = np.zeros(
            (5, self._size), dtype=np.int64
        )
        self._late = np.zeros((self._size, BUCKETS >> _COARSE_BITS), dtype=np.uint32)
        self._late_max = np.full(self._size, np.iinfo(np.int64).min, dtype=np.int64)

    def add(self, samples: Samples) -> None:
        """Add samples with their outcomes."""
        intended, sent = column(samples, "intended_ns"), column(samples, "sent_ns")
        acked, seen = column(samples, "acked_ns"), column(samples, "seen_ns")
        at = self._intervals_of(intended)
        self._intended += self._count(at)
        self._sent += self._count(self._intervals_of(sent))
        self._add_late(at, sent - intended)
        answered = acked != 0
        accepted = answered & (samples["outcome"] == PushStatus.ACCEPTED)
        self._accepted += self._count(self._intervals_of(acked[accepted]))
        final = (seen != 0) & _is_final(samples)
        rejected = final & (samples["state"] >= State.STALE_DATA_ERROR)
        self._simulated += self._count(self._intervals_of(seen[final & ~rejected]))
        refused = answered & has_outcome(samples, SignalOutcome.REFUSED)
        completed_ns = np.where(final, seen, acked)[final | refused]
        self._completed += self._count(self._intervals_of(completed_ns))

    def intervals(self) -> tuple[ThroughputInterval, ...]:
        """All intervals, in order of time."""
        in_flight = np.cumsum(self._sent - self._completed)
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
            for number in range(self._size)
        )

    def _length_of(self, number: int) -> float:
        if number + 1 < THROUGHPUT_INTERVALS_MAX:
            return float(self._length_s)
        return max(float(self._length_s), self._end_ns / NS_PER_S - number * self._length_s)

    def _intervals_of(self, mono_ns: Values) -> Values:
        numbers: Values = (mono_ns - self._t0_ns) // (self._length_s * NS_PER_S)
        return np.clip(numbers, 0, self._size - 1)

    def _count(self, at: Values) -> NDArray[np.int64]:
        return np.bincount(at, minlength=self._size)

    def _add_late(self, at: Values, late: Values) -> None:
        np.maximum.at(self._late_max, at, late)
        bin_number = bucket_index(np.clip(late, 0, LIMIT_NS - 1)) >> _COARSE_BITS
        np.add.at(self._late, (at, bin_number), 1)

    def _late_p99(self, number: int) -> int | None:
        total = int(self._intended[number])
        if total < size_needed(99):
            return None
        sums = np.cumsum(self._late[number])
        bin_number = int(np.searchsorted(sums, -(-99 * total // 100)))
        high = bucket_high_ns(((bin_number + 1) << _COARSE_BITS) - 1)
        return min(high, int(self._late_max[number]))


def _is_final(samples: Samples) -> Mask:
    return has_outcome(
        samples, SignalOutcome.SIMULATED, SignalOutcome.REJECTED, SignalOutcome.RECOVERED
    )
