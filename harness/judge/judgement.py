"""All checks together, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from harness.analysis.statistics import CONFIDENCE
from harness.clock import NS_PER_S
from harness.judge import (
    aborts,
    agent_pool,
    applicability,
    backup,
    clocks,
    crosscheck,
    deadline,
    evidence_checks,
    gate,
    host_check,
    integrity,
    ledger,
    modes,
    objectives,
    observer_delay,
    quotas,
    seal,
    self_monitoring,
    stack_consistency,
    stream,
    unreadable,
    validity,
    warmup,
)
from harness.judge.check import Check, CheckContext, CheckKind, Problem, validity_check
from harness.judge.faults import injection, staleness
from harness.judge.grade import Grade, grade_run
from harness.judge.interim_analysis import InterimAnalysis
from harness.judge.interim_replay import replay_analyses
from harness.judge.verdict import Verdict, worst
from harness.scenario import Phase

CheckFn = Callable[[CheckContext], Check | Iterable[Check]]


@dataclass(frozen=True, slots=True)
class DependentCheck:
    """A check that also reads what the checks before it found."""

    check: Callable[[CheckContext, Sequence[Check]], Check]


CHECKS: tuple[CheckFn | DependentCheck, ...] = (
    objectives.check_arrival,
    objectives.check_objectives,
    deadline.check_deadline,
    integrity.check_effects,
    integrity.check_transitions,
    integrity.check_nonces,
    integrity.check_order,
    integrity.check_stale,
    staleness.check_staleness,
    staleness.check_stale_node_avoided,
    ledger.check_amounts,
    ledger.check_stamps,
    modes.check_modes,
    stream.check_drained,
    stream.check_trimmed,
    stream.check_added,
    agent_pool.check_takeover,
    validity.check_signals,
    warmup.check_warmup,
    validity.check_events,
    crosscheck.check_events_agree,
    injection.check_faults,
    backup.check_backups,
    gate.check_gate,
    agent_pool.check_pool,
    aborts.check_aborted,
    quotas.check_quotas,
    validity.check_in_flight,
    validity.check_lateness,
    validity.check_rate,
    validity.check_overflow,
    DependentCheck(observer_delay.check_observer),
    observer_delay.check_notifications,
    validity.check_observer_end,
    unreadable.check_read,
    clocks.check_clocks,
    validity.check_negative,
    self_monitoring.check_self_monitoring,
    DependentCheck(host_check.check_host),
    evidence_checks.check_complete,
    evidence_checks.check_regular,
    evidence_checks.check_as_planned,
    stack_consistency.check_stack,
    seal.check_seal,
)


class Judgement(BaseModel):
    """The verdict and its reasons.

    Attributes:
        checks: everything that was looked at, in order.
        exit_code: what the command ends with.
        horizon_s: events that come at least this often, on average, would have been seen with 95 %
            (none in T is as likely as exp(-T / interval)); None without a measured phase.
        analyses: of a run that may end when it is decided, what each planned analysis finds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    exit_code: int
    grade: Grade
    checks: tuple[Check, ...]
    horizon_s: float | None = None
    analyses: tuple[InterimAnalysis, ...] = ()

    @property
    def reasons(self) -> tuple[Check, ...]:
        """The checks that brought the verdict about, then those that are not clean either."""
        own = tuple(check for check in self.checks if check.verdict is self.verdict)
        rest = tuple(
            check
            for check in self.checks
            if check.verdict is not self.verdict and check.verdict is not Verdict.PASS
        )
        return own + rest

    def of(self, kind: CheckKind) -> tuple[Check, ...]:
        """The checks of one kind."""
        return tuple(check for check in self.checks if check.kind is kind)


def with_check(judgement: Judgement, check: Check) -> Judgement:
    """The same judgement with one more finding."""
    verdict = worst((judgement.verdict, check.verdict))
    return judgement.model_copy(
        update={
            "verdict": verdict,
            "exit_code": int(verdict.exit_code),
            "checks": (*judgement.checks, check),
        }
    )


def judge(case: CheckContext, looks: Iterable[CheckFn | DependentCheck] = CHECKS) -> Judgement:
    """Judge a case; the same case always comes to the same."""
    checks: tuple[Check, ...] = ()
    for look in looks:
        checks += tuple(_run_check(look, case, checks))
    verdict = worst(check.verdict for check in checks)
    measured_s = case.analysis.timeline.duration_ns(Phase.MEASURE) / NS_PER_S
    return Judgement(
        verdict=verdict,
        exit_code=int(verdict.exit_code),
        grade=grade_run(case),
        checks=checks,
        horizon_s=measured_s / -math.log(1 - CONFIDENCE) if measured_s else None,
        analyses=replay_analyses(case),
    )


def _run_check(
    look: CheckFn | DependentCheck, case: CheckContext, before: Sequence[Check]
) -> list[Check]:
    """What a check finds; one that crashes was not made, which is never a pass."""
    checks: list[Check] = []
    try:
        found = look.check(case, before) if isinstance(look, DependentCheck) else look(case)
        # One by one: what was found before a crash stays found.
        for check in (found,) if isinstance(found, Check) else found:
            judged = unreadable.mark_unreadable(
                case, applicability.mark_not_applicable(case, check)
            )
            checks.append(applicability.with_contract_hint(case, judged))
    except Exception as error:  # whatever it is, the run must not pass because of it
        called = look.check if isinstance(look, DependentCheck) else look
        name = called.__name__.removeprefix("check_").replace("_", " ")
        said = f"the check crashed: {type(error).__name__}: {error}"
        hint = "this is a defect of the harness: report it with the folder of the run"
        checks.append(validity_check(f"check of {name}", [Problem(said, hint)], ""))
    return checks
