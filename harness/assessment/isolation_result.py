"""The result of an isolation experiment, as it is stored."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from harness.errors import Exit


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


class BlockFigures(BaseModel):
    """One block, as it was found.

    Attributes:
        signals: intended in the part that counts.
        p99_ns: of them; None of none.
        lateness_p99_ns, lateness_max_ns: how late the generator sent them.
        force: what proves that the disturbance was on; empty without proof, or in a baseline
            block.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pair: int
    disturbed: bool
    start_s: float
    end_s: float
    signals: int
    p99_ns: int | None
    lateness_p99_ns: int | None = None
    lateness_max_ns: int | None = None
    force: str = ""


class ContentionFigures(BaseModel):
    """Contention for the host's cores; see `contention.Contention`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cores: float
    quiet_busy_cores: float
    disturbed_busy_cores: float
    quiet_waited_cores: float
    disturbed_waited_cores: float
    is_fought_over: bool


class ChangeFigures(BaseModel):
    """How much later the P99 is under the disturbance; see `blocks.Change`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: int
    estimate_ns: float
    lower_ns: float | None
    upper_ns: float | None


class IsolationJudgement(BaseModel):
    """The outcome and why.

    Attributes:
        because: the reasons of this outcome, most important first.
        margin_ns: a larger change is no isolation.
        limit_ns: the objective of the P99.
        quiet_p99_ns, disturbed_p99_ns: of all blocks of a kind together.
        contention: of the host's cores; None without telemetry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: IsolationOutcome
    exit_code: int
    because: tuple[str, ...]
    margin_ns: int
    limit_ns: int
    quiet_p99_ns: int | None
    disturbed_p99_ns: int | None
    change: ChangeFigures | None
    blocks: tuple[BlockFigures, ...]
    contention: ContentionFigures | None = None
