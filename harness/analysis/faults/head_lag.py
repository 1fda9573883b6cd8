"""Signals whose data lagged behind the chain's head, and whether the engine handles them right.

A signal names the newest block that its agent knew. The entry ids of signals and chain events are
times of one clock, Redis's, so the head at the time Redis accepted the signal is known exactly. The
engine processed the signal later, when the head may have advanced. Therefore

- a signal *must be rejected* if the head was more than `lag_max` blocks ahead when Redis accepted
  it, and had been so for the propagation time of a block;
- it *may* be rejected if the head was that far ahead when its final state was observed.

Either excuses a signal from the objectives of ordinary signals only during a planned stall of the
agents' chain feed. The engine must never simulate a signal that must be rejected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.clock_map import ClockMap
from harness.analysis.entry_ids import entry_time_ms
from harness.analysis.faults.chain_feed_stall_figures import ChainFeedStallFigures
from harness.analysis.faults.chain_heads import NEVER_MS, ChainHeads, Moments
from harness.analysis.samples import Mask, Samples, Staleness, column
from harness.clock import NS_PER_MS, NS_PER_S
from harness.contract.names import State
from harness.evidence.fault_log import FaultRecord
from harness.scenario.fault_registry import kinds_where
from harness.scenario.sentinel import BLOCK_PROPAGATION_NS, Sentinel

_PROPAGATION_MS = BLOCK_PROPAGATION_NS // NS_PER_MS
_US_PER_MS = 1_000


@dataclass(slots=True)
class ChainFeedStall:
    """A planned stall of the agents' chain feed; monotonic times, None for events without one.

    Attributes:
        begin_ns: start of the stall.
        healed_ns: when the injector ended it.
        end_ns: when its end was proven, and the propagation time of a block.
    """

    begin_ns: int
    healed_ns: int
    end_ns: int
    block: int | None = None
    first_refused_ns: int | None = None
    last_accepted_ns: int | None = None
    refused: int = 0
    accepted: int = 0
    accepted_stale: int = 0


@dataclass(frozen=True, slots=True)
class _HeadTimes:
    """Times of samples by Redis's clock.

    Attributes:
        accepted_ms: when Redis accepted them; 0 where it is not known.
        followed_ms: when the head exceeded their block.
        stale_ms: when it exceeded their block by more than `lag_max`.
    """

    accepted_ms: Moments
    followed_ms: Moments
    stale_ms: Moments


class HeadLagAnalyzer:
    """Marks samples that were rejected correctly, and logs those that were simulated wrongly.

    Args:
        heads: of the chain; without them nothing is analyzed.
        clock: Redis's clock; without it nothing is analyzed.
        sentinel: the rule for stale signals.
        faults: records of the faults.
        notes: receives the anomalies.
        end_ns: end of the observation.
    """

    def __init__(
        self,
        heads: ChainHeads | None,
        clock: ClockMap | None,
        sentinel: Sentinel,
        faults: Iterable[FaultRecord],
        notes: AnomalyLog,
        end_ns: int,
    ) -> None:
        self._heads = heads
        self._clock = clock
        self._sentinel = sentinel
        self._notes = notes
        self._end_ns = end_ns
        stalling = kinds_where(lambda kind: kind.stalls_feed)
        self.stalls = tuple(
            ChainFeedStall(
                one.injected_ns,
                one.healed_ns or end_ns,
                (one.heal_proven_ns or end_ns) + BLOCK_PROPAGATION_NS,
            )
            for one in faults
            if one.kind in stalling and one.injected_ns is not None
        )

    @property
    def can_judge(self) -> bool:
        """Whether the heads and the clock are known."""
        return self._heads is not None and self._clock is not None

    def annotate(self, samples: Samples) -> None:
        """Set `stale` of samples that a planned fault excuses, before they are counted."""
        if self._heads is None or self._clock is None or len(samples) == 0:
            return
        times = self._head_times(self._heads, samples)
        state, ordinary = samples["state"], samples["stale"] == Staleness.NO
        known = ordinary & (times.accepted_ms > 0)
        due = known & (times.accepted_ms >= times.stale_ms + _PROPAGATION_MS)
        simulated = state == State.SIMULATED
        self._notes.slots(Anomaly.HEAD_LAG_SIMULATED, samples["slot"][due & simulated])
        misjudged = due & (state > State.STALE_DATA_ERROR)
        self._notes.slots(Anomaly.HEAD_LAG_MISJUDGED, samples["slot"][misjudged])
        within_ms = self._sentinel.within_ns // NS_PER_MS
        late = known & ~due & (times.accepted_ms >= times.followed_ms + within_ms + _PROPAGATION_MS)
        must_reject = due | late
        refused = ordinary & (state == State.STALE_DATA_ERROR)
        justified = refused & (must_reject | self._was_stale_by_its_end(times.stale_ms, samples))
        sent = column(samples, "sent_ns")
        for one in self.stalls:
            inside = ordinary & (sent >= one.begin_ns) & (sent <= one.end_ns)
            self._notes.slots(Anomaly.HEAD_LAG_TOO_LONG, samples["slot"][inside & late & simulated])
            during = inside & (sent <= one.healed_ns)
            _count(one, samples[during], justified[during], simulated[during], must_reject[during])
            samples["stale"][inside & (must_reject | justified)] = Staleness.HEAD_LAG

    def figures(self, t0_ns: int) -> tuple[ChainFeedStallFigures, ...]:
        """Figures of each stall, after the last sample."""
        return tuple(self._figures(one, t0_ns) for one in self.stalls)

    def _head_times(self, heads: ChainHeads, samples: Samples) -> _HeadTimes:
        block = column(samples, "sync_block").astype(np.int64)
        return _HeadTimes(
            accepted_ms=entry_time_ms(column(samples, "entry")),
            followed_ms=heads.beyond_ms(block),
            stale_ms=heads.beyond_ms(block + self._sentinel.lag_max),
        )

    def _was_stale_by_its_end(self, stale_ms: Moments, samples: Samples) -> Mask:
        seen = column(samples, "seen_ns")
        final_ns = np.where(seen != 0, seen, self._end_ns)
        known = stale_ms != NEVER_MS
        mask: Mask = known & (self._mono_ns(np.where(known, stale_ms, 0)) <= final_ns)
        return mask

    def _figures(self, one: ChainFeedStall, t0_ns: int) -> ChainFeedStallFigures:
        followed_ns = stale_ns = None
        if one.block is not None:
            followed_ns = self._beyond_ns(one.block)
            stale_ns = self._beyond_ns(one.block + self._sentinel.lag_max)

        def since(when_ns: int | None) -> float | None:
            return None if when_ns is None else (when_ns - one.begin_ns) / NS_PER_S

        return ChainFeedStallFigures(
            at_s=(one.begin_ns - t0_ns) / NS_PER_S,
            block=one.block,
            followed_s=since(followed_ns),
            stale_s=since(stale_ns),
            first_refused_s=since(one.first_refused_ns),
            last_accepted_s=since(one.last_accepted_ns),
            refused=one.refused,
            accepted=one.accepted,
            accepted_stale=one.accepted_stale,
            within_s=self._sentinel.within_ns / NS_PER_S,
        )

    def _beyond_ns(self, block: int) -> int | None:
        if self._heads is None:
            return None
        when = self._heads.beyond_ms(np.array([block], dtype=np.int64))
        return None if when[0] == NEVER_MS else int(self._mono_ns(when)[0])

    def _mono_ns(self, redis_ms: Moments) -> Moments:
        if self._clock is None:
            return np.zeros(len(redis_ms), dtype=np.int64)
        return self._clock.mono_ns(redis_ms * _US_PER_MS)


def _count(
    one: ChainFeedStall, samples: Samples, justified: Mask, simulated: Mask, must_reject: Mask
) -> None:
    """Count the signals sent during a stall."""
    if len(samples) == 0:
        return
    sent = samples["sent_ns"]
    one.block = max(int(samples["sync_block"].max()), one.block or 0)
    one.refused += int(justified.sum())
    one.accepted += int((simulated & ~must_reject).sum())
    one.accepted_stale += int((simulated & must_reject).sum())
    if justified.any():
        first_ns = int(sent[justified].min())
        one.first_refused_ns = min(first_ns, one.first_refused_ns or first_ns)
    if simulated.any():
        one.last_accepted_ns = max(int(sent[simulated].max()), one.last_accepted_ns or 0)
