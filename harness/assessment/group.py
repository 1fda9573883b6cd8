"""Several runs of one question, judged together.

A PASS means that every run was valid and clean, that the percentiles of a typical run keep their
limits by the variation between runs, and that those of all runs' signals together do. What a single
run decides alone (integrity, validity, every objective that is no percentile) is the worst of all
runs: no run is excluded afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from harness.assessment.repeats import RunEstimate, TailCounts, combine_runs
from harness.contract.names import Contract
from harness.evidence.group_folder import INTERRUPTED, GroupProgress
from harness.evidence.manifest import ManifestCheck
from harness.judge.check import Check, CheckKind, CheckSpec, Problem
from harness.judge.grade import Grade, worst_grade
from harness.judge.judgement import Judgement
from harness.judge.seal import seal_check
from harness.judge.verdict import Verdict, worst
from harness.scenario import Scenario

RUNS_COMPLETE = CheckSpec(
    "group_runs_complete",
    "all runs completed",
    CheckKind.VALIDITY,
    invalid="fewer runs than planned, or the group ended early",
    inconclusive="a person interrupted the group",
)
RUNS_COMPARABLE = CheckSpec(
    "group_runs_comparable",
    "runs comparable",
    CheckKind.VALIDITY,
    invalid="scenarios, systems or contracts differ, or the seeds are not those planned",
)
GROUP_SEALED = CheckSpec(
    "group_sealed",
    "group unchanged since sealing",
    CheckKind.VALIDITY,
    invalid="a file of the group was changed, removed or added after it ended",
)
# Of a group itself; besides them it has the checks of its runs.
SPECS = (RUNS_COMPLETE, RUNS_COMPARABLE, GROUP_SEALED)


@dataclass(frozen=True, slots=True)
class GroupRun:
    """One run of a group.

    Attributes:
        system: what it ran against, a text that is equal for equal systems.
        contract: the names that the system goes by.
    """

    run_id: str
    scenario: Scenario
    judgement: Judgement
    system: str
    contract: Contract


class MemberFigures(BaseModel):
    """One run in the group's result.

    Attributes:
        estimates_ns: by id of the check, of each combined percentile with an estimate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    seed: int
    verdict: Verdict
    estimates_ns: dict[str, int]


