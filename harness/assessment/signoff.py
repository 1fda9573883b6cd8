"""The result of a sign-off: a status for each criterion, and the decision; pure.

One question has one answer. The first valid attempt gives it, and a later one does not change it:
an attempt that is INVALID, or that was aborted, may be repeated, a FAIL stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.errors import Exit
from harness.evidence.chained_journal import AttemptEnd
from harness.judge.check import Figure
from harness.judge.grade import Grade
from harness.judge.verdict import Verdict
from harness.printable import SingleLineText
from harness.scenario.policy import Waiver

SIGNOFF_SCHEMA_VERSION = 1


class CriterionStatus(StrEnum):
    """What is known of a criterion.

    UNKNOWN: not measured, INCONCLUSIVE or INVALID.
    WAIVED: NOT_MET or UNKNOWN, and a waiver of the policy covers it.
    """

    MET = "MET"
    NOT_MET = "NOT_MET"
    UNKNOWN = "UNKNOWN"
    WAIVED = "WAIVED"


class Decision(StrEnum):
    """The outcome of a sign-off.

    INDICATIVE: every criterion is MET or WAIVED, and not every run qualifies for a sign-off.
    """

    SIGNED_OFF = "SIGNED_OFF"
    NOT_SIGNED_OFF = "NOT_SIGNED_OFF"
    INDICATIVE = "INDICATIVE"


class ReasonId(StrEnum):
    """Why a criterion or the decision is as it is."""

    NOT_MET = "not_met"
    UNKNOWN = "unknown"
    WAIVED = "waived"
    WAIVER_EXPIRED = "waiver_expired"
    GRADE = "grade"
    NOT_MEASURED = "not_measured"
    ABORTED = "aborted"
    FAILED = "failed"
    REFUSED = "refused"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"
    CHECK_MISSING = "check_missing"
    CHECK = "check"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reason(_Value):
    """One reason.

    Attributes:
        id: what it is about.
        criterion: its id; empty of the decision as a whole.
        check: id of the check that gives it; empty without one.
        message: one sentence.
        examples: of the check: trace ids, or names of other things that violate it.
    """

    id: ReasonId
    criterion: str = ""
    check: str = ""
    message: SingleLineText
    examples: tuple[SingleLineText, ...] = ()


class AttemptResult(_Value):
    """One attempt, judged from its evidence.

    Attributes:
        seed: see `attempt_seed`.
        began, ended: UTC; `ended` is empty of an attempt that is under way.
        outcome: see `JournalEntry`.
        status: MET, NOT_MET or UNKNOWN.
        is_answer: whether the question is answered, so that no other attempt counts.
        verdict: of the evidence; None without any.
        figures: of the objective nearest to its limit, or of the experiment; names end in units.
        grade: of its runs; None without evidence.
        runs: their folders, in the folder of the sign-off.
    """

    number: int
    seed: int
    began: str
    ended: str
    outcome: AttemptEnd
    status: CriterionStatus
    is_answer: bool
    verdict: Verdict | None = None
    reasons: tuple[Reason, ...] = ()
    figures: dict[str, Figure] = {}
    grade: Grade | None = None
    runs: tuple[str, ...] = ()


class WaiverResult(_Value):
    """A waiver of the policy.

    Attributes:
        state: applied, expired before the sign-off began, or not needed.
    """

    reason: SingleLineText
    who: SingleLineText
    until: str
    state: Literal["applied", "expired", "not_needed"]


class CriterionResult(_Value):
    """One criterion.

    Attributes:
        answer: the status without the waiver.
        reasons: of the answer.
        attempts: every one, in order.
    """

    id: str
    kind: str
    question: SingleLineText
    scenario: SingleLineText
    status: CriterionStatus
    answer: CriterionStatus
    waiver: WaiverResult | None = None
    reasons: tuple[Reason, ...] = ()
    attempts: tuple[AttemptResult, ...] = ()

    @property
    def deciding(self) -> AttemptResult | None:
        """The attempt that gives the answer; None without an answer."""
        return deciding_attempt(self.attempts)


class ImageFacts(_Value):
    """An image that ran; digests as `sha256:...`."""

    service: SingleLineText
    image: SingleLineText
    image_id: SingleLineText
    repo_digests: tuple[SingleLineText, ...] = ()


class HostFacts(_Value):
    """A host with a version of the harness, and the number of runs there; None is unknown."""

    runs: int
    stack: SingleLineText
    harness: SingleLineText | None
    commit: SingleLineText | None
    modified: bool | None
    python: SingleLineText | None
    kernel: SingleLineText | None
    cpu_model: SingleLineText | None
    cpus: int | None
    memory_bytes: int | None


class ClockFacts(_Value):
    """A server's clock against that of the generator's host, the worst of all runs.

    Attributes:
        ahead_ns: of the host's wall clock, with the largest size; None where it was not sampled.
        error_ns: largest uncertainty of an offset.
        steps: how often it was set.
    """

    server: SingleLineText
    runs: int
    ahead_ns: int | None
    error_ns: int
    steps: int


class SignoffResult(_Value):
    """`signoff.json`.

    Attributes:
        kind: tells it from results of runs.
        exit_code: of the command: 0 signed off, 1 a criterion is not met, else 3.
        reasons: of the decision.
        journal_head: SHA-256 of the last line of the journal.
        references: SHA-256 of the pages on calibration and defects of this version of the harness.
    """

    schema_version: int = SIGNOFF_SCHEMA_VERSION
    kind: Literal["signoff"] = "signoff"
    signoff_id: str
    policy: str
    about: SingleLineText
    policy_sha256: str
    plan_sha256: str
    journal_head: str
    began: str
    harness: str
    stack: str
    defects: tuple[SingleLineText, ...] = ()
    decision: Decision
    exit_code: int
    reasons: tuple[Reason, ...]
    criteria: tuple[CriterionResult, ...]
    images: tuple[ImageFacts, ...] = ()
    hosts: tuple[HostFacts, ...] = ()
    clocks: tuple[ClockFacts, ...] = ()
    references: dict[str, str] = {}

    @property
    def waivers(self) -> tuple[tuple[CriterionResult, WaiverResult], ...]:
        """Each criterion that has a waiver."""
        return tuple((one, one.waiver) for one in self.criteria if one.waiver is not None)


def deciding_attempt(attempts: Sequence[AttemptResult]) -> AttemptResult | None:
    """The attempt that answers: one that is NOT_MET, else the first with an answer."""
    failed = (one for one in attempts if one.status is CriterionStatus.NOT_MET)
    answers = (one for one in attempts if one.is_answer)
    return next(failed, None) or next(answers, None)


def answer(attempts: Sequence[AttemptResult]) -> tuple[CriterionStatus, tuple[Reason, ...]]:
    """The answer of all attempts of a criterion, and its reasons."""
    deciding = deciding_attempt(attempts) or (attempts[-1] if attempts else None)
    if deciding is None:
        message = "nothing was measured"
        return CriterionStatus.UNKNOWN, (Reason(id=ReasonId.NOT_MEASURED, message=message),)
    return deciding.status, deciding.reasons


def apply_waiver(
    status: CriterionStatus, waiver: Waiver | None, began: str
) -> tuple[CriterionStatus, WaiverResult | None]:
    """The status with a waiver.

    Args:
        status: MET, NOT_MET or UNKNOWN.
        waiver: of the policy.
        began: when the sign-off began, UTC; its day has to be `until` or earlier.
    """
    if waiver is None:
        return status, None
    until = waiver.until.isoformat()
    state: Literal["applied", "expired", "not_needed"] = "applied"
    if status is CriterionStatus.MET:
        state = "not_needed"
    elif began[: len(until)] > until:
        state = "expired"
    result = WaiverResult(reason=waiver.reason, who=waiver.who, until=until, state=state)
    return (CriterionStatus.WAIVED if state == "applied" else status), result


def decide(criteria: Iterable[CriterionResult]) -> tuple[Decision, Exit, tuple[Reason, ...]]:
    """The decision, its exit code, and every reason against a sign-off."""
    known = tuple(criteria)
    missed, low = tuple(_missed(known)), tuple(_grades(known))
    if missed:
        is_failed = any(one.status is CriterionStatus.NOT_MET for one in known)
        exit_code = Exit.FAIL if is_failed else Exit.INCONCLUSIVE
        return Decision.NOT_SIGNED_OFF, exit_code, (*missed, *low)
    if low:
        return Decision.INDICATIVE, Exit.INCONCLUSIVE, low
    return Decision.SIGNED_OFF, Exit.PASS, ()


def _missed(criteria: Iterable[CriterionResult]) -> Iterator[Reason]:
    for one in criteria:
        if one.status in (CriterionStatus.MET, CriterionStatus.WAIVED):
            continue
        is_failed = one.status is CriterionStatus.NOT_MET
        unmeasured = Reason(id=ReasonId.NOT_MEASURED, message="nothing was measured")
        changes = {
            "id": ReasonId.NOT_MET if is_failed else ReasonId.UNKNOWN,
            "criterion": one.id,
        }
        for reason in one.reasons or (unmeasured,):
            yield reason.model_copy(update=changes)
        if one.waiver is not None and one.waiver.state == "expired":
            message = f"its waiver expired on {one.waiver.until}"
            yield Reason(id=ReasonId.WAIVER_EXPIRED, criterion=one.id, message=message)


def _grades(criteria: Iterable[CriterionResult]) -> Iterator[Reason]:
    """What keeps the runs of criteria that are MET from a sign-off; each reason once."""
    criteria_by_reason: dict[str, list[str]] = {}
    for one in criteria:
        deciding = one.deciding
        if one.status is not CriterionStatus.MET or deciding is None:
            continue
        grade = deciding.grade or Grade(level="indicative")
        if grade.level == "signoff":
            continue
        for reason in grade.reasons or ("its grade is not known",):
            criteria_by_reason.setdefault(reason, []).append(one.id)
    for message, ids in criteria_by_reason.items():
        yield Reason(id=ReasonId.GRADE, criterion=", ".join(ids), message=message)
