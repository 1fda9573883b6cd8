"""Attempts are made in order, every one is kept, and a FAIL stays a FAIL."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.assessment.signoff import CriterionStatus, Decision, ReasonId
from harness.assessment.signoff_folder import SignoffFolder, attempt_seed
from harness.errors import EvidenceError, StackError, UsageError
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from harness.process.interrupt import Interrupted
from harness.report.markdown import signoff_markdown
from harness.report.signoff import why_text
from tests.unit.analysis.evidence import World
from tests.unit.signoff.signoffs import (
    SHORT,
    Act,
    finished,
    interrupted,
    invalid,
    judged,
    lossy,
    new_signoff,
    policy_text,
    raising,
    run,
    statuses,
)

ONE = policy_text("load")
THREE = policy_text("first", "second", "third")


def test_every_criterion_in_order(tmp_path: Path) -> None:
    """Each with the seed that follows from the plan; child processes are no sign-off."""
    folder = new_signoff(tmp_path, THREE)
    steps = run(folder)
    assert [one.criterion.id for one in steps.made] == ["first", "second", "third"]
    plan = folder.plan_sha256()
    for one in steps.made:
        assert one.scenario.seed == attempt_seed(plan, one.criterion.id, 1)
    result = judged(folder)
    assert set(statuses(result).values()) == {"MET"}
    assert (result.decision, result.exit_code) == (Decision.INDICATIVE, 3)
    assert {one.id for one in result.reasons} == {ReasonId.GRADE}
    entries = folder.journal().read()
    assert [(one.kind, one.criterion) for one in entries] == [
        (kind, name) for name in ("first", "second", "third") for kind in ("begun", "ended")
    ]


def test_a_fail_stays(tmp_path: Path) -> None:
    """It is not repeated, neither now nor when the sign-off is resumed."""
    folder = new_signoff(tmp_path, ONE)
    assert len(run(folder, lossy).made) == 1
    assert run(folder).made == []
    result = judged(folder)
    assert (result.decision, result.exit_code) == (Decision.NOT_SIGNED_OFF, 1)
    assert statuses(result) == {"load": "NOT_MET"}
    assert result.reasons[0].id is ReasonId.NOT_MET
    assert result.reasons[0].check
    (trace_id,) = result.reasons[0].examples
    assert trace_id in why_text(result.reasons)


def test_an_invalid_attempt_is_repeated_with_another_seed(tmp_path: Path) -> None:
    """And both are kept."""
    folder = new_signoff(tmp_path, ONE)
    steps = run(folder, invalid)
    assert len({one.scenario.seed for one in steps.made}) == 2
    (criterion,) = judged(folder).criteria
    assert [one.verdict for one in criterion.attempts] == [Verdict.INVALID, Verdict.PASS]
    assert criterion.status is CriterionStatus.MET
    assert criterion.deciding is criterion.attempts[1]
    assert all(len(one.runs) == 1 for one in criterion.attempts)


@pytest.mark.parametrize("attempts", [1, 3])
def test_invalid_ends_at_the_number_of_the_policy(attempts: int, tmp_path: Path) -> None:
    """The criterion is UNKNOWN then; no later call adds an attempt."""
    folder = new_signoff(tmp_path, policy_text("load", attempts=attempts))
    assert len(run(folder, *[invalid] * 5).made) == attempts
    assert run(folder).made == []
    result = judged(folder)
    assert statuses(result) == {"load": "UNKNOWN"}
    assert (result.decision, result.exit_code) == (Decision.NOT_SIGNED_OFF, 3)


def test_inconclusive_is_an_answer(tmp_path: Path) -> None:
    """Repeating until it passes would err more often than a run does."""
    folder = new_signoff(tmp_path, ONE, SHORT)
    assert len(run(folder).made) == 1
    assert run(folder).made == []
    (criterion,) = judged(folder).criteria
    assert criterion.attempts[0].verdict is Verdict.INCONCLUSIVE
    assert criterion.attempts[0].is_answer
    assert criterion.status is CriterionStatus.UNKNOWN


@pytest.mark.parametrize("at", [0, 1, 2])
def test_ctrl_c_at_each_attempt(at: int, tmp_path: Path) -> None:
    """What finished stays, what was aborted is kept and made again, in another folder."""
    folder = new_signoff(tmp_path, THREE)
    acts: list[Act] = [*[lambda _: None] * at, raising(Interrupted(2))]
    with pytest.raises(Interrupted):
        run(folder, *acts)
    steps = run(SignoffFolder.open(folder.path))
    assert len(steps.made) == 3 - at
    result = judged(folder)
    assert set(statuses(result).values()) == {"MET"}
    broken = result.criteria[at].attempts
    assert [one.outcome for one in broken] == ["aborted", "completed"]
    assert broken[0].reasons[0].id is ReasonId.ABORTED


def test_a_run_that_was_interrupted_and_lost_a_signal_is_a_fail(tmp_path: Path) -> None:
    """To break it off does not make it undone."""
    folder = new_signoff(tmp_path, ONE)

    def act(world: World) -> None:
        lossy(world)
        interrupted(world)

    run(folder, act)
    assert run(folder).made == []
    assert statuses(judged(folder)) == {"load": "NOT_MET"}


def test_a_crash_is_found_when_the_sign_off_is_gone_on_with(tmp_path: Path) -> None:
    """The journal has its beginning, and no end."""
    folder = new_signoff(tmp_path, ONE)
    with pytest.raises(ZeroDivisionError):
        run(folder, raising(ZeroDivisionError()))
    assert [one.kind for one in folder.journal().read()] == ["begun"]
    run(folder)
    (criterion,) = judged(folder).criteria
    assert [one.outcome for one in criterion.attempts] == ["aborted", "completed"]


def test_a_crash_between_the_journal_and_the_folder(tmp_path: Path) -> None:
    """The attempt is listed, and gets its folder."""
    folder = new_signoff(tmp_path, ONE)
    folder.journal().append("begun", "2026-11-23T20:48:15Z", "load", 1)
    run(folder)
    (criterion,) = judged(folder).criteria
    assert [one.outcome for one in criterion.attempts] == ["aborted", "completed"]


def test_a_torn_line_of_the_journal_is_dropped(tmp_path: Path) -> None:
    """It was cut off while it was written."""
    folder = new_signoff(tmp_path, THREE)
    run(folder)
    journal = folder.path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"previous": "00')
    with pytest.raises(EvidenceError):
        folder.journal().read()
    assert run(folder).made == []
    assert journal.read_bytes() == whole


@pytest.mark.parametrize(
    ("error", "outcome", "reason", "calls"),
    [
        (UsageError("there are no containers"), "refused", ReasonId.REFUSED, 1),
        (StackError("postgres did not start"), "failed", ReasonId.FAILED, 1),
    ],
)
def test_what_cannot_be_measured_is_unknown(
    error: Exception, outcome: str, reason: ReasonId, calls: int, tmp_path: Path
) -> None:
    """The others are measured all the same; a later call tries again."""
    folder = new_signoff(tmp_path, policy_text("first", "second"))
    steps = run(folder, *[raising(error)] * calls)
    assert [one.criterion.id for one in steps.made] == ["first", "second"]
    result = judged(folder)
    assert statuses(result) == {"first": "UNKNOWN", "second": "MET"}
    first = result.criteria[0]
    assert (first.attempts[0].outcome, first.reasons[0].id) == (outcome, reason)
    assert result.exit_code == 3
    run(folder)
    assert statuses(judged(folder)) == {"first": "MET", "second": "MET"}


def test_no_secret_of_an_error_is_kept(tmp_path: Path) -> None:
    """The journal goes into the archive."""
    folder = new_signoff(tmp_path, ONE)
    run(folder, raising(StackError("redis://user:hunter2@host password=hunter2 is away")))
    assert "hunter2" not in (folder.path / "journal.jsonl").read_text(encoding="utf-8")


def test_evidence_of_another_attempt_is_not_judged(tmp_path: Path) -> None:
    """A run of the second attempt is none of the first."""
    folder = new_signoff(tmp_path, ONE)
    run(folder, invalid)
    first, second = (folder.attempt_path("load", number) for number in (1, 2))
    (own,) = first.glob("*/plan.json")
    (other,) = second.glob("*/plan.json")
    own.parent.rename(tmp_path / "away")
    other.parent.rename(first / other.parent.name)
    (criterion,) = judged(folder).criteria
    assert criterion.attempts[0].verdict is Verdict.INVALID
    assert criterion.status is not CriterionStatus.MET


def test_the_summary_of_a_ci_job(tmp_path: Path) -> None:
    """Every criterion, and how to verify it."""
    _, made = finished(tmp_path, THREE, lossy)
    text = signoff_markdown(made.result, made.archive)
    assert text.startswith("## NOT SIGNED OFF")
    assert all(f"| {name} |" in text for name in ("first", "second", "third"))
    assert str(made.archive) in text


def test_the_documents_show_every_attempt(tmp_path: Path) -> None:
    """Also the one that was INVALID; and the page names no path of this machine."""
    folder, made = finished(tmp_path, ONE, invalid)
    page = folder.page.read_text(encoding="utf-8")
    assert "load 1" in page
    assert "load 2" in page
    assert str(tmp_path) not in page
    assert made.archive == folder.path.with_name(f"{folder.path.name}.tar.gz")
    anchors = re.findall(r' id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert RunFolder.open(next(folder.attempts.glob("load-2/*/plan.json")).parent)
