"""What all kinds of faults have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

TIMES_MAX = 1_000
Moment = Annotated[float, Field(ge=0, le=7 * 86_400)]
# No shorter: 0 ns would be a moment.
Length = Annotated[float, Field(ge=0.001, le=86_400)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class FaultBase(BaseModel):
    """What all kinds have in common.

    Attributes:
        target: the service concerned.
        at_s: seconds after the start of the measured phase; a number or several.
        every_s: from one time to the next, where `times` is more than one.
        times: how often, from each of `at_s` on.
        jitter_s: each time comes later by up to so much; how much follows from the seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    target: Name
    at_s: Annotated[tuple[Moment, ...], Field(min_length=1, max_length=TIMES_MAX, strict=False)]
    every_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    times: Annotated[int, Field(ge=1, le=TIMES_MAX)] = 1
    jitter_s: Annotated[float, Field(ge=0, le=3_600)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _one_moment_is_a_list_of_one(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("at_s"), (int, float)):
            return {**data, "at_s": [data["at_s"]]}
        return data

    @model_validator(mode="after")
    def _repeats_apart(self) -> FaultBase:
        if self.times > 1 and self.every_s == 0:
            raise ValueError("times is more than 1: say how far apart with every_s")
        if self.times == 1 and self.every_s > 0:
            raise ValueError("every_s means nothing without times")
        return self
