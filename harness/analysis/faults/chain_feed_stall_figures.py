"""Figures of a stall of the agents' chain feed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ChainFeedStallFigures(BaseModel):
    """One planned stall; times are seconds after its injection, None for missing events.

    Attributes:
        at_s: when it was injected, seconds after t0.
        block: newest block that the agents' signals name during the stall.
        followed_s: when the chain reported the next block; from then on the agents' data lag.
        stale_s: when the head was too far ahead, so that every signal had to be rejected.
        first_refused_s: sending time of the first signal rejected as stale.
        last_accepted_s: sending time of the last signal simulated before the agents recovered.
        refused: signals correctly rejected as stale.
        accepted: signals simulated while their data were not yet too old.
        accepted_stale: signals simulated although they had to be rejected.
        within_s: time after `followed_s` within which lagging data have to be rejected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_s: float
    block: int | None
    followed_s: float | None
    stale_s: float | None
    first_refused_s: float | None
    last_accepted_s: float | None
    refused: int
    accepted: int
    accepted_stale: int
    within_s: float

    @property
    def accepted_for_s(self) -> float | None:
        """How long lagging data were still accepted; None if none were."""
        last_s, followed_s = self.last_accepted_s, self.followed_s
        if last_s is None or followed_s is None or last_s < followed_s:
            return None
        return last_s - followed_s
