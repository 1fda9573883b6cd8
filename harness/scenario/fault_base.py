"""What all kinds of faults have in common: their parameters, and what the core asks of a kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.clock import NS_PER_S
from harness.scenario.sentinel import Sentinel

if TYPE_CHECKING:  # a scenario holds faults
    from harness.scenario.fault_registry import FaultSupport
    from harness.scenario.models import Scenario

TIMES_MAX = 1_000
Moment = Annotated[float, Field(ge=0, le=7 * 86_400)]
# No shorter: 0 ns would be a moment.
Length = Annotated[float, Field(ge=0.001, le=86_400)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


# How long a fault that is drawn at random lasts.
_DRAWN_LENGTH_S = (0.5, 4.0)


class TargetRule(Protocol):
    """Which services a kind can be aimed at."""

    @property
    def needs_agents(self) -> bool:
        """Whether only agents in containers of their own can be the target."""
        ...

    def find_problems(
        self, fault: FaultBase, scenario: Scenario, support: FaultSupport
    ) -> list[str]:
        """Why a fault of this kind cannot be aimed as it is; empty if it can."""
        ...

    def candidates(self, services: Sequence[str], support: FaultSupport) -> tuple[str, ...]:
        """The targets among these services from which one can be drawn at random, in order."""
        ...


class FaultBase(BaseModel):
    """What all kinds have in common; a kind is a model of its own, registered by `@fault`.

    The class variables are what the core asks of a kind instead of knowing its name.

    Class variables:
        targets: which services it can be aimed at; each kind declares it.
        disruptive: whether a service may well end because of it, and is started again.
        exits_target: whether it ends the target's own process, which counts as an exit.
        once: why a scenario has it once at most; empty where it may have several.
        drawn: whether a round of random faults may have it: `by_name` only where the kind is asked
            for, since not every host can have it.
        repeats_as_disturbance: whether it is a moment that makes up a lasting disturbance when it
            comes again and again.
        needs_own_disk: whether the target's data must lie on a file system of its own.
        steps_clock: whether the target must be started with a clock that can be set.
        evidence: files of the run's folder that it needs, besides `faults.jsonl`.
        checks: module with pairs of a function of the judge and the checks that it makes, loaded
            when a run is judged: `SIGNAL_CHECKS` of what became of signals, `CHECKS` of the fault
            itself. Empty where the checks of all faults are enough.
        stalls_feed: whether agents act on an old view of the chain because of it, so that their
            signals have to be refused.
        unsupported_reasons: why a stack cannot have it, where that needs an explanation.

    Attributes:
        kind: the name that the kind is registered by; each model declares it as a literal.
        target: the service concerned.
        at_s: seconds after the start of the measured phase; a number or several.
        every_s: from one time to the next, where `times` is more than one.
        times: how often, from each of `at_s` on.
        jitter_s: each time comes later by up to so much; how much follows from the seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    targets: ClassVar[TargetRule]
    disruptive: ClassVar[bool] = False
    exits_target: ClassVar[bool] = False
    once: ClassVar[str] = ""
    drawn: ClassVar[Literal["always", "by_name", "never"]] = "never"
    repeats_as_disturbance: ClassVar[bool] = False
    needs_own_disk: ClassVar[bool] = False
    steps_clock: ClassVar[bool] = False
    evidence: ClassVar[frozenset[str]] = frozenset()
    checks: ClassVar[str] = ""
    stalls_feed: ClassVar[bool] = False
    unsupported_reasons: ClassVar[Mapping[str, str]] = {}

    if TYPE_CHECKING:  # a field of each model, which follows the common ones in a file
        kind: str
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
            raise ValueError("times is more than 1: every_s is needed, the time between them")
        if self.times == 1 and self.every_s > 0:
            raise ValueError("every_s means nothing without times")
        return self

    @classmethod
    def lasts(cls) -> bool:
        """Whether a scenario sets how long a fault of this kind lasts."""
        return "for_s" in cls.model_fields

    @property
    def length_ns(self) -> int:
        """How long the fault lasts; 0 where it is a moment."""
        return round(float(getattr(self, "for_s", 0.0)) * NS_PER_S)

    @property
    def second_target(self) -> str:
        """The other service, of a fault between two; empty for the others."""
        return ""

    def renamed(self, rename: Callable[[str], str]) -> Self:
        """The same fault with other names of its services."""
        return self.model_copy(update={"target": rename(self.target)})

    def find_misfit(self, sentinel: Sentinel) -> str:
        """Why the fault would show nothing on a chain with this rule; empty if it would."""
        del sentinel  # few kinds depend on the chain
        return ""

    @classmethod
    def draw(cls, chance: random.Random, room_s: float) -> dict[str, Any]:
        """Its parameters for a round of random faults.

        Args:
            chance: the source; the same draws follow from the same seed.
            room_s: the longest it may last.
        """
        return {"for_s": draw_length(chance, room_s)} if cls.lasts() else {}


def draw_length(
    chance: random.Random, room_s: float, length_s: tuple[float, float] = _DRAWN_LENGTH_S
) -> float:
    """A length in seconds between two limits and not beyond `room_s`."""
    shortest_s, longest_s = length_s
    return round(chance.uniform(min(shortest_s, room_s), min(longest_s, room_s)), 3)
