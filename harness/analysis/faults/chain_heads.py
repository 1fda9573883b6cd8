"""The position of the chain's head over time, by the events of the chain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.evidence.records import HEAD, read_records

Blocks = NDArray[np.int64]
Moments = NDArray[np.int64]

# Later than any event. Sums with it do not overflow.
NEVER_MS = 1 << 60


@dataclass(frozen=True, slots=True)
class ChainHeads:
    """The chain's height, event by event, by Redis's clock.

    Attributes:
        redis_ms: when each event was added, in order.
        height: the highest block reported until then.
    """

    redis_ms: Moments
    height: Blocks

    @classmethod
    def of(cls, redis_ms: Moments, blocks: Blocks) -> ChainHeads:
        """From events in the order of the stream; a repeated or late block has no effect."""
        return cls(redis_ms, np.maximum.accumulate(blocks) if len(blocks) else blocks)

    def beyond_ms(self, blocks: Blocks) -> Moments:
        """When the head first was past each of these blocks; NEVER_MS if it never was."""
        at = np.searchsorted(self.height, blocks, side="right")
        known = np.append(self.redis_ms, NEVER_MS)
        found: Moments = known[at]
        return found


def read_chain_heads(path: Path) -> ChainHeads | None:
    """The heads of a run; None if it kept none.

    Raises:
        EvidenceError: the file cannot be read.
    """
    if not path.exists():
        return None
    records, _ = read_records(path, HEAD)
    return ChainHeads.of(records["redis_ms"].astype(np.int64), records["block"].astype(np.int64))
