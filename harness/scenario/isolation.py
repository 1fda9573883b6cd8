"""An isolation experiment: blocks of load with (treatment) and without a fault (baseline)."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.clock import NS_PER_S
from harness.scenario.fault_registry import kinds_where

PAIRS_MAX = 200
# In a treatment block an instantaneous fault is repeated after so long.
INSTANT_REPEAT_S = 4.0


class Isolation(BaseModel):
    """The blocks of a run, and what counts as a change.

    Attributes:
        pairs: number of blocks of each kind.
        block_s: length of a block.
        settle_s: ignored time at its beginning.
        release_s: ignored time at its end, in which the fault is healed.
        margin_ms: a larger change of the P99 is no isolation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    pairs: Annotated[int, Field(ge=1, le=PAIRS_MAX)] = 8
    block_s: Annotated[float, Field(gt=0, le=3_600)] = 15.0
    settle_s: Annotated[float, Field(ge=0, le=600)] = 2.0
    release_s: Annotated[float, Field(ge=0.5, le=600)] = 1.5
    margin_ms: Annotated[float, Field(gt=0, le=60_000)] = 50.0

    @model_validator(mode="after")
    def _has_a_counted_part(self) -> Isolation:
        if self.settle_s + self.release_s >= self.block_s:
            raise ValueError("settle_s + release_s must be shorter than block_s")
        return self

    @property
    def load_s(self) -> float:
        """Length of all blocks together."""
        return 2 * self.pairs * self.block_s

    @property
    def block_ns(self) -> int:
        """Length of a block."""
        return round(self.block_s * NS_PER_S)

    @property
    def settle_ns(self) -> int:
        """Ignored time at its beginning."""
        return round(self.settle_s * NS_PER_S)

    @property
    def release_ns(self) -> int:
        """Ignored time at its end."""
        return round(self.release_s * NS_PER_S)


def treatment_faults(
    faults: list[dict[str, Any]], isolation: Isolation, starts_s: tuple[float, ...]
) -> list[dict[str, Any]]:
    """Faults that begin with each treatment block and end before it does.

    An instantaneous fault, such as a hog that the kernel ends, is repeated.

    Args:
        faults: without times.
        isolation: the blocks.
        starts_s: of the treatment blocks, after the start of the measured phase.
    """
    repeated = kinds_where(lambda kind: kind.repeats_as_disturbance)
    for_s = isolation.block_s - isolation.release_s
    again = [number * INSTANT_REPEAT_S for number in range(math.ceil(for_s / INSTANT_REPEAT_S))]
    return [
        {**fault, "at_s": [start_s + later_s for start_s in starts_s for later_s in again]}
        if fault.get("kind") in repeated
        else {**fault, "at_s": list(starts_s), "for_s": for_s}
        for fault in faults
    ]
