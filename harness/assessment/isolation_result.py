"""The result of an isolation experiment, as it is stored."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from harness.errors import Exit

# Names in files of earlier versions, with those of today.
_EARLIER_NAMES = {
    "disturbed": "is_treatment",
    "quiet_p99_ns": "baseline_p99_ns",
    "disturbed_p99_ns": "treatment_p99_ns",
    "quiet_busy_cores": "baseline_busy_cores",
    "disturbed_busy_cores": "treatment_busy_cores",
    "quiet_waited_cores": "baseline_waited_cores",
    "disturbed_waited_cores": "treatment_waited_cores",
}


class _Stored(BaseModel):
    """Frozen and strict; a file of an earlier version is read under the names of today."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _of_today(cls, stored: Any) -> Any:
        if not isinstance(stored, dict):
            return stored
        return {_EARLIER_NAMES.get(name, name): value for name, value in stored.items()}


class IsolationOutcome(StrEnum):
    """The outcome of the experiment; the first that applies wins."""

    NOT_ISOLATED = "not isolated"
    CANNOT_TELL = "cannot tell"
    ISOLATED = "isolated"

    @property
    def exit_code(self) -> Exit:
        """0 isolated, 1 not isolated, 3 cannot tell."""
        return {
            IsolationOutcome.ISOLATED: Exit.PASS,
            IsolationOutcome.NOT_ISOLATED: Exit.FAIL,
            IsolationOutcome.CANNOT_TELL: Exit.INCONCLUSIVE,
        }[self]


class BlockFigures(_Stored):
    """One block, as it was found.

    Attributes:
        signals: intended in the part that counts.
        p99_ns: of them; None of none.
        lateness_p99_ns, lateness_max_ns: how late the generator sent them.
        force: what proves that the disturbance was on; empty without proof, or in a baseline
            block.
    """

    pair: int
    is_treatment: bool
    start_s: float
    end_s: float
    signals: int
    p99_ns: int | None
    lateness_p99_ns: int | None = None
    lateness_max_ns: int | None = None
    force: str = ""


class ContentionFigures(_Stored):
    """Contention for the host's cores; see `contention.Contention`."""

    cores: float
    baseline_busy_cores: float
    treatment_busy_cores: float
    baseline_waited_cores: float
    treatment_waited_cores: float
    is_fought_over: bool


class ChangeFigures(_Stored):
    """How much later the P99 is under the disturbance; see `blocks.Change`."""

    pairs: int
    estimate_ns: float
    lower_ns: float | None
    upper_ns: float | None


class IsolationJudgement(_Stored):
    """The outcome and why.

    Attributes:
        because: the reasons of this outcome, most important first.
        margin_ns: a larger change is no isolation.
        limit_ns: the objective of the P99.
        baseline_p99_ns, treatment_p99_ns: of all blocks of a kind together.
        contention: of the host's cores; None without telemetry.
    """

    outcome: IsolationOutcome
    exit_code: int
    because: tuple[str, ...]
    margin_ns: int
    limit_ns: int
    baseline_p99_ns: int | None
    treatment_p99_ns: int | None
    change: ChangeFigures | None
    blocks: tuple[BlockFigures, ...]
    contention: ContentionFigures | None = None
