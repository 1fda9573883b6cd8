"""The values of a search: its plan, what it requests of a trial, and what a trial answers."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0, le=7 * 86_400)]
Share = Annotated[float, Field(gt=0, lt=1)]
Level = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Levels are multiples of a round number, about this part of the width asked for.
_STEPS_PER_WIDTH = 10


class Purpose(StrEnum):
    """Why a level is tried."""

    BRACKET = "bracket"
    BISECT = "bisect"
    CONFIRM_MET = "confirm_met"
    CONFIRM_BROKEN = "confirm_broken"

    @property
    def is_confirmation(self) -> bool:
        """Whether the trial tests on fresh data what earlier trials found."""
        return self in (Purpose.CONFIRM_MET, Purpose.CONFIRM_BROKEN)


class Answer(StrEnum):
    """What a trial says of its level."""

    MET = "met"
    BROKEN = "broken"
    UNDECIDED = "undecided"
    INVALID = "invalid"


class SearchPlan(BaseModel):
    """What is searched, how closely, and at what cost.

    Attributes:
        start: first level tried.
        minimum: no level below it is tried; above 0 where the width is relative.
        maximum: no level above it is tried.
        width: distance of the two bounds that ends the search; a share of the upper bound where it
            is relative, else an amount of the level.
        width_kind: `relative`, or `absolute` (a level that is a share itself).
        is_whole: levels are whole numbers, such as agents.
        trial_least_s: measured length of a trial before its first analysis.
        trial_most_s: measured length at which the longest trial ends undecided.
        extensions: how often an undecided level is tried again, each time twice as long, up to
            `trial_most_s`. A trial goes on by itself until it is decided, which costs less.
        confirmations: trials on fresh data that the lower bound has to meet, each of them.
        confirmation_s: measured length of each of them before its first analysis.
        confirmation_most_s: measured length at which it ends undecided.
        alpha: probability that a level is certified that does not meet the objectives, and that a
            trial breaks a level that meets them, 0..1.
        steering_alpha: probability that a trial before the confirmations meets a level that does
            not meet the objectives, 0..1; it costs trials, and certifies nothing.
        invalid_max: how often an INVALID trial is repeated at one level for one purpose.
        trials_max: trials after which the search ends, whatever they answered.
        headroom: operating rate as a share of the proven lower bound, 0..1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Level
    minimum: Level = 1.0
    maximum: Level = 1_000_000.0
    width: Share = 0.05
    width_kind: Literal["relative", "absolute"] = "relative"
    is_whole: bool = False
    trial_least_s: Seconds = 20.0
    trial_most_s: Seconds = 120.0
    extensions: Annotated[int, Field(ge=0, le=4)] = 0
    confirmations: Annotated[int, Field(ge=1, le=20)] = 3
    confirmation_s: Seconds = 60.0
    confirmation_most_s: Seconds = 240.0
    alpha: Share = 0.05
    steering_alpha: Share = 0.2
    invalid_max: Annotated[int, Field(ge=0, le=20)] = 2
    trials_max: Annotated[int, Field(ge=1, le=1_000)] = 60
    headroom: Annotated[float, Field(gt=0, le=1)] = 0.7

    @model_validator(mode="after")
    def _is_a_range(self) -> SearchPlan:
        if not self.minimum <= self.start <= self.maximum:
            raise ValueError(
                f"the start, {self.start:g}, must lie between the minimum, {self.minimum:g}, and"
                f" the maximum, {self.maximum:g}"
            )
        if self.minimum == 0 and self.width_kind == "relative":
            raise ValueError("the minimum must lie above 0 where the width is relative")
        if self.trial_least_s > self.trial_most_s:
            raise ValueError(
                f"the shortest trial, {self.trial_least_s:g} s, must not be longer than the"
                f" longest, {self.trial_most_s:g} s"
            )
        if self.confirmation_s > self.confirmation_most_s:
            raise ValueError(
                f"a confirmation of {self.confirmation_s:g} s must not be longer than the longest,"
                f" {self.confirmation_most_s:g} s"
            )
        if self.is_whole and any(
            level != int(level) for level in (self.start, self.minimum, self.maximum)
        ):
            raise ValueError("start, minimum and maximum must be whole numbers, as the levels are")
        return self

    def width_at(self, upper: float) -> float:
        """The width asked for, as an amount, below an upper bound; at least 1 for whole levels."""
        width = self.width * upper if self.width_kind == "relative" else self.width
        return max(1.0, width) if self.is_whole else width

    def is_narrow(self, lower: float, upper: float) -> bool:
        """Whether two bounds are as close as asked for."""
        return upper - lower <= self.width_at(upper) * (1 + 1e-9)

    def within(self, level: float) -> float:
        """A level in the range, a multiple of a round step where one lies near."""
        step = 10.0 ** math.floor(math.log10(self.width_at(max(level, 1e-9)) / _STEPS_PER_WIDTH))
        step = max(1.0, step) if self.is_whole else step
        # Steps below 1 are divided by their inverse, which is exact in binary.
        inverse = round(1 / step) if step < 1 else 1
        rounded = round(level * inverse) / inverse if step < 1 else round(level / step) * step
        return min(self.maximum, max(self.minimum, rounded))


