"""Faults that stay within one service's own limits, as frozen values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from harness.scenario.fault_base import FaultBase, Length

# Kinds for which a service's data must lie on a file system of its own.
DISK_KINDS = frozenset({"disk_fill", "slow_disk"})
# A service tells its clock in whole seconds, so a smaller step could not be proven.
STEP_MIN_S, STEP_MAX_S = 3.0, 86_400.0


class ForkStorm(FaultBase):
    """A program inside the service's container that forks as fast as it can for `for_s`.

    Attributes:
        processes: the most that are alive at once, since a container need not limit them.
    """

    kind: Literal["fork_storm"]
    processes: Annotated[int, Field(ge=10, le=2_000)] = 200
    for_s: Length


class DiskFill(FaultBase):
    """The file system that the service's data lies on has no room left for `for_s`."""

    kind: Literal["disk_fill"]
    for_s: Length


class SlowDisk(FaultBase):
    """The service's file system takes so few writes a second that each waits for its turn.

    Attributes:
        writes_per_s: what the whole service has.
    """

    kind: Literal["slow_disk"]
    writes_per_s: Annotated[int, Field(ge=5, le=1_000)] = 10
    for_s: Length


class ClockStep(FaultBase):
    """The service's wall clock is ahead by `step_s` for `for_s`, and then right again.

    Attributes:
        step_s: below 0 it is behind.
    """

    kind: Literal["clock_step"]
    step_s: Annotated[float, Field(ge=-STEP_MAX_S, le=STEP_MAX_S)]
    for_s: Length

    @field_validator("step_s")
    @classmethod
    def _shows(cls, step_s: float) -> float:
        if abs(step_s) < STEP_MIN_S:
            raise ValueError(f"a step of less than {STEP_MIN_S:g} s could not be proven")
        return step_s
