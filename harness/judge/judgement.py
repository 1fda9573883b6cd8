"""All checks together, and the verdict that they give."""

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
    scale_out,
    seal,
    self_monitoring,
    stream,
    unreadable,
    validity,
    warmup,
)
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, Problem
from harness.judge.faults import injection
from harness.judge.grade import Grade, grade_run
from harness.judge.interim_analysis import InterimAnalysis
from harness.judge.interim_replay import replay_analyses
from harness.judge.verdict import Verdict, worst
from harness.scenario import Phase
from harness.scenario.fault_registry import load_checks

CheckFn = Callable[[CheckContext], Check | Iterable[Check]]
# Checks that also read the results of those before them.
DependentCheckFn = Callable[[CheckContext, Sequence[Check]], Check]

CHECK_CRASHED = CheckSpec(
    "check_crashed",
    "check crashed",
    CheckKind.VALIDITY,
    invalid="a check ended with an exception, a defect of the harness; the figure `check` names it",
)


@dataclass(frozen=True, slots=True)
class CheckRule:
    """A function, and the checks that it makes; ids of objectives depend on the scenario."""

    make: CheckFn
    specs: tuple[CheckSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class DependentRule:
    """The same for a function that also reads the checks before it."""

    make: DependentCheckFn
    specs: tuple[CheckSpec, ...] = ()


# Every check, in the order of the result. A new check has its module, an entry here and its test.
CHECKS: tuple[CheckRule | DependentRule, ...] = (
    CheckRule(objectives.check_arrival, (objectives.SIGNALS_SIMULATED,)),
    CheckRule(objectives.check_objectives),
    CheckRule(deadline.check_deadline, (deadline.DRAIN_DEADLINE,)),
    CheckRule(integrity.check_effects, integrity.EFFECTS),
    CheckRule(integrity.check_transitions, (integrity.FSM_TRANSITIONS,)),
    CheckRule(integrity.check_nonces, (integrity.NONCES_CONTIGUOUS,)),
    CheckRule(integrity.check_order, (integrity.NONCE_ORDER,)),
    CheckRule(integrity.check_stale, (integrity.STALE_REFUSED,)),
    # The kinds of faults declare their own.
    *(CheckRule(make, specs) for make, specs in load_checks("SIGNAL_CHECKS")),
    CheckRule(ledger.check_amounts, (ledger.LEDGER_AMOUNTS,)),
    CheckRule(ledger.check_stamps, (ledger.ROW_TIMESTAMPS,)),
    CheckRule(modes.check_modes, (modes.MODE_COUNTERS,)),
    CheckRule(stream.check_drained, (stream.STREAM_DRAINED,)),
    CheckRule(stream.check_trimmed, (stream.STREAM_TRIMMED,)),
    CheckRule(stream.check_added, (stream.STREAM_ENTRIES_ADDED,)),
    CheckRule(agent_pool.check_takeover, (agent_pool.PENDING_TAKEOVER,)),
    CheckRule(validity.check_signals, (validity.SIGNALS_SENT,)),
    CheckRule(warmup.check_warmup, (warmup.WARMUP_EFFECTIVE,)),
    CheckRule(validity.check_events, (validity.UNPLANNED_EVENTS,)),
    CheckRule(crosscheck.check_events_agree, (crosscheck.EVENTS_CONSISTENT,)),
    CheckRule(injection.check_faults, (injection.FAULTS_PROVEN,)),
    *(CheckRule(make, specs) for make, specs in load_checks("CHECKS")),
    CheckRule(scale_out.check_scale_out, scale_out.SPECS),
    CheckRule(gate.check_gate, (gate.GATE_INVARIANTS, gate.GATE_EXECUTION)),
    CheckRule(agent_pool.check_pool, (agent_pool.AGENT_POOL,)),
    CheckRule(aborts.check_aborted, (aborts.ABORT_JUSTIFIED,)),
    CheckRule(quotas.check_quotas, (quotas.QUOTAS_ENFORCED,)),
    CheckRule(validity.check_in_flight, (validity.OBSERVATION_COMPLETE,)),
    CheckRule(validity.check_lateness, (validity.GENERATOR_LAG_P99, validity.GENERATOR_LAG_P99_9)),
    CheckRule(validity.check_rate, (validity.LOAD_ATTEMPTED,)),
    CheckRule(validity.check_overflow, (validity.HISTOGRAM_RANGE,)),
    DependentRule(observer_delay.check_observer, (observer_delay.OBSERVER_DELAY,)),
    CheckRule(observer_delay.check_notifications, (observer_delay.REPORTS_AFTER_COMMIT,)),
    CheckRule(validity.check_observer_end, (validity.OBSERVER_COMPLETE,)),
    CheckRule(unreadable.check_read, (unreadable.FINAL_STATE_READ,)),
    CheckRule(clocks.check_clocks, (clocks.CLOCK_STABLE, clocks.CLOCK_PROBED)),
    CheckRule(validity.check_negative, (validity.DURATIONS_NONNEGATIVE,)),
    CheckRule(self_monitoring.check_self_monitoring, self_monitoring.SPECS),
    DependentRule(host_check.check_host, (host_check.HOST_INTERFERENCE,)),
    CheckRule(evidence_checks.check_complete, (evidence_checks.EVIDENCE_COMPLETE,)),
    CheckRule(evidence_checks.check_regular, (evidence_checks.EVIDENCE_CONSISTENT,)),
    CheckRule(evidence_checks.check_as_planned, (evidence_checks.JOURNAL_MATCHES_PLAN,)),
    CheckRule(evidence_checks.check_stack, (evidence_checks.STACK_CONSISTENT,)),
    CheckRule(seal.check_seal, (seal.EVIDENCE_SEALED,)),
)


class Judgement(BaseModel):
    """The verdict and its reasons.

    Attributes:
        checks: all checks, in order; each id once.
        exit_code: of the command.
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
        """The checks that decide the verdict, then the others that are not clean."""
        own = tuple(check for check in self.checks if check.status.verdict is self.verdict)
        rest = tuple(
            check
            for check in self.checks
            if check.status.verdict is not self.verdict and not check.status.is_clean
        )
        return own + rest

    def of(self, kind: CheckKind) -> tuple[Check, ...]:
        """The checks of one kind."""
        return tuple(check for check in self.checks if check.kind is kind)


def with_check(judgement: Judgement, check: Check) -> Judgement:
    """The same judgement with one more check."""
    verdict = worst((judgement.verdict, check.status.verdict))
    return judgement.model_copy(
        update={
            "verdict": verdict,
            "exit_code": int(verdict.exit_code),
            "checks": (*judgement.checks, check),
        }
    )


def judge(case: CheckContext, rules: Iterable[CheckRule | DependentRule] = CHECKS) -> Judgement:
    """Judge a run; the same evidence always gives the same judgement."""
    rules = tuple(rules)
    checks: tuple[Check, ...] = ()
    for rule in rules:
        checks += tuple(_run_check(rule, case, checks))
    ids = unique_ids(check.id for check in checks)
    checks = tuple(
        check if check.id == own else check.model_copy(update={"id": own})
        for check, own in zip(checks, ids, strict=True)
    )
    verdict = worst(check.status.verdict for check in checks)
    measured_s = case.analysis.timeline.duration_ns(Phase.MEASURE) / NS_PER_S
    return Judgement(
        verdict=verdict,
        exit_code=int(verdict.exit_code),
        grade=grade_run(case, [spec for rule in rules for spec in rule.specs]),
        checks=checks,
        horizon_s=measured_s / -math.log(1 - CONFIDENCE) if measured_s else None,
        analyses=replay_analyses(case),
    )


def _run_check(
    rule: CheckRule | DependentRule, case: CheckContext, before: Sequence[Check]
) -> list[Check]:
    """The checks of a rule; one that crashes was not made, which is never a pass."""
    checks: list[Check] = []
    specs = {spec.id: spec for spec in rule.specs}
    try:
        found = rule.make(case, before) if isinstance(rule, DependentRule) else rule.make(case)
        # One by one: checks that were made before a crash stay.
        for check in (found,) if isinstance(found, Check) else found:
            spec = specs.get(check.id)
            judged = applicability.mark_not_applicable(case, spec, check)
            judged = unreadable.mark_unreadable(case, spec, judged)
            checks.append(applicability.with_contract_hint(case, spec, judged))
    except Exception as error:  # whatever it is, the run must not pass because of it
        made = {check.id for check in checks}
        crashed = ", ".join(id_ for id_ in specs if id_ not in made) or rule.make.__name__
        message = f"{crashed}: the check crashed: {type(error).__name__}: {error}"
        hint = "this is a defect of the harness: report it with the folder of the run"
        problems = [Problem(message, hint)]
        checks.append(CHECK_CRASHED.valid_unless(problems, "", {"check": crashed}))
    return checks


def unique_ids(ids: Iterable[str]) -> list[str]:
    """The ids in order; the second of several equal ones gets the suffix `_2`, and so on.

    So two objectives with different limits of one percentile differ.
    """
    found = dict[str, None]()
    for check_id in ids:
        own, number = check_id, 1
        while own in found:
            number += 1
            own = f"{check_id}_{number}"
        found[own] = None
    return list(found)