class GroupJudgement(BaseModel):
    """The verdict on a group and its reasons.

    Attributes:
        grade: the worst of the runs' grades.
        runs: in the order in which they were made.
        checks: the combined percentiles, the group itself, then what was unclean in single runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    exit_code: int
    grade: Grade
    runs: tuple[MemberFigures, ...]
    checks: tuple[Check, ...]


def judge_group(
    members: Sequence[GroupRun], facts: GroupProgress, seal: ManifestCheck
) -> GroupJudgement:
    """Judge a group; the same runs always give the same judgement.

    Args:
        members: the runs that were made, in order.
        facts: what was planned, and why the group ended early, if it did.
        seal: the group held against its seal.
    """
    ids = list(dict.fromkeys(c.id for m in members for c in m.judgement.checks if _joins(c)))
    checks = (
        *(_combined(check_id, members) for check_id in ids),
        _made(members, facts),
        _alike(members, facts.seeds),
        seal_check(GROUP_SEALED, seal, "group", is_required=bool(facts.kept)),
        *_others(members),
    )
    verdict = worst(check.status.verdict for check in checks)
    return GroupJudgement(
        verdict=verdict,
        exit_code=int(verdict.exit_code),
        grade=worst_grade([member.judgement.grade for member in members]),
        runs=tuple(_figures(member) for member in members),
        checks=checks,
    )


def _joins(check: Check) -> bool:
    """Whether a check is a percentile with an interval, which runs share."""
    return check.kind is CheckKind.OBJECTIVE and "estimate_ns" in check.figures


def _combined(check_id: str, members: Sequence[GroupRun]) -> Check:
    found = [
        check for member in members for check in member.judgement.checks if check.id == check_id
    ]
    one = found[0]
    spec = CheckSpec(one.id, one.name, one.kind, objective=one.objective, mode=one.mode)
    return combine_runs(spec, [_part(check) for check in found], len(members))


def _part(check: Check) -> RunEstimate:
    def figure(name: str) -> int | None:
        value = check.figures.get(name)
        return int(value) if isinstance(value, (int, float)) else None

    return RunEstimate(
        verdict=check.status.verdict,
        estimate_ns=figure("estimate_ns"),
        lower_ns=figure("lower_ns"),
        upper_ns=figure("upper_ns"),
        limit_ns=figure("limit_ns") or 0,
        tail=_pool(check),
    )


def _pool(check: Check) -> TailCounts | None:
    """What a run gives to the pooled percentile; None of a check that has no such figures."""
    names = ("percentile", "signals", "beyond", "beyond_least", "effective", "measured_ns")
    found = [check.figures.get(name) for name in names]
    known = [value for value in found if isinstance(value, (int, float))]
    if len(known) < len(names):
        return None
    return TailCounts(known[0], *(int(value) for value in known[1:]))


def _made(members: Sequence[GroupRun], facts: GroupProgress) -> Check:
    seeds, ended = facts.seeds, facts.ended
    whole = 0 < len(members) == len(seeds) and not ended
    # What a person breaks off is not whole, and nothing is wrong with it.
    broken = Verdict.INCONCLUSIVE if members and ended == INTERRUPTED else Verdict.INVALID
    message = f"{len(members)} of {len(seeds)} runs were made"
    return RUNS_COMPLETE.judged(
        Verdict.PASS if whole else broken,
        f"{message}; {ended}" if ended else message,
        {"runs": len(members), "planned": len(seeds)},
    )


def _alike(members: Sequence[GroupRun], seeds: Sequence[int]) -> Check:
    """That the runs ask one question of one system, each with the seed planned for it."""
    questions = {m.scenario.model_copy(update={"seed": 0}).model_dump_json() for m in members}
    own = [member.scenario.seed for member in members]
    problems = []
    if len(questions) > 1:
        problems.append(f"the runs ask {len(questions)} different questions")
    systems = list(dict.fromkeys(member.system for member in members))
    if len(systems) > 1:
        problems.append(f"they ran against different systems: {'; '.join(systems)}")
    if len({member.contract.model_dump_json() for member in members}) > 1:
        problems.append("their contracts differ")
    if own != list(seeds[: len(own)]) or len(set(own)) < len(own):
        problems.append("their seeds are not those that were planned, each once")
    good = "one question, one system, and a seed of its own for each run"
    return RUNS_COMPARABLE.valid_unless([Problem(problem, "") for problem in problems], good)


def _others(members: Sequence[GroupRun]) -> list[Check]:
    """The checks of single runs that are not clean: each id once, with the worst run's message."""
    unclean: dict[str, list[tuple[int, Check]]] = {}
    for number, member in enumerate(members, start=1):
        for check in member.judgement.checks:
            if not check.status.is_clean and not _joins(check):
                unclean.setdefault(check.id, []).append((number, check))
    found = []
    for own in unclean.values():
        verdict = worst(check.status.verdict for _, check in own)
        number, shown = next(entry for entry in own if entry[1].status.verdict is verdict)
        runs = ", ".join(str(entry[0]) for entry in own)
        message = f"run {number}: {shown.message} (unclean in {runs})"
        found.append(shown.model_copy(update={"message": message}))
    return found


def _figures(member: GroupRun) -> MemberFigures:
    estimates = {
        check.id: int(value)
        for check in member.judgement.checks
        if _joins(check) and isinstance(value := check.figures["estimate_ns"], (int, float))
    }
    return MemberFigures(
        run_id=member.run_id,
        seed=member.scenario.seed,
        verdict=member.judgement.verdict,
        estimates_ns=estimates,
    )
