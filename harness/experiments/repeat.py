"""One question several times, each time with another seed, and what comes of all together."""

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
    """Run, judge all together, and store the group's result.

    A run that is interrupted is the last one; the group is then INCONCLUSIVE.

    Args:
        scenario: its seed is the first run's.
        times: how many runs.
        folder: the group's.
        once: makes one run.

    Raises:
        HarnessError: a run could not be made; what was made before it is judged and stored.
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
        folder: the group's.
        warn: told why not all of it could be stored, if it could not; may be absent.

    Raises:
        EvidenceError: evidence is missing or unreadable.
        UsageError: a run's folder is missing.
    """
    tell = warn or (lambda _: None)
    facts = folder.read()
    if left_out := sorted(folder.started_runs() - set(facts.runs)):
        raise EvidenceError(
            f"the runs of the group leave out {', '.join(left_out)}", where=str(folder.facts)
        )
    members = []
    for run_id in facts.runs:
        run_folder = RunFolder.open(folder.run_path(run_id))
        scenario = run_folder.read_scenario()
        members.append(_member(run_folder, scenario, reassess(run_folder, tell)))
    judgement = judge_group(members, facts, verify_group_manifest(folder, facts))
    try:
        _write(folder, facts, judgement)
    except EvidenceError as error:
        tell(error_text(error))
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
