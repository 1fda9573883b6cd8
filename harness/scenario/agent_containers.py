"""What a scenario asks of the agents that run in containers beside the swarm."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Time = Annotated[float, Field(gt=0, le=3_600)]


class AgentContainers(BaseModel):
    """Containers of the strategy zone; how many there are says `--agent-containers`.

    Attributes:
        at_least: with fewer the scenario means nothing.
        shared_group: whether they share one consumer group on the chain events.
        think_s: how long an agent keeps a chain event before it acknowledges it.
        claim_after_s: how long an event of another agent is pending before it is claimed.
        claimed_within_s: how long after its end nothing may be pending for an agent any more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at_least: Annotated[int, Field(ge=0, le=100)] = 0
    shared_group: bool = False
    think_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    claim_after_s: _Time = 5.0
    claimed_within_s: _Time = 15.0

    @model_validator(mode="after")
    def _nobody_is_robbed(self) -> AgentContainers:
        if self.claim_after_s <= self.think_s:
            raise ValueError(
                "claim_after_s must be longer than think_s, or agents take from those at work"
            )
        return self
