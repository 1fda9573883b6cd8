"""The result of a search of the capacity, as it is stored."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.analysis.capacity.trials import Answer, Bounds, EndReason, Purpose, SearchPlan
from harness.diagnosis.answers import Diagnosis, StageShare
from harness.evidence.result_digests import ResultDigests
from harness.judge.grade import Grade
from harness.judge.verdict import Verdict
from harness.scenario.capacity_axis import CapacityAxis

CAPACITY_SCHEMA_VERSION = 1


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LatencyFigures(_Value):
    """A latency objective at one level.

    Attributes:
        objective: its text.
        mode: "lite" or "full"; empty where it covers all signals.
        estimate_ns: None of too few signals.
        lower_ns, upper_ns: bounds of the percentile, each at `confidence`; None without one.
        limit_ns: of the objective.
    """

    objective: str
    mode: str = ""
    estimate_ns: float | None
    lower_ns: float | None
    upper_ns: float | None
    confidence: float
    limit_ns: float

    @property
    def limit_ratio(self) -> float | None:
        """The estimate over the limit; None without an estimate."""
        return None if self.estimate_ns is None else self.estimate_ns / self.limit_ns


class ServiceUse(_Value):
    """What a service used in the measured load; None where telemetry does not say.

    Attributes:
        name: of the service; `host` for the whole host.
        cpu_cores: mean.
        cpu_limit_cores: quota in force; the cores of the host.
        memory_bytes: largest.
    """

    name: str
    cpu_cores: float | None = None
    cpu_limit_cores: float | None = None
    memory_bytes: float | None = None
    memory_limit_bytes: float | None = None

    @property
    def cpu_share(self) -> float | None:
        """CPU as a share of the quota; None without one."""
        if self.cpu_cores is None or not self.cpu_limit_cores:
            return None
        return self.cpu_cores / self.cpu_limit_cores


class TrialFigures(_Value):
    """One trial.

    Attributes:
        number: from 1 on.
        level: of the axis.
        agents, rate: of its load; signals/s.
        sent: signals/s that were sent in the measured load.
        measured_s, elapsed_s: measured load; the whole trial.
        p50_ns: of latency; None of too few signals.
        is_backlog_stable: False where the backlog certainly grows; None where it was not observed.
        backlog_growth: signals/s by which the backlog grew, by least squares; None of too few
            seconds.
        backlog_max: most signals in flight.
        lateness_p99_ns: send lag.
        stack_started: whether the trial had a stack of its own, since none was there, or the one
            before was of no more use; then `renewed_because` says why.
        idle_waited_s: until the stack was idle before the trial; None of a new stack.
        reasons: checks that did not pass, with their messages.
    """

    number: int
    run_id: str
    level: float
    purpose: Purpose
    part: int
    attempt: int
    agents: int
    rate: float
    sent: float | None
    measured_s: float | None
    elapsed_s: float
    verdict: Verdict
    answer: Answer
    p50_ns: int | None
    latency: tuple[LatencyFigures, ...]
    is_backlog_stable: bool | None
    backlog_growth: float | None
    backlog_max: int | None
    lateness_p99_ns: int | None
    services: tuple[ServiceUse, ...]
    stack_started: bool = False
    renewed_because: str = ""
    idle_waited_s: float | None = None
    reasons: tuple[str, ...] = ()
    grade: Grade

    @property
    def deciding(self) -> LatencyFigures | None:
        """The latency objective nearest to its limit, or furthest beyond it."""
        known = [one for one in self.latency if one.limit_ratio is not None]
        return max(known, key=lambda one: one.limit_ratio or 0.0, default=None)

    @property
    def limit_ratio(self) -> float | None:
        """Its estimate over its limit; None without an estimate."""
        return self.deciding.limit_ratio if self.deciding else None


class Bottleneck(_Value):
    """Why the first level that fails fails.

    Attributes:
        level: of the diagnosed trial.
        run_id: of the diagnosed trial.
        key: question that the diagnosis answers with yes; empty where it names no cause.
        message: the answer in short; without one, where the latency is.
        stage: of the latency breakdown with the largest share; None where there is none, and in
            results of versions before it.
        diagnosis: the whole of it, in the specified order.
    """

    level: float
    run_id: str
    key: str
    message: str
    stage: StageShare | None = None
    diagnosis: Diagnosis | None


class CapacityResult(_Value):
    """The result of a search.

    Attributes:
        kind: tells it from results of runs.
        verdict: PASS where the capacity was found, or is above the maximum; FAIL where no level
            meets the objectives; INCONCLUSIVE where the bounds are wider than asked for; INVALID.
        exit_code: of the command.
        reason: why the search ended; None while it goes on.
        bounds: what is known of the capacity.
        trials: in order.
        bottleneck: of the lowest level that broke; None where none did.
        grade: of the confirmations of the lower bound, together.
        elapsed_s: of all trials.
        bound: digests of the result and of the evidence, as stored.
    """

    schema_version: int = CAPACITY_SCHEMA_VERSION
    kind: Literal["capacity"] = "capacity"
    search_id: str
    scenario: str
    stack: str
    axis: CapacityAxis
    objectives: tuple[str, ...]
    plan: SearchPlan
    within_s: float | None
    verdict: Verdict
    exit_code: int
    reason: EndReason | None
    bounds: Bounds
    trials: tuple[TrialFigures, ...]
    bottleneck: Bottleneck | None
    grade: Grade
    elapsed_s: float
    bound: ResultDigests | None = None

    @property
    def levels(self) -> tuple[TrialFigures, ...]:
        """The latest trial of each level, a valid one if any is, ascending: the curve."""
        in_order = sorted(self.trials, key=lambda one: one.answer is not Answer.INVALID)
        by_level = {one.level: one for one in in_order}
        return tuple(by_level[level] for level in sorted(by_level))
