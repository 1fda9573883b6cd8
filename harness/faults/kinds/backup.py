"""`backup`: a backup policy that is exercised under load."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from harness.faults.factory import StackFaultFactory
from harness.faults.instance import FaultInstance, injection
from harness.scenario.fault_base import FaultBase, Name, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import OnlyTarget


@fault("backup")
class Backup(FaultBase):
    """A daily policy with short days: a full backup each day, of which the newest are kept.

    It is never drawn at random: it lasts longer than a round.

    Attributes:
        days: how many backups at least.
        keep: how many of them stay; fewer than `days`, or nothing would be removed.
        day_s: length of a day here.
    """

    targets: ClassVar[TargetRule] = OnlyTarget(names=("postgres",))
    once: ClassVar[str] = "a database has one backup policy"
    checks: ClassVar[str] = "harness.faults.backup.check"
    evidence: ClassVar[frozenset[str]] = frozenset({"backup.jsonl"})

    kind: Literal["backup"]
    target: Name = "postgres"
    days: Annotated[int, Field(ge=2, le=1_000)] = 33
    keep: Annotated[int, Field(ge=1, le=999)] = 30
    day_s: Annotated[float, Field(ge=0.5, le=60)] = 1.2

    @property
    def for_s(self) -> float:
        """Length of all days."""
        return self.days * self.day_s

    @model_validator(mode="after")
    def _is_one_policy(self) -> Backup:
        if self.keep >= self.days:
            raise ValueError("keep is not below days, so that no backup would ever be removed")
        if self.times > 1 or len(self.at_s) > 1:
            raise ValueError("a policy begins once: days is the number of backups")
        return self


@injection(Backup, "process", "docker")
def _back_up(fault: Backup, on: StackFaultFactory) -> FaultInstance:
    from harness.faults.backup.backups import Backups

    run = on.run
    (name,) = fault.evidence
    backups = Backups(run.evidence / name, run.logs / "restore.log", run.observer_role, run.clock)
    return backups.create(fault, on.admin_conninfo)
