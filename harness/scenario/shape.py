"""Shapes of a load, `[load.shape]`: each is short for a list of stages.

A shape is replaced by its stages when a scenario is read, so nothing else knows shapes. The
evidence of a run has the stages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from harness.contract.trace_id import AGENT_MAX
from harness.errors import EvidenceError
from harness.scenario.load import Rate, Seconds
from harness.scenario.rate_curve import STAGES_MAX, read_rate_curve

# Shorter parts are no load, and their number would be beyond every limit.
_PartSeconds = Annotated[float, Field(ge=0.001, le=7 * 86_400)]
Agents = Annotated[int, Field(ge=1, le=AGENT_MAX + 1)]


def _as_list(given: object) -> object:
    return given if isinstance(given, (list, tuple)) else (given,)


class _Piece(NamedTuple):
    """A stage without its agents; rates in signals/s."""

    name: str
    rate_from: float
    rate_to: float
    duration_s: float


class _Shape(BaseModel):
    """What every shape has.

    Attributes:
        agents: in every stage, or one number for each stage.
        rate_per_agent: signals/s of one agent; each stage has as many agents as its highest rate
            needs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    agents: Annotated[tuple[Agents, ...], Field(strict=False), BeforeValidator(_as_list)] | None = (
        None
    )
    rate_per_agent: Annotated[float, Field(gt=0, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _has_agents(self) -> _Shape:
        if (self.agents is None) == (self.rate_per_agent is None):
            raise ValueError("write either agents or rate_per_agent")
        return self

    def pieces(self, folder: Path) -> Sequence[_Piece]:
        """The stages; `folder` is that of the scenario."""
        raise NotImplementedError

    def stages(self, folder: Path) -> list[dict[str, Any]]:
        """The stages as tables of a scenario.

        Args:
            folder: of the scenario, in which a recorded curve lies.

        Raises:
            ValueError: the agents do not fit the stages, or the curve has an error.
            EvidenceError: the file of the curve is not read.
            OSError: the same.
        """
        pieces = self.pieces(folder)
        agents = self._agents_of(pieces)
        return [
            {**piece._asdict(), "agents": count}
            for piece, count in zip(pieces, agents, strict=True)
        ]

    def _agents_of(self, pieces: Sequence[_Piece]) -> Sequence[int]:
        if self.rate_per_agent is not None:
            highest = (max(piece.rate_from, piece.rate_to) for piece in pieces)
            return [max(1, math.ceil(round(rate / self.rate_per_agent, 9))) for rate in highest]
        agents = self.agents or ()
        if len(agents) == 1:
            return agents * len(pieces)
        if len(agents) != len(pieces):
            raise ValueError(
                f"agents: {len(agents)} numbers for {len(pieces)} stages; write one number, or"
                " one for each stage"
            )
        return agents


class Step(_Shape):
    """Constant rates, one after the other."""

    kind: Literal["step"]
    rates: Annotated[tuple[Rate, ...], Field(min_length=1, max_length=STAGES_MAX, strict=False)]
    step_s: Seconds

    def pieces(self, folder: Path) -> Sequence[_Piece]:
        """A stage for each rate."""
        del folder
        return [
            _Piece(f"step-{number}", rate, rate, self.step_s)
            for number, rate in enumerate(self.rates, 1)
        ]


class Ramp(_Shape):
    """A straight line from one rate to another, in equal parts."""

    kind: Literal["ramp"]
    rate_from: Rate
    rate_to: Rate
    duration_s: Seconds
    parts: Annotated[int, Field(ge=1, le=STAGES_MAX)] = 1

    def pieces(self, folder: Path) -> Sequence[_Piece]:
        """A stage for each part, in which the number of agents stays the same."""
        del folder
        points = [number / self.parts for number in range(self.parts + 1)]
        rates = [self.rate_from + (self.rate_to - self.rate_from) * point for point in points]
        return _lines("ramp", [point * self.duration_s for point in points], rates)


class Spike(_Shape):
    """A sudden high rate between two times at the ordinary rate."""

    kind: Literal["spike"]
    rate: Rate
    peak_rate: Rate
    before_s: Seconds
    spike_s: Seconds
    after_s: Seconds

    def pieces(self, folder: Path) -> Sequence[_Piece]:
        """The stages `before`, `spike` and `after`."""
        del folder
        return [
            _Piece("before", self.rate, self.rate, self.before_s),
            _Piece("spike", self.peak_rate, self.peak_rate, self.spike_s),
            _Piece("after", self.rate, self.rate, self.after_s),
        ]


class Soak(_Shape):
    """One rate for a long time; each part is a stage, so that its percentiles are reported."""

    kind: Literal["soak"]
    rate: Rate
    duration_s: Seconds
    part_s: _PartSeconds = 600.0

    def pieces(self, folder: Path) -> Sequence[_Piece]:
        """A stage for each part; the last one may be shorter."""
        del folder
        count = math.ceil(round(self.duration_s / self.part_s, 9))
        if count > STAGES_MAX:
            raise ValueError(f"part_s: {count:,} parts are more than {STAGES_MAX:,}")
        edges = [*(number * self.part_s for number in range(count)), self.duration_s]
        return _lines("part", edges, [self.rate] * len(edges))


class Sine(_Shape):
    """A rate that goes up and down as in the course of a day; it begins at the minimum.

    Attributes:
        parts: straight lines of each period. With 24 the rate is off by 0.9 % of the amplitude at
            most: 1 - cos(pi / 24).
    """

    kind: Literal["sine"]
    rate_min: Rate
    rate_max: Rate
    period_s: Seconds
    periods: Annotated[int, Field(ge=1, le=STAGES_MAX)] = 1
    parts: Annotated[int, Field(ge=4, le=STAGES_MAX)] = 24

    @model_validator(mode="after")
    def _is_ordered(self) -> Sine:
        if self.rate_min > self.rate_max:
            raise ValueError("rate_min is above rate_max")
        if self.parts * self.periods > STAGES_MAX:
            raise ValueError(f"parts times periods is more than {STAGES_MAX:,} stages")
        return self

    def pieces(self, folder: Path) -> Sequence[_Piece]:
        """A stage for each straight line."""
        del folder
        middle, amplitude = (self.rate_min + self.rate_max) / 2, (self.rate_max - self.rate_min) / 2
        turns = [number / self.parts for number in range(self.parts * self.periods + 1)]
        # Rounding may otherwise give a rate below 0.
        rates = [max(0.0, middle - amplitude * math.cos(2 * math.pi * turn)) for turn in turns]
        return _lines("part", [turn * self.period_s for turn in turns], rates)


class Replay(_Shape):
    """A recorded rate; `rate_curve` describes the files.

    Attributes:
        file: name of a file in the folder of the scenario.
        interval_s: length of a stage. None: a curve keeps its own points, and ids are counted by
            the second.
        rate_scale: every rate is multiplied by it.
    """

    kind: Literal["replay"]
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
    interval_s: _PartSeconds | None = None
    rate_scale: Annotated[float, Field(gt=0, le=1_000)] = 1.0

    def pieces(self, folder: Path) -> Sequence[_Piece]:
        """A stage for each interval of the curve."""
        try:
            curve = read_rate_curve(folder / self.file, self.interval_s)
        except ValueError as error:
            raise ValueError(f"file: {folder / self.file}: {error}") from error
        return [
            _Piece(
                f"part-{number}",
                segment.rate_from * self.rate_scale,
                segment.rate_to * self.rate_scale,
                segment.duration_s,
            )
            for number, segment in enumerate(curve, 1)
        ]


Shape = Step | Ramp | Spike | Soak | Sine | Replay


def stages_of(table: object, folder: Path) -> list[dict[str, Any]]:
    """The stages of a `[load.shape]`, as tables of a scenario.

    Args:
        table: as read.
        folder: of the scenario.

    Raises:
        ValidationError: wrong entries.
        ValueError: the agents do not fit the stages, or the curve of a replay has an error.
    """
    shape = _adapter().validate_python(table)
    try:
        return shape.stages(folder)
    except EvidenceError as error:
        raise ValueError(f"file: {error.where}: {error.what}") from error
    except OSError as error:
        raise ValueError(f"file: {error.filename}: {error.strerror}") from error


@cache
def _adapter() -> TypeAdapter[Shape]:
    return TypeAdapter(Annotated[Shape, Field(discriminator="kind")])


def _lines(prefix: str, at_s: Sequence[float], rates: Sequence[float]) -> list[_Piece]:
    """Straight lines between points; times are rounded to 1 ms, so that no part drifts."""
    ends = list(zip((round(at, 3) for at in at_s), rates, strict=True))
    return [
        _Piece(f"{prefix}-{number}", rate, next_rate, round(next_at - at, 3))
        for number, ((at, rate), (next_at, next_rate)) in enumerate(pairwise(ends), 1)
    ]
