"""Height of the chain over time, from the events of the chain."""

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
        height: highest block reported until then.
    """

    redis_ms: Moments
    height: Blocks

    @classmethod
    def of(cls, redis_ms: Moments, blocks: Blocks) -> ChainHeads:
        """From events in stream order; a repeated or late block does not change the height."""
        return cls(redis_ms, np.maximum.accumulate(blocks) if len(blocks) else blocks)

    def beyond_ms(self, blocks: Blocks) -> Moments:
        """When the head first exceeded each of these blocks; NEVER_MS if it never did."""
        at = np.searchsorted(self.height, blocks, side="right")
        known = np.append(self.redis_ms, NEVER_MS)
        found: Moments = known[at]
        return found


def read_chain_heads(path: Path) -> ChainHeads | None:
    """The heads of a run; None without the file.

    Raises:
        EvidenceError: the file cannot be read.
    """
    if not path.exists():
        return None
    records, _ = read_records(path, HEAD)
    return ChainHeads.of(records["redis_ms"].astype(np.int64), records["block"].astype(np.int64))
