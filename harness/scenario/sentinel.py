"""When data is too old: the Sync Sentinel's rule, and what a fault needs that is to break it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.scenario.fault import Fault, length_ns

# Within this time whoever judges a signal has heard of a new block.
BLOCK_PROPAGATION_NS = NS_PER_S
# Kinds by which somebody falls behind the chain.
_STALENESS_KINDS = frozenset({"feed_stall", "rpc_stale"})


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
        """From a scenario's words; without `within_s` it is the time that `lag_max` blocks take."""
        block_ns = round(block_s * NS_PER_S)
        within_ns = lag_max * block_ns if within_s is None else round(within_s * NS_PER_S)
        return cls(block_ns, lag_max, within_ns)

    @property
    def stale_after_ns(self) -> int:
        """The longest from a standstill until what was seen before it is stale."""
        return (self.lag_max + 1) * self.block_ns


# The specification's: 2 blocks of 12 s.
SENTINEL = Sentinel.of(12.0, 2)


def find_too_short(faults: Sequence[Fault], sentinel: Sentinel) -> list[str]:
    """Standstills that end before anything is stale, and so would show nothing."""
    # What is stale has to be refused when the news of it have spread, and some signals must be.
    least_ns = sentinel.stale_after_ns + 2 * BLOCK_PROPAGATION_NS
    return [
        f"fault.{place}: {fault.kind} of {length_ns(fault) / NS_PER_S:g} s is too short to show"
        f" anything: with blocks of {sentinel.block_ns / NS_PER_S:g} s and a lag of"
        f" {sentinel.lag_max} it takes {least_ns / NS_PER_S:g} s"
        for place, fault in enumerate(faults)
        if fault.kind in _STALENESS_KINDS and length_ns(fault) < least_ns
    ]
