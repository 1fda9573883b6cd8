"""How an objective stands in a scenario: as its text, or as a table that may end a run early."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from harness.scenario.objective import Objective, parse_objective


def _readable(text: str) -> str:
    parse_objective(text)
    return text


ObjectiveText = Annotated[str, AfterValidator(_readable)]


class SLO(BaseModel):
    """An objective with what follows when it fails while the run is under way.

    Attributes:
        abort_on_fail: whether the load ends early when it fails.
        abort_delay_s: seconds after the warm-up before it is looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    objective: ObjectiveText
    abort_on_fail: bool = False
    abort_delay_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0

    @model_validator(mode="after")
    def _can_be_watched(self) -> SLO:
        if not self.abort_on_fail:
            if self.abort_delay_s:
                raise ValueError("abort_delay_s means nothing without abort_on_fail = true")
            return self
        objective = self.parsed
        told_late = objective.stage is not None or objective.outside_faults
        if not objective.is_latency_percentile or told_late:
            raise ValueError(
                f"abort_on_fail watches percentiles and max of latency, not {objective.text!r}"
            )
        return self

    @property
    def parsed(self) -> Objective:
        """The objective as a value."""
        return parse_objective(self.objective)


def _form(given: Any) -> str:
    return "table" if isinstance(given, (dict, SLO)) else "text"


ObjectiveEntry = Annotated[
    Annotated[ObjectiveText, Tag("text")] | Annotated[SLO, Tag("table")],
    Discriminator(_form),
]


def parse_slo(entry: str | SLO) -> SLO:
    """An entry of `objectives`, whichever way it is written."""
    return entry if isinstance(entry, SLO) else SLO(objective=entry)
