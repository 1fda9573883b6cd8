"""Signals whose data lagged the chain's head, and whether the engine had to reject them.

A signal names the newest block that its agent had seen. The ids that Redis gave to signals and
chain events show, without any other clock, where the head was when Redis received the signal. The
engine read it later, when the head had perhaps gone on. So

- a signal *had to be rejected* if the head was more than `lag_max` blocks past its block when Redis
  received it, and had been so for the time that a block takes to spread;
- it *may* have been rejected rightly if the head was that far past when its outcome was seen.

Only while a planned fault stalls the agents' chain feed does either exclude it from the objectives
of ordinary signals. That the engine must not simulate what had to be rejected holds always.
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
    """A planned stall of the agents' chain feed; monotonic times, None for what never happened.

    Attributes:
        begin_ns: when the feed stalled.
        healed_ns: when it was resumed.
        end_ns: when it was seen to be resumed.
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
class _Ages:
    """Of some samples, when the head was past them.

    Attributes:
        received_ms: when Redis received them; 0 where it is not known.
        followed_ms: when the head was past their block.
        stale_ms: when it was too far past.
    """

    received_ms: Moments
    followed_ms: Moments
    stale_ms: Moments


class HeadLagAnalyzer:
    """Marks samples that were rightly rejected, and records those that were wrongly simulated.

    Args:
        heads: of the chain; without them nothing is judged.
        clock: Redis's clock; without it nothing is judged.
        sentinel: the rule.
        faults: what became of each fault.
        notes: where what must not be goes.
        end_ns: when the watching ended.
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
        """Whether it is known where the head was."""
        return self._heads is not None and self._clock is not None

    def annotate(self, samples: Samples) -> None:
        """Set `stale` of samples that a planned fault excuses, before they are counted."""
        if self._heads is None or self._clock is None or len(samples) == 0:
            return
        ages = self._ages(self._heads, samples)
        state, ordinary = samples["state"], samples["stale"] == Staleness.NO
        known = ordinary & (ages.received_ms > 0)
        due = known & (ages.received_ms >= ages.stale_ms + _PROPAGATION_MS)
        simulated = state == State.SIMULATED
        self._notes.slots(Anomaly.HEAD_LAG_SIMULATED, samples["slot"][due & simulated])
        misjudged = due & (state > State.STALE_DATA_ERROR)
        self._notes.slots(Anomaly.HEAD_LAG_MISJUDGED, samples["slot"][misjudged])
        within_ms = self._sentinel.within_ns // NS_PER_MS
        late = known & ~due & (ages.received_ms >= ages.followed_ms + within_ms + _PROPAGATION_MS)
        forbidden = due | late
        refused = ordinary & (state == State.STALE_DATA_ERROR)
        rightly = refused & (forbidden | self._was_stale_by_its_end(ages.stale_ms, samples))
        sent = column(samples, "sent_ns")
        for one in self.stalls:
            inside = ordinary & (sent >= one.begin_ns) & (sent <= one.end_ns)
            self._notes.slots(Anomaly.HEAD_LAG_TOO_LONG, samples["slot"][inside & late & simulated])
            still = inside & (sent <= one.healed_ns)
            _count(one, samples[still], rightly[still], simulated[still], forbidden[still])
            samples["stale"][inside & (forbidden | rightly)] = Staleness.HEAD_LAG

    def figures(self, t0_ns: int) -> tuple[ChainFeedStallFigures, ...]:
        """The figures of each stall, once every sample is marked."""
        return tuple(self._figures(one, t0_ns) for one in self.stalls)

    def _ages(self, heads: ChainHeads, samples: Samples) -> _Ages:
        block = column(samples, "sync_block").astype(np.int64)
        return _Ages(
            received_ms=entry_time_ms(column(samples, "entry")),
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
    one: ChainFeedStall, samples: Samples, rightly: Mask, simulated: Mask, forbidden: Mask
) -> None:
    """Count the signals that were sent during a stall."""
    if len(samples) == 0:
        return
    sent = samples["sent_ns"]
    one.block = max(int(samples["sync_block"].max()), one.block or 0)
    one.refused += int(rightly.sum())
    one.accepted += int((simulated & ~forbidden).sum())
    one.accepted_stale += int((simulated & forbidden).sum())
    if rightly.any():
        first_ns = int(sent[rightly].min())
        one.first_refused_ns = min(first_ns, one.first_refused_ns or first_ns)
    if simulated.any():
        one.last_accepted_ns = max(int(sent[simulated].max()), one.last_accepted_ns or 0)
