"""Settings of the agents that run in containers, in addition to the swarm."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Time = Annotated[float, Field(gt=0, le=3_600)]


class AgentContainers(BaseModel):
    """Containers of the strategy zone; `--agent-containers` sets their number.

    Attributes:
        at_least: the smallest number of agents for this scenario.
        shared_group: whether they share one consumer group on the chain events.
        think_s: time between reading and acknowledging a chain event.
        claim_after_s: pending time after which an event of another agent is claimed.
        claimed_within_s: time after the end of an agent within which all of its pending events
            have to be claimed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at_least: Annotated[int, Field(ge=0, le=100)] = 0
    shared_group: bool = False
    think_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    claim_after_s: _Time = 5.0
    claimed_within_s: _Time = 15.0

    @model_validator(mode="after")
    def _claims_abandoned_events_only(self) -> AgentContainers:
        if self.claim_after_s <= self.think_s:
            raise ValueError(
                "claim_after_s must be longer than think_s, or agents claim events in progress"
            )
        return self
