"""When data is too old: the Sync Sentinel's rule."""

from __future__ import annotations

from dataclasses import dataclass

from harness.clock import NS_PER_S

# Within this time each service that judges a signal has received a new block.
BLOCK_PROPAGATION_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class Sentinel:
    """When a signal has to be refused as stale.

    Attributes:
        block_ns: time between two blocks.
        lag_max: blocks that the head may be past a signal's.
        within_ns: time after a signal's block was followed by another one, within which signals
            that still name it have to be refused.
    """

    block_ns: int
    lag_max: int
    within_ns: int

    @classmethod
    def of(cls, block_s: float, lag_max: int, within_s: float | None = None) -> Sentinel:
        """From a scenario; without `within_s` it is the time that `lag_max` blocks take."""
        block_ns = round(block_s * NS_PER_S)
        within_ns = lag_max * block_ns if within_s is None else round(within_s * NS_PER_S)
        return cls(block_ns, lag_max, within_ns)

    @property
    def stale_after_ns(self) -> int:
        """The longest from the beginning of a feed stall until the data before it are stale."""
        return (self.lag_max + 1) * self.block_ns


# The specification's: 2 blocks of 12 s.
SENTINEL = Sentinel.of(12.0, 2)
