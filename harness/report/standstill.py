"""What became of the signals of agents that were held up, in a sentence for any report."""

from __future__ import annotations

from harness.clock import NS_PER_S
from harness.measure.standstill_figures import StandstillFigures
from harness.report.units import count_text, duration_text


def standstill_words(one: StandstillFigures) -> str:
    """What became of the signals of agents that were held up, with the times from then on."""
    words = [
        f"agents held up at {one.at_s:.1f} s, at block {one.block}",
        f"followed by another block after {_seconds(one.followed_s)}",
        f"stale from {_seconds(one.stale_s)} on",
        f"first refused {_seconds(one.first_refused_s)}",
        f"last accepted {_seconds(one.last_accepted_s)}"
        f" ({_seconds(one.accepted_for_s)} after the block was followed,"
        f" {_seconds(one.within_s)} allowed)",
        f"{count_text(one.refused)} refused, {count_text(one.accepted)} accepted before they were"
        f" stale, {count_text(one.accepted_stale)} although they were",
    ]
    return "; ".join(words)


def _seconds(value: float | None) -> str:
    return duration_text(None if value is None else round(value * NS_PER_S))
