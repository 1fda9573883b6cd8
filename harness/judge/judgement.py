"""All checks together, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from pydantic import BaseModel, ConfigDict

from harness.clock import NS_PER_S
from harness.judge import (
    aborts,
    backups,
    books,
    clocks,
    deadline,
    evidence,
    faults,
    gate,
    host_check,
    integrity,
    modes,
    objectives,
    pool,
    quotas,
    resolution,
    sealing,
    stack_told,
    standstills,
    stream,
    unnamed,
    unread,
    validity,
    vitals,
    warmup,
)
from harness.judge.analysis import Analysis
from harness.judge.check import Case, Check, Kind
from harness.judge.grade import Grade, grade_of
from harness.judge.interim_evidence import analyses_of
from harness.judge.verdict import Verdict, worst
from harness.measure.statistics import CONFIDENCE
from harness.scenario import Phase

Look = Callable[[Case], Check | Iterable[Check]]

LOOKS: tuple[Look, ...] = (
    objectives.check_arrival,
    objectives.check_objectives,
    deadline.check_deadline,
    integrity.check_effects,
    integrity.check_transitions,
    integrity.check_nonces,
    integrity.check_order,
    integrity.check_stale,
    standstills.check_behind,
    standstills.check_left,
    books.check_amounts,
    books.check_stamps,
    modes.check_modes,
    stream.check_left,
    stream.check_trimmed,
    stream.check_added,
    pool.check_takeover,
    validity.check_signals,
    warmup.check_warmup,
    validity.check_events,
    faults.check_faults,
    backups.check_backups,
    gate.check_gate,
    pool.check_pool,
    aborts.check_aborted,
    quotas.check_quotas,
    validity.check_in_flight,
    validity.check_lateness,
    validity.check_rate,
    validity.check_overflow,
    resolution.check_observer,
    resolution.check_words,
    validity.check_observer_end,
    unread.check_read,
    clocks.check_clocks,
    validity.check_negative,
    vitals.check_vitals,
    host_check.check_host,
    evidence.check_complete,
    evidence.check_regular,
    evidence.check_as_planned,
    stack_told.check_stack,
    sealing.check_seal,
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
    analyses: tuple[Analysis, ...] = ()

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

    def of(self, kind: Kind) -> tuple[Check, ...]:
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


def judge(case: Case, looks: Iterable[Look] = LOOKS) -> Judgement:
    """Judge a case; the same case always comes to the same."""
    checks = tuple(check for look in looks for check in _look(look, case))
    verdict = worst(check.verdict for check in checks)
    measured_s = case.gathered.timeline.duration_ns(Phase.MEASURE) / NS_PER_S
    return Judgement(
        verdict=verdict,
        exit_code=int(verdict.exit_code),
        grade=grade_of(case),
        checks=checks,
        horizon_s=measured_s / -math.log(1 - CONFIDENCE) if measured_s else None,
        analyses=analyses_of(case),
    )


def _look(look: Look, case: Case) -> list[Check]:
    """What a check finds; one that crashes was not made, which is never a pass."""
    checks: list[Check] = []
    try:
        found = look(case)
        # One by one: what was found before a crash stays found.
        for check in (found,) if isinstance(found, Check) else found:
            judged = unread.withhold(case, unnamed.waive(case, check))
            checks.append(unnamed.advise(case, judged))
    except Exception as error:  # whatever it is, the run must not pass because of it
        name = look.__name__.removeprefix("check_").replace("_", " ")
        checks.append(
            Check(
                name=f"check of {name}",
                kind=Kind.VALIDITY,
                verdict=Verdict.INVALID,
                said=f"the check crashed: {type(error).__name__}: {error}",
            )
        )
    return checks
