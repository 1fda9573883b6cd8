"""One question has one answer, whatever is tried afterwards; waivers end; reasons are data."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assessment.signoff import (
    AttemptResult,
    CriterionResult,
    CriterionStatus,
    Decision,
    ReasonId,
    answer,
    apply_waiver,
    decide,
)
from harness.errors import Exit
from harness.judge.grade import Grade
from harness.scenario.policy import Waiver

MET, NOT_MET = CriterionStatus.MET, CriterionStatus.NOT_MET
UNKNOWN, WAIVED = CriterionStatus.UNKNOWN, CriterionStatus.WAIVED
SIGNOFF = Grade(level="signoff")
LOW = Grade(level="indicative", reasons=("too short",))


def attempt(status: CriterionStatus, *, answers: bool, grade: Grade = SIGNOFF) -> AttemptResult:
    """One attempt."""
    return AttemptResult(
        number=1,
        seed=1,
        began="",
        ended="",
        outcome="completed",
        status=status,
        is_answer=answers,
        grade=grade,
    )


ATTEMPTS = st.lists(
    st.sampled_from(
        [
            attempt(MET, answers=True),
            attempt(NOT_MET, answers=True),
            attempt(UNKNOWN, answers=True),
            attempt(UNKNOWN, answers=False),
        ]
    ),
    max_size=6,
)


def criterion(
    status: CriterionStatus, *, grade: Grade = SIGNOFF, waiver: Waiver | None = None
) -> CriterionResult:
    """A criterion with one attempt."""
    own, result = apply_waiver(status, waiver, "2026-11-30T10:00:00Z")
    return CriterionResult(
        id="load",
        kind="run",
        question="?",
        scenario="x",
        status=own,
        answer=status,
        waiver=result,
        attempts=(attempt(status, answers=True, grade=grade),),
    )


@given(before=ATTEMPTS, after=ATTEMPTS)
def test_no_later_attempt_changes_an_answer(
    before: list[AttemptResult], after: list[AttemptResult]
) -> None:
    """But a FAIL, which counts wherever it is."""
    found = answer(before)[0]
    later = answer([*before, *after])[0]
    answered = any(one.is_answer for one in before)
    if found is NOT_MET:
        assert later is NOT_MET
    elif answered and not any(one.status is NOT_MET for one in after):
        assert later is found


@given(attempts=ATTEMPTS)
def test_met_only_by_an_attempt_that_met(attempts: list[AttemptResult]) -> None:
    """And never beside a FAIL."""
    if answer(attempts)[0] is MET:
        assert any(one.status is MET for one in attempts)
        assert not any(one.status is NOT_MET for one in attempts)


@given(
    made=st.lists(
        st.tuples(
            st.sampled_from([MET, NOT_MET, UNKNOWN, WAIVED]), st.sampled_from([SIGNOFF, LOW])
        ),
        min_size=1,
        max_size=5,
    )
)
def test_signed_off_only_if_nothing_is_missed_and_every_grade_is_high(
    made: list[tuple[CriterionStatus, Grade]],
) -> None:
    """Each decision has its reasons, and its exit code."""
    criteria = [
        criterion(status, grade=grade).model_copy(update={"status": status})
        for status, grade in made
    ]
    decision, exit_code, reasons = decide(criteria)
    missed = [status for status, _ in made if status in (NOT_MET, UNKNOWN)]
    low = any(status is MET and grade is LOW for status, grade in made)
    assert (decision is Decision.NOT_SIGNED_OFF) == bool(missed)
    assert (decision is Decision.SIGNED_OFF) == (not missed and not low)
    assert bool(reasons) == (decision is not Decision.SIGNED_OFF)
    assert (exit_code is Exit.FAIL) == (NOT_MET in missed)
    assert (exit_code is Exit.PASS) == (decision is Decision.SIGNED_OFF)
    assert len([one for one in reasons if one.id is ReasonId.NOT_MET]) == missed.count(NOT_MET)


@pytest.mark.parametrize("status", [NOT_MET, UNKNOWN])
@pytest.mark.parametrize(("until", "state"), [("2026-11-29", "expired"), ("2026-11-30", "applied")])
def test_a_waiver_counts_until_its_last_day(
    status: CriterionStatus, until: str, state: str
) -> None:
    """The day on which the sign-off began decides."""
    waiver = Waiver(criterion="load", reason="r", who="w", until=date.fromisoformat(until))
    one = criterion(status, waiver=waiver)
    assert one.waiver is not None
    assert one.waiver.state == state
    assert one.status is (WAIVED if state == "applied" else status)
    assert one.answer is status
    decision, _, reasons = decide([one])
    expected = Decision.SIGNED_OFF if state == "applied" else Decision.NOT_SIGNED_OFF
    assert decision is expected
    assert (ReasonId.WAIVER_EXPIRED in [r.id for r in reasons]) == (state == "expired")


def test_a_waiver_that_is_not_needed_changes_nothing() -> None:
    """It is shown all the same."""
    waiver = Waiver(criterion="load", reason="r", who="w", until=date(2026, 12, 31))
    one = criterion(MET, waiver=waiver)
    assert one.waiver is not None
    assert (one.status, one.waiver.state) == (MET, "not_needed")


def test_nothing_measured_is_unknown() -> None:
    """Not absent."""
    status, reasons = answer([])
    assert (status, [one.id for one in reasons]) == (UNKNOWN, [ReasonId.NOT_MEASURED])
