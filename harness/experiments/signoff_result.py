"""The result of a sign-off and its documents, from the evidence of all attempts.

Whoever verifies a sign-off gets result, pages, manifest and archive by the same functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.assessment.signoff import (
    AttemptResult,
    CriterionResult,
    CriterionStatus,
    Reason,
    ReasonId,
    SignoffResult,
    answer,
    apply_waiver,
    decide,
)
from harness.assessment.signoff_facts import SystemFacts, run_folders, system_facts
from harness.assessment.signoff_folder import (
    Question,
    SignoffFolder,
    SignoffPlan,
    attempt_seed,
)
from harness.errors import EvidenceError, UsageError, error_text
from harness.evidence import atomic_files
from harness.evidence.archive import SUFFIX, write_archive
from harness.evidence.chained_journal import AttemptEnd, JournalEntry
from harness.evidence.folder_manifest import write_folder_manifest
from harness.evidence.manifest import sha256_of
from harness.experiments.signoff_judging import JUDGES, AttemptQuestion, Judged, attempt_scenario
from harness.judge.verdict import Verdict
from harness.report.html.signoff_page import Exhibit, signoff_page
from harness.report.signoff import verify_instructions
from harness.safe_open import RefusedError
from harness.scenario import Scenario
from harness.scenario.file import format_problems, parse_toml
from harness.scenario.policy import Criterion, Policy

REFERENCES = ("calibration.md", "defects.md")


@dataclass(frozen=True, slots=True)
class JudgedSignoff:
    """A sign-off as its evidence has it.

    Attributes:
        exhibits: what a page draws, by the id of the criterion.
    """

    result: SignoffResult
    exhibits: Mapping[str, Exhibit]


class AttemptJudge:
    """Judges the attempts of a sign-off; each that has ended once."""

    def __init__(self, folder: SignoffFolder) -> None:
        self._folder = folder
        self._plan = folder.read_plan()
        self._plan_sha256 = folder.plan_sha256()
        self._known: dict[tuple[str, int], AttemptResult] = {}
        self.exhibits: dict[tuple[str, int], Exhibit] = {}

    def question(self, criterion: Criterion, number: int) -> AttemptQuestion:
        """What an attempt has to answer.

        Raises:
            EvidenceError: the plan has no such question.
        """
        found = next((one for one in self._plan.questions if one.id == criterion.id), None)
        if found is None:
            raise EvidenceError(f"has no question {criterion.id}", where=self._folder.FACTS)
        base = parse_scenario(found, self._folder.FACTS)
        seed = attempt_seed(self._plan_sha256, criterion.id, number)
        return AttemptQuestion(criterion, attempt_scenario(criterion, base, seed), found.search)

    def attempts(
        self, criterion: Criterion, entries: Iterable[JournalEntry]
    ) -> tuple[AttemptResult, ...]:
        """Every attempt of a criterion that the journal has, in order.

        Raises:
            EvidenceError: the journal's numbers are no sequence, or a folder is missing.
        """
        own = [entry for entry in entries if entry.criterion == criterion.id]
        begun = [entry for entry in own if entry.kind == "begun"]
        ended = {entry.attempt: entry for entry in own if entry.kind == "ended"}
        numbers = [entry.attempt for entry in begun]
        ends = [entry.attempt for entry in own if entry.kind == "ended"]
        if numbers != list(range(1, len(numbers) + 1)) or sorted(set(ends)) != ends:
            raise EvidenceError(
                f"the attempts of {criterion.id} are {numbers}, and those that ended {ends}",
                where="journal.jsonl",
            )
        return tuple(self._attempt(criterion, entry, ended.get(entry.attempt)) for entry in begun)

    def _attempt(
        self, criterion: Criterion, begun: JournalEntry, ended: JournalEntry | None
    ) -> AttemptResult:
        key = (criterion.id, begun.attempt)
        if key not in self._known or not self._known[key].ended:
            self._known[key] = self._judged(criterion, begun, ended)
        return self._known[key]

    def _judged(
        self, criterion: Criterion, begun: JournalEntry, ended: JournalEntry | None
    ) -> AttemptResult:
        path = self._folder.attempt_path(criterion.id, begun.attempt)
        # One that is under way is judged when it has ended.
        judged, problem = self._read(criterion, begun.attempt, path) if ended else (None, "")
        if judged is not None and judged.exhibit is not None:
            self.exhibits[criterion.id, begun.attempt] = judged.exhibit
        outcome: AttemptEnd = ended.outcome if ended else ""
        verdict = judged.verdict if judged else None
        if problem and outcome == "completed":
            verdict = Verdict.INVALID
        status, is_answer, reasons = _status(judged, outcome, ended, problem)
        return AttemptResult(
            number=begun.attempt,
            seed=attempt_seed(self._plan_sha256, criterion.id, begun.attempt),
            began=begun.at,
            ended=ended.at if ended else "",
            outcome=outcome,
            status=status,
            is_answer=is_answer,
            verdict=verdict,
            reasons=reasons,
            figures=dict(judged.figures) if judged else {},
            grade=judged.grade if judged else None,
            runs=tuple(
                run.path.relative_to(self._folder.path).as_posix() for run in run_folders(path)
            ),
        )

    def _read(self, criterion: Criterion, number: int, path: Path) -> tuple[Judged | None, str]:
        """What the evidence says; or None, and why it cannot be judged, empty without any."""
        if path.is_symlink() or not path.is_dir():
            # It is made right after the line of the journal.
            return None, ""
        judge = JUDGES[criterion.kind]
        try:
            judged: Judged | None = judge(self.question(criterion, number), path)
            if judged is not None:
                self._need_stack(path)
        except RefusedError:
            raise
        except (EvidenceError, UsageError) as error:
            # The same wherever the folder lies.
            return None, error_text(error).replace(f"{self._folder.path}/", "")
        return judged, ""

    def _need_stack(self, path: Path) -> None:
        """Every run has to be one on the stack that the plan names."""
        for run in run_folders(path):
            kind = run.read_json(run.stack).get("kind") if run.stack.exists() else None
            if kind is not None and kind != self._plan.stack.kind:
                raise EvidenceError(
                    f"ran on a stack of kind {kind}, and the plan is for {self._plan.stack.kind}",
                    where=run.run_id,
                )


def _status(
    judged: Judged | None, outcome: AttemptEnd, ended: JournalEntry | None, problem: str
) -> tuple[CriterionStatus, bool, tuple[Reason, ...]]:
    """Status of an attempt, whether it answers, and its reasons, from the evidence first."""
    unknown = CriterionStatus.UNKNOWN
    if judged is not None and judged.verdict is Verdict.FAIL:
        return CriterionStatus.NOT_MET, True, judged.reasons
    if outcome in ("", "aborted") or (judged is not None and judged.is_interrupted):
        return unknown, False, (Reason(id=ReasonId.ABORTED, message="it was aborted"),)
    if judged is None:
        reason_id = {"failed": ReasonId.FAILED, "refused": ReasonId.REFUSED}.get(outcome)
        message = problem or (ended.error if ended else "") or "it left no evidence"
        return unknown, False, (Reason(id=reason_id or ReasonId.INVALID, message=message),)
    if judged.verdict is Verdict.PASS:
        return CriterionStatus.MET, True, judged.reasons
    is_invalid = judged.verdict is Verdict.INVALID
    return unknown, judged.is_unanswerable or not is_invalid, judged.reasons


def judge_signoff(folder: SignoffFolder) -> JudgedSignoff:
    """Judge every attempt from its evidence, and the sign-off.

    Raises:
        EvidenceError: the policy, the plan or the journal is missing, unreadable or broken.
        RefusedError: evidence is none that a run writes.
    """
    plan, policy = folder.read_plan(), folder.read_policy()
    if [one.id for one in plan.questions] != [one.id for one in policy.criterion]:
        raise EvidenceError("its questions are not the criteria of the policy", where=folder.FACTS)
    journal = folder.journal()
    entries, judge = journal.read(), AttemptJudge(folder)
    _need_all_listed(folder, policy, entries)
    criteria = tuple(_criterion(one, policy, plan, judge, entries) for one in policy.criterion)
    decision, exit_code, reasons = decide(criteria)
    facts: SystemFacts = system_facts(run_folders(folder.attempts))
    result = SignoffResult(
        signoff_id=plan.signoff_id,
        policy=policy.policy.name,
        about=policy.policy.about,
        policy_sha256=plan.policy_sha256,
        plan_sha256=folder.plan_sha256(),
        journal_head=journal.head(),
        began=plan.began,
        harness=plan.harness,
        stack=plan.stack.kind,
        defects=plan.defects,
        decision=decision,
        exit_code=int(exit_code),
        reasons=reasons,
        criteria=criteria,
        images=facts.images,
        hosts=facts.hosts,
        clocks=facts.clocks,
        references={
            name: sha256_of(folder.path / name)
            for name in REFERENCES
            if (folder.path / name).exists()
        },
    )
    exhibits = {
        one.id: judge.exhibits[one.id, one.deciding.number]
        for one in criteria
        if one.deciding is not None and (one.id, one.deciding.number) in judge.exhibits
    }
    return JudgedSignoff(result, exhibits)


def parse_scenario(question: Question, where: str) -> Scenario:
    """The base scenario of a question.

    Raises:
        EvidenceError: it is none.
    """
    try:
        return Scenario.model_validate(parse_toml(question.scenario, where))
    except ValidationError as error:
        problems = format_problems(error, "the scenario")
        raise EvidenceError(f"{question.id}: {problems}", where=where) from error
    except UsageError as error:
        raise EvidenceError(f"{question.id}: {error.what}", where=where) from error


def _criterion(
    criterion: Criterion,
    policy: Policy,
    plan: SignoffPlan,
    judge: AttemptJudge,
    entries: Sequence[JournalEntry],
) -> CriterionResult:
    attempts = judge.attempts(criterion, entries)
    found, reasons = answer(attempts)
    status, waiver = apply_waiver(found, policy.waiver_of(criterion.id), plan.began)
    return CriterionResult(
        id=criterion.id,
        kind=criterion.kind,
        question=criterion.question,
        scenario=criterion.scenario,
        status=status,
        answer=found,
        waiver=waiver,
        reasons=reasons,
        attempts=attempts,
    )


def _need_all_listed(
    folder: SignoffFolder, policy: Policy, entries: Iterable[JournalEntry]
) -> None:
    """The journal and the folders of attempts have to agree, and nothing may be beside them."""
    begun = {(one.criterion, one.attempt) for one in entries if one.kind == "begun"}
    known = {one.id for one in policy.criterion}
    if strange := sorted({one.criterion for one in entries} - known):
        raise EvidenceError(f"has attempts of {strange[0]}, no criterion", where="journal.jsonl")
    listed = {folder.attempt_path(*one).name for one in begun}
    found = {one.name for one in folder.attempts.glob("*")}
    if left_out := sorted(found - listed):
        raise EvidenceError(f"leaves out the attempt {left_out[0]}", where="journal.jsonl")
    if missing := sorted(listed - found):
        raise EvidenceError("an attempt of the journal is missing", where=missing[0])


@dataclass(frozen=True, slots=True)
class Documents:
    """What was written.

    Attributes:
        root: the root hash of the manifest.
    """

    result: SignoffResult
    archive: Path
    root: str


def write_documents(folder: SignoffFolder) -> Documents:
    """Judge everything from the evidence, and write the documents, the manifest and the archive.

    Raises:
        EvidenceError: evidence is missing, unreadable or broken, or nothing can be written.
    """
    judged = judge_signoff(folder)
    atomic_files.write_json(folder.document, judged.result.model_dump(mode="json"))
    for path, text in document_texts(judged, folder).items():
        atomic_files.write_text(path, text)
    root = write_folder_manifest(folder.path)
    archive = archive_of(folder.path)
    write_archive(folder.path, archive)
    return Documents(judged.result, archive, root)


def document_texts(judged: JudgedSignoff, folder: SignoffFolder) -> dict[Path, str]:
    """The documents for people, by their paths; the same evidence gives the same texts."""
    return {
        folder.page: signoff_page(judged.result, judged.exhibits),
        folder.instructions: verify_instructions(judged.result),
    }


def archive_of(path: Path) -> Path:
    """The archive that belongs to a folder; beside it."""
    return path.with_name(path.name + SUFFIX)
