"""A backup policy that is exercised under load, as a frozen value."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.scenario.fault_base import FaultBase, Name


class Backup(FaultBase):
    """A daily policy in quick motion: a full backup each day, of which the newest are kept.

    Attributes:
        days: how many backups at least.
        keep: how many of them stay; fewer than `days`, or nothing would be taken away.
        day_s: how long a day takes here.
    """

    kind: Literal["backup"]
    target: Name = "postgres"
    days: Annotated[int, Field(ge=2, le=1_000)] = 33
    keep: Annotated[int, Field(ge=1, le=999)] = 30
    day_s: Annotated[float, Field(ge=0.5, le=60)] = 1.2

    @property
    def for_s(self) -> float:
        """How long all days take."""
        return self.days * self.day_s

    @model_validator(mode="after")
    def _is_one_policy(self) -> Backup:
        if self.keep >= self.days:
            raise ValueError("keep is not below days, so that nothing would ever be taken away")
        if self.times > 1 or len(self.at_s) > 1:
            raise ValueError("a policy begins once: days says how often there is a backup")
        return self
