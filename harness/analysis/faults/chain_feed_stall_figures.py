"""The figures of one stall of the agents' chain feed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ChainFeedStallFigures(BaseModel):
    """One planned feed stall; times are seconds after its injection, None for what never happened.

    Attributes:
        at_s: when it was injected, seconds after t0.
        block: the newest block that the agents' signals name during the stall.
        followed_s: when the chain reported the block after that one: from then on data are old.
        stale_s: when its head was too far past, so that every signal had to be refused.
        first_refused_s: sending of the first signal refused as stale.
        last_accepted_s: sending of the last signal that was simulated before the agents went on.
        refused: signals refused as stale, with reason.
        accepted: signals simulated meanwhile, while their data were not yet too old.
        accepted_stale: signals simulated although they had to be refused.
        within_s: within so many seconds after `followed_s` stale data have to be refused.
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
        """How long old data were still accepted; None if none were."""
        last_s, followed_s = self.last_accepted_s, self.followed_s
        if last_s is None or followed_s is None or last_s < followed_s:
            return None
        return last_s - followed_s
