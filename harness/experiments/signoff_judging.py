"""One attempt of a criterion, judged from its evidence and nothing else.

`JUDGES` has the function of each kind of criterion. It gets the question, with the scenario that
follows from the plan of the sign-off, and a folder; evidence of another scenario is refused. None
stands for no evidence at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from harness.analysis.capacity.trials import EndReason, SearchPlan
from harness.assessment.assess import assess, assess_with_analysis
from harness.assessment.capacity_folder import CapacityFolder
from harness.assessment.isolation_result import IsolationOutcome
from harness.assessment.signoff import Reason, ReasonId
from harness.errors import EvidenceError, UsageError
from harness.evidence.chaos_folder import ChaosFolder
from harness.evidence.group_folder import INTERRUPTED, GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.experiments.capacity import judge_search
from harness.experiments.chaos import judge_rounds, round_scenario
from harness.experiments.isolation_run import expand_blocks, judge_blocks
from harness.experiments.repeat import judge_again
from harness.judge.check import Check, Figure
from harness.judge.grade import Grade, worst_grade
from harness.judge.verdict import Status, Verdict
from harness.report.html.signoff_page import Exhibit
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis
from harness.scenario.file import format_problems
from harness.scenario.models import SEED_MAX
from harness.scenario.policy import CapacityReached, Criterion, Isolated, RoundsPass, RunsPass

_REASONS_MAX = 20
_FIGURES = ("estimate_ns", "mean_ns", "lower_ns", "upper_ns", "limit_ns", "confidence")


@dataclass(frozen=True, slots=True)
class AttemptQuestion:
    """What an attempt has to answer.

    Attributes:
        scenario: with the seed of the attempt.
        search: of a capacity.
    """

    criterion: Criterion
    scenario: Scenario
    search: SearchPlan | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What the evidence of an attempt says.

    Attributes:
        is_interrupted: whether a person broke it off.
        is_unanswerable: whether another attempt would find the same.
        exhibit: what a page draws of it.
    """

    verdict: Verdict
    grade: Grade
    reasons: tuple[Reason, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    is_interrupted: bool = False
    is_unanswerable: bool = False
    exhibit: Exhibit | None = None


def attempt_scenario(criterion: Criterion, base: Scenario, seed: int) -> Scenario:
    """The scenario of an attempt.

    Args:
        criterion: what is asked.
        base: as the plan has it.
        seed: of the attempt.

    Raises:
        UsageError: the base does not allow what the criterion asks for.
    """
    own = base.model_copy(update={"seed": seed})
    if isinstance(criterion, RunsPass | RoundsPass):
        return own.model_copy(update={"load": own.load.of_fixed_length()})
    if not isinstance(criterion, Isolated):
        return own
    document = own.model_dump(mode="json")
    expand_blocks(document, criterion.blocks, [dict(one) for one in criterion.disturb], seed)
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise UsageError(
            format_problems(error, "the scenario in blocks"), where=f"criterion {criterion.id}"
        ) from error


def judge_run(question: AttemptQuestion, path: Path) -> Judged | None:
    """One run.

    Raises:
        EvidenceError: evidence is missing or unreadable, or is that of another scenario.
    """
    folder = _run_of(question, path)
    if folder is None:
        return None
    assessment = assess(folder)
    judgement = assessment.judgement
    missing = _missing_checks(question.criterion, judgement.checks)
    is_unanswerable = judgement.verdict is Verdict.PASS and bool(missing)
    return Judged(
        verdict=Verdict.INCONCLUSIVE if is_unanswerable else judgement.verdict,
        grade=judgement.grade,
        reasons=missing if is_unanswerable else _reasons(judgement.checks, judgement.verdict),
        figures=_latency_figures(judgement.checks),
        is_interrupted=_is_interrupted(folder),
        is_unanswerable=is_unanswerable,
        exhibit=(question.scenario, assessment),
    )


def judge_repeat(question: AttemptQuestion, path: Path) -> Judged | None:
    """A group of runs.

    Raises:
        EvidenceError: as `judge_run`.
    """
    found = _only(path, "repeat.json")
    if found is None or not isinstance(question.criterion, RunsPass):
        return None
    folder = GroupFolder(found)
    facts, seed = folder.read(), question.scenario.seed
    planned = tuple((seed + k) % (SEED_MAX + 1) for k in range(question.criterion.times))
    if facts.seeds != planned:
        raise EvidenceError("its seeds are not those of this attempt", where=str(folder.facts))
    for run_id, own in zip(facts.runs, planned, strict=False):
        run = RunFolder.open(folder.run_path(run_id))
        _need_scenario(run, question.scenario.model_copy(update={"seed": own}))
    is_unfinished = not facts.ended and len(facts.runs) < len(planned)
    judgement = judge_again(folder)
    return Judged(
        verdict=judgement.verdict,
        grade=judgement.grade,
        reasons=_reasons(judgement.checks, judgement.verdict),
        figures=_latency_figures(judgement.checks),
        is_interrupted=facts.ended == INTERRUPTED or is_unfinished,
        exhibit=judgement,
    )


def judge_capacity(question: AttemptQuestion, path: Path) -> Judged | None:
    """A search: is the rate that is asked for proven, or broken?

    Raises:
        EvidenceError: as `judge_run`.
    """
    found, criterion = _only(path, CapacityFolder.FACTS), question.criterion
    if found is None or not isinstance(criterion, CapacityReached):
        return None
    folder = CapacityFolder.open(found)
    facts = folder.read()
    same = (folder.read_scenario(), facts.plan, facts.axis)
    if same != (question.scenario, question.search, CapacityAxis.RATE):
        raise EvidenceError("is not the search of this attempt", where=found.name)
    result = judge_search(folder)
    bounds = result.bounds
    is_interrupted = result.reason in (None, EndReason.INTERRUPTED)
    if bounds.proven_met is not None and bounds.proven_met >= criterion.least:
        verdict = Verdict.PASS
    elif bounds.broken is not None and bounds.broken <= criterion.least and not is_interrupted:
        verdict = Verdict.FAIL
    else:
        undecided = result.verdict is not Verdict.INVALID
        verdict = Verdict.INCONCLUSIVE if undecided else Verdict.INVALID
    proven = "none" if bounds.proven_met is None else f"{bounds.proven_met:g}/s"
    broken = "none" if bounds.broken is None else f"{bounds.broken:g}/s"
    message = f"{criterion.least:g}/s are asked for; proven: {proven}, broken: {broken}"
    return Judged(
        verdict=verdict,
        grade=result.grade,
        reasons=_own_reason(verdict, message),
        figures={
            "least_per_s": criterion.least,
            "proven_per_s": bounds.proven_met,
            "broken_per_s": bounds.broken,
            "estimate_per_s": bounds.estimate,
        },
        is_interrupted=is_interrupted,
        exhibit=result,
    )


def judge_isolation_run(question: AttemptQuestion, path: Path) -> Judged | None:
    """One run in blocks.

    Raises:
        EvidenceError: as `judge_run`.
    """
    folder = _run_of(question, path)
    if folder is None:
        return None
    known = assess_with_analysis(folder)
    run, result = known[0].judgement, judge_blocks(folder, known)
    verdict = {
        IsolationOutcome.ISOLATED: Verdict.PASS,
        IsolationOutcome.NOT_ISOLATED: Verdict.FAIL,
        # Of a run that is no valid measurement another one may tell.
        IsolationOutcome.CANNOT_TELL: Verdict.INVALID
        if run.verdict is Verdict.INVALID
        else Verdict.INCONCLUSIVE,
    }[result.outcome]
    change = result.change
    return Judged(
        verdict=verdict,
        grade=run.grade,
        reasons=tuple(reason for text in result.because for reason in _own_reason(verdict, text))[
            :_REASONS_MAX
        ],
        figures={
            "baseline_p99_ns": result.baseline_p99_ns,
            "treatment_p99_ns": result.treatment_p99_ns,
            "change_ns": change.estimate_ns if change else None,
            "change_upper_ns": change.upper_ns if change else None,
            "margin_ns": result.margin_ns,
            "limit_ns": result.limit_ns,
        },
        is_interrupted=_is_interrupted(folder),
        exhibit=result,
    )


def judge_chaos(question: AttemptQuestion, path: Path) -> Judged | None:
    """Rounds of random faults.

    Raises:
        EvidenceError: as `judge_run`.
    """
    found, criterion = _only(path, "chaos.json"), question.criterion
    if found is None or not isinstance(criterion, RoundsPass):
        return None
    folder = ChaosFolder.open(found)
    facts = folder.read()
    same = (folder.read_scenario(), facts.seed, facts.rounds)
    if same != (question.scenario, question.scenario.seed, criterion.rounds):
        raise EvidenceError("are not the rounds of this attempt", where=found.name)
    for number, run_id in enumerate(facts.runs, 1):
        run = RunFolder.open(found / run_id)
        _need_scenario(run, round_scenario(folder, number))
    result = judge_rounds(folder)
    recoveries = [one.backlog_ns for one in result.rounds if one.backlog_ns is not None]
    return Judged(
        verdict=result.verdict,
        grade=worst_grade([one.grade for one in result.rounds if one.grade is not None]),
        reasons=tuple(
            Reason(id=ReasonId.CHECK, message=f"round {one.number}, {one.fault}: {text}")
            for one in result.rounds
            for text in one.reasons
        )[:_REASONS_MAX],
        figures={
            "rounds": len(result.rounds),
            "passed": sum(one.verdict is Verdict.PASS for one in result.rounds),
            "lost": sum(one.lost for one in result.rounds),
            "duplicated": sum(one.duplicated for one in result.rounds),
            "recovery_max_ns": max(recoveries, default=None),
        },
        is_interrupted=len(result.rounds) < result.planned,
        exhibit=result,
    )


# The function of each kind of criterion.
JUDGES: Mapping[str, Callable[[AttemptQuestion, Path], Judged | None]] = {
    "run": judge_run,
    "repeat": judge_repeat,
    "quotas": judge_run,
    "capacity": judge_capacity,
    "isolation": judge_isolation_run,
    "chaos": judge_chaos,
    "gate": judge_run,
    "backup": judge_run,
    "scale_out": judge_run,
}


def _run_of(question: AttemptQuestion, path: Path) -> RunFolder | None:
    found = _only(path, "plan.json")
    if found is None:
        return None
    folder = RunFolder.open(found)
    _need_scenario(folder, question.scenario)
    return folder


def _only(path: Path, marker: str) -> Path | None:
    """The one folder of an attempt that has a file; None without any.

    Raises:
        EvidenceError: there are several, so that it is not known which one is meant.
    """
    found = sorted(one.parent for one in path.glob(f"*/{marker}"))
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise EvidenceError(f"an attempt has one, not {len(found)}: {names}", where=path.name)
    return found[0] if found else None


def _need_scenario(folder: RunFolder, scenario: Scenario) -> None:
    """A run is evidence for the scenario that follows from the plan, and for no other one."""
    if folder.read_scenario() != scenario:
        raise EvidenceError(
            "is evidence of another question, attempt or sign-off: its scenario is another one",
            where=folder.run_id,
        )


def _is_interrupted(folder: RunFolder) -> bool:
    return any(event.kind == "interrupted" for event in folder.read_run().events)


def _missing_checks(criterion: Criterion, checks: Iterable[Check]) -> tuple[Reason, ...]:
    """The required checks that are not PASS."""
    statuses = {check.id: check.status for check in checks}
    return tuple(
        Reason(
            id=ReasonId.CHECK_MISSING,
            check=name,
            message=f"{name} is {statuses[name].value if name in statuses else 'not made'}",
        )
        for name in criterion.required
        if statuses.get(name) is not Status.PASS
    )


def _reasons(checks: Iterable[Check], verdict: Verdict) -> tuple[Reason, ...]:
    """The checks that are not clean: those that decide first, of them those that name signals."""
    unclean = [check for check in checks if not check.status.is_clean]
    unclean.sort(key=lambda one: (one.status.verdict is not verdict, not one.examples))
    return tuple(
        Reason(
            id=ReasonId.CHECK,
            check=check.id,
            message=f"{check.name}: {check.message}",
            examples=check.examples,
        )
        for check in unclean[:_REASONS_MAX]
    )


def _own_reason(verdict: Verdict, message: str) -> tuple[Reason, ...]:
    """The reason of an experiment that is no check; none where it passed."""
    ids = {
        Verdict.FAIL: ReasonId.NOT_MET,
        Verdict.INVALID: ReasonId.INVALID,
        Verdict.INCONCLUSIVE: ReasonId.INCONCLUSIVE,
    }
    return (Reason(id=ids[verdict], message=message),) if verdict in ids else ()


def _latency_figures(checks: Iterable[Check]) -> dict[str, Figure]:
    """The figures of the objective of latency that is nearest to its limit."""
    found = [(ratio, check) for check in checks if (ratio := _limit_ratio(check)) is not None]
    if not found:
        return {}
    figures = max(found, key=lambda one: one[0])[1].figures
    return {name: figures[name] for name in _FIGURES if name in figures}


def _limit_ratio(check: Check) -> float | None:
    value = check.figures.get("estimate_ns", check.figures.get("mean_ns"))
    limit = check.figures.get("limit_ns")
    if not isinstance(value, int | float) or not isinstance(limit, int | float) or not limit:
        return None
    return value / limit
