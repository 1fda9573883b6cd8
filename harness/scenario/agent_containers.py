"""Settings of Zone A's own agents, which run in addition to the swarm, and of their scale-out."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.clock import NS_PER_S

AGENTS_MAX = 100
_Time = Annotated[float, Field(gt=0, le=3_600)]
_Agents = Annotated[int, Field(ge=0, le=AGENTS_MAX)]


class ScaleStep(BaseModel):
    """A change of the number of agents during the load.

    Attributes:
        at_s: time after the start of the measured phase.
        agents: how many run afterwards.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at_s: Annotated[float, Field(ge=0, le=7 * 86_400)]
    agents: _Agents

    @property
    def at_ns(self) -> int:
        """The same time in nanoseconds."""
        return round(self.at_s * NS_PER_S)


class AgentContainers(BaseModel):
    """Agents of the strategy zone; `--agent-containers` sets their number on containers.

    Attributes:
        agents: their number at the start, unless the option sets another one.
        at_least: the smallest number of agents for this scenario.
        rate: signals per second of each agent, which are not part of the measured load.
        shared_group: whether they share one consumer group on the chain events.
        think_s: time between reading and acknowledging a chain event.
        claim_after_s: pending time after which an event of another agent is claimed.
        claimed_within_s: time after the end of an agent within which all of its pending events
            have to be claimed.
        steps: scale-out and scale-in during the load, in the order of time.
        scaled_within_s: time within which a step has to be complete.
        served_within_s: time after its start within which a new agent has to have an event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    agents: _Agents = 0
    at_least: _Agents = 0
    rate: Annotated[float, Field(ge=0, le=1_000)] = 0.0
    shared_group: bool = False
    think_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    claim_after_s: _Time = 5.0
    claimed_within_s: _Time = 15.0
    steps: Annotated[tuple[ScaleStep, ...], Field(max_length=50, strict=False)] = ()
    scaled_within_s: _Time = 60.0
    served_within_s: _Time = 10.0

    @model_validator(mode="after")
    def _claims_abandoned_events_only(self) -> AgentContainers:
        if self.claim_after_s <= self.think_s:
            raise ValueError(
                "claim_after_s must be longer than think_s, or agents claim events in progress"
            )
        return self

    @model_validator(mode="after")
    def _steps_can_be_observed(self) -> AgentContainers:
        if self.steps and not (self.shared_group and self.think_s >= THINK_MIN_S):
            raise ValueError(
                "steps need shared_group = true and think_s >= "
                f"{THINK_MIN_S:g}: which agent reads an event is seen while the event is pending"
            )
        if self.steps and not self.agents:
            raise ValueError("steps need agents: how many run at the start")
        if any(later.at_s <= earlier.at_s for earlier, later in pairwise(self.steps)):
            raise ValueError("the steps must be in the order of their at_s")
        return self


# The group's pending events are sampled every 0.25 s; an event has to be in two samples.
THINK_MIN_S = 0.5