class TrialRequest(BaseModel):
    """A trial that the search asks for.

    Attributes:
        number: from 1 on, over all trials of the search.
        level: of the axis that is searched.
        part: which of the confirmations of a level, from 1 on; 1 for other purposes.
        attempt: from 1 on; how often this part was asked for, INVALID trials included.
        length_s: measured length before the first analysis.
        until_decided_s: measured length at which it ends undecided; equal to `length_s` for a
            trial of fixed length.
        confidence: of the upper bound of each figure, which has to meet its objective for `met`.
        confidence_broken: of the lower bound of a figure, which breaks its objective for `broken`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    level: float
    purpose: Purpose
    part: int = 1
    attempt: int = 1
    length_s: float
    until_decided_s: float
    confidence: float
    confidence_broken: float


class TrialOutcome(BaseModel):
    """What one trial answered.

    Attributes:
        request: as it was asked for.
        is_backlog_stable: False where the backlog certainly grows, True where it was observed and
            does not; None where it was not observed.
        measured_s: measured length that it had.
        limit_ratio: largest figure over its limit, among the objectives; None without a figure.
            It decides nothing, but the estimate rests on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: TrialRequest
    answer: Answer
    is_backlog_stable: bool | None = None
    measured_s: float | None = None
    limit_ratio: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class EndReason(StrEnum):
    """Why a search ended."""

    FOUND = "found"
    UNDECIDED = "undecided"
    NEVER_MET = "never_met"
    NEVER_BROKEN = "never_broken"
    OUT_OF_TIME = "out_of_time"
    INTERRUPTED = "interrupted"
    TRIALS_EXHAUSTED = "trials_exhausted"
    TOO_MANY_INVALID = "too_many_invalid"


class SearchStatus(StrEnum):
    """How a search ended, in the words of a check."""

    PASS = "PASS"  # noqa: S105 - a status, not a password
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    FAIL = "FAIL"


class Bounds(BaseModel):
    """What the trials so far say of the capacity; None where nothing does.

    Attributes:
        proven_met: highest level whose confirmations were all met.
        met: highest level below `broken` that met its trial; at least `proven_met`.
        broken: lowest level that broke its trial, and that no confirmation refutes.
        confirmed_broken: lowest such level whose confirmation did not pass.
        stable: highest level with a stable backlog, below every level whose backlog grows.
        undecided: levels between the bounds whose trials stayed undecided, ascending.
        is_narrow: whether `proven_met` and `confirmed_broken` are as close as asked for.
        estimate: where the figures of all trials reach their limit, between `proven_met` (else
            `met`) and `broken`; their middle where no trial has figures.
        operating: level with headroom: a share of `proven_met`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    proven_met: float | None = None
    met: float | None = None
    broken: float | None = None
    confirmed_broken: float | None = None
    stable: float | None = None
    undecided: tuple[float, ...] = ()
    is_narrow: bool = False
    estimate: float | None = None
    operating: float | None = None


class SearchState(BaseModel):
    """Where a search is: the next trial, or its end.

    Attributes:
        bounds: what is known so far.
        request: next trial; None at the end.
        reason: why it ended; None before the end.
        status: PASS, INCONCLUSIVE, INVALID, or FAIL where no level meets the objectives; None
            before the end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bounds: Bounds
    request: TrialRequest | None = None
    reason: EndReason | None = None
    status: SearchStatus | None = None
