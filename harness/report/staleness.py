"""What became of the signals of agents that were held up, in a sentence for any report."""

from __future__ import annotations

from harness.analysis.faults.chain_feed_stall_figures import ChainFeedStallFigures
from harness.clock import NS_PER_S
from harness.formatting import format_count, format_duration_fixed


def format_staleness(one: ChainFeedStallFigures) -> str:
    """What became of the signals of agents that were held up, with the times from then on."""
    words = [
        f"agents held up at {one.at_s:.1f} s, at block {one.block}",
        f"followed by another block after {_seconds(one.followed_s)}",
        f"stale from {_seconds(one.stale_s)} on",
        f"first refused {_seconds(one.first_refused_s)}",
        f"last accepted {_seconds(one.last_accepted_s)}"
        f" ({_seconds(one.accepted_for_s)} after the block was followed,"
        f" {_seconds(one.within_s)} allowed)",
        f"{format_count(one.refused)} refused, {format_count(one.accepted)} accepted before they were"
        f" stale, {format_count(one.accepted_stale)} although they were",
    ]
    return "; ".join(words)


def _seconds(value: float | None) -> str:
    return format_duration_fixed(None if value is None else round(value * NS_PER_S))
