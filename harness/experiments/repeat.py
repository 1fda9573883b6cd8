"""Runs a scenario several times, each time with another seed, and judges the group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.assessment.assess import Assessment, Warn, reassess
from harness.assessment.group import GroupJudgement, GroupRun, judge_group
from harness.assessment.result import RESULT_SCHEMA_VERSION
from harness.assessment.system import describe_system
from harness.errors import EvidenceError, HarnessError, error_text
from harness.evidence.group_folder import GROUP_KEPT, INTERRUPTED, GroupFolder, GroupProgress
from harness.evidence.group_manifest import (
    group_evidence_digests,
    verify_group_manifest,
    write_group_manifest,
)
from harness.evidence.result_digests import with_digests
from harness.evidence.run_folder import RunFolder
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario

# Runs a scenario into a new folder below a path.
RunOnce = Callable[[Scenario, Path], tuple[Assessment, RunFolder]]
SEED_MAX = 2**63 - 1


def repeat(scenario: Scenario, times: int, folder: GroupFolder, once: RunOnce) -> GroupJudgement:
    """Run, judge the group, and store its result.

    A run that is interrupted is the last one; the group is then INCONCLUSIVE.

    Args:
        scenario: its seed is that of the first run.
        times: number of runs.
        folder: of the group.
        once: executes one run.

    Raises:
        HarnessError: a run failed; those before it are judged and stored.
    """
    seeds = [(scenario.seed + number) % (SEED_MAX + 1) for number in range(times)]
    facts = GroupProgress(seeds=tuple(seeds), kept=GROUP_KEPT)
    folder.write(facts)
    members: list[GroupRun] = []
    failure: HarnessError | None = None
    for seed in seeds:
        own = scenario.model_copy(update={"seed": seed})
        ended = ""
        try:
            assessment, run_folder = once(own, folder.path)
        except Interrupted:
            ended = INTERRUPTED
        except HarnessError as error:
            failure, ended = error, f"{error.where}: {error.what}" if error.where else error.what
        else:
            members.append(_member(run_folder, own, assessment))
            if any(event.kind == "interrupted" for event in run_folder.read_run().events):
                ended = INTERRUPTED
        runs = tuple(member.run_id for member in members)
        facts = facts.model_copy(update={"runs": runs, "ended": ended})
        folder.write(facts)
        if ended:
            break
    write_group_manifest(folder, facts)
    judgement = _store(folder, members, facts)
    if failure is not None:
        raise failure
    return judgement


def judge_again(folder: GroupFolder, warn: Warn | None = None) -> GroupJudgement:
    """Judge every run of a group again, and the group.

    Args:
        folder: of the group.
        warn: receives the reason if not everything could be stored.

    Raises:
        EvidenceError: evidence is missing or unreadable.
        UsageError: a run's folder is missing.
    """
    report = warn or (lambda _: None)
    facts = folder.read()
    if left_out := sorted(folder.started_runs() - set(facts.runs)):
        raise EvidenceError(
            f"the runs of the group leave out {', '.join(left_out)}", where=str(folder.facts)
        )
    members = []
    for run_id in facts.runs:
        run_folder = RunFolder.open(folder.run_path(run_id))
        scenario = run_folder.read_scenario()
        members.append(_member(run_folder, scenario, reassess(run_folder, report)))
    judgement = judge_group(members, facts, verify_group_manifest(folder, facts))
    try:
        _write(folder, facts, judgement)
    except EvidenceError as error:
        report(error_text(error))
    return judgement


def _member(folder: RunFolder, scenario: Scenario, assessment: Assessment) -> GroupRun:
    stack = folder.read_json(folder.stack) if folder.stack.exists() else {}
    contract = folder.read_plan().contract
    return GroupRun(folder.run_id, scenario, assessment.judgement, describe_system(stack), contract)


def _store(
    folder: GroupFolder, members: Sequence[GroupRun], facts: GroupProgress
) -> GroupJudgement:
    judgement = judge_group(members, facts, verify_group_manifest(folder, facts))
    _write(folder, facts, judgement)
    return judgement


def _write(folder: GroupFolder, facts: GroupProgress, judgement: GroupJudgement) -> None:
    document = {"schema_version": RESULT_SCHEMA_VERSION, **judgement.model_dump(mode="json")}
    folder.write_result(with_digests(document, group_evidence_digests(folder, facts)))
