"""Rounds of random faults under load, with every check after each, and the overall result.

A round is an ordinary run with one fault drawn from the seed, a new stack, and evidence and a
verdict of its own. An interrupted experiment continues with the round that had not ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import ValidationError

from harness.analysis.faults.fault_figures import FaultFigures
from harness.analysis.measurement import SignalCounts
from harness.assessment.assess import Assessment, assess
from harness.assessment.chaos import ChaosResult, RoundFigures, build_chaos_result
from harness.clock import NS_PER_S
from harness.errors import EvidenceError, UsageError
from harness.evidence.chaos_folder import ChaosFolder, ChaosProgress
from harness.evidence.run_folder import RunFolder
from harness.faults.random_faults import draw_fault
from harness.report.faults import recovery_of
from harness.scenario import Scenario
from harness.scenario.file import format_problems
from harness.scenario.models import SEED_MAX

RunOnce = Callable[[Scenario, Path], tuple[Assessment, RunFolder]]
ReportProgress = Callable[[str], None]
_REASONS_MAX = 50
# A link fault lasts two seconds at least, and begins in the first half.
_MEASURED_MIN_S = 4.0


def check_rounds(scenario: Scenario, rounds: int) -> None:
    """Make sure that every round that is drawn fits the scenario.

    Raises:
        UsageError: it has faults of its own, too short a load, or seeds for fewer rounds.
    """
    if scenario.fault:
        raise UsageError(
            "the scenario has faults of its own",
            where="fault",
            hint="leave out the [[fault]] tables: each round has one that is drawn",
        )
    if (measured_s := _measured_s(scenario)) <= _MEASURED_MIN_S:
        raise UsageError(
            f"{measured_s:g} s of measured load are too short for a fault and what follows it",
            where="load.stages",
            hint=f"more than {_MEASURED_MIN_S:g} s are needed; scenarios/chaos.toml has 14 s",
        )
    if scenario.seed + rounds > SEED_MAX:
        raise UsageError(
            f"{scenario.seed} leaves no seeds for {rounds} rounds",
            where="seed",
            hint="each round has the next seed; choose a smaller one with --seed",
        )


def _measured_s(scenario: Scenario) -> float:
    """Length of the measured load; the times of faults count from its beginning."""
    stretches = scenario.load.measured_stretches_ns()
    return (stretches[-1][1] - stretches[0][0]) / NS_PER_S if stretches else 0.0


def run_rounds(
    folder: ChaosFolder, once: RunOnce, report: ReportProgress
) -> tuple[RoundFigures, ...]:
    """Run the rounds that are missing.

    Returns:
        figures of the rounds of this call, each judged at its end.

    Raises:
        HarnessError: a round failed, or an earlier one is missing; those before it are kept.
        Interrupted: the same.
    """
    facts, scenario = folder.read(), folder.read_scenario()
    for run_id in facts.runs:  # fail now, and not after all other rounds
        _folder_of(folder, run_id)
    made = []
    for number in range(len(facts.runs) + 1, facts.rounds + 1):
        fault = _round_fault(facts, scenario, number)
        own = _scenario_of(folder, scenario, facts.seed + number, fault)
        report(f"round {number} of {facts.rounds}: {_name(fault)}")
        assessment, run_folder = once(own, folder.path)
        facts = facts.model_copy(update={"runs": (*facts.runs, run_folder.run_id)})
        folder.write(facts)
        made.append(_round(number, run_folder.run_id, assessment))
        report(f"{assessment.judgement.verdict.name}: {run_folder.run_id}")
    return tuple(made)


def round_scenario(folder: ChaosFolder, number: int) -> Scenario:
    """The scenario of a round, from 1 on; a pure function of what the folder was begun with.

    Raises:
        EvidenceError: the folder cannot be read, or there is no such round.
    """
    facts, scenario = folder.read(), folder.read_scenario()
    fault = _round_fault(facts, scenario, number)
    return _scenario_of(folder, scenario, facts.seed + number, fault)


def _round_fault(facts: ChaosProgress, scenario: Scenario, number: int) -> dict[str, object]:
    return draw_fault(facts.seed, number, _measured_s(scenario), facts.choices)


def judge_rounds(folder: ChaosFolder, made: Iterable[RoundFigures] = ()) -> ChaosResult:
    """Store the overall result of all rounds that ended, each judged by its evidence.

    Args:
        folder: with the rounds.
        made: rounds that were judged just now from their sealed evidence. All others are judged
            again: the stored result of an earlier call is no evidence.

    Raises:
        UsageError: a round's folder is missing.
        EvidenceError: evidence is missing or unreadable, or is that of another round.
    """
    facts = folder.read()
    known = {(one.number, one.run_id): one for one in made}
    rounds = [
        known.get((number, run_id)) or _judged(number, run_id, folder, facts.seed)
        for number, run_id in enumerate(facts.runs, 1)
    ]
    result = build_chaos_result(rounds, facts.rounds)
    folder.write_result(result.model_dump(mode="json"))
    return result


def _scenario_of(
    folder: ChaosFolder, scenario: Scenario, seed: int, fault: dict[str, object]
) -> Scenario:
    try:
        return Scenario.model_validate(
            scenario.model_dump(mode="json") | {"seed": seed, "fault": [fault]}
        )
    except ValidationError as error:
        raise EvidenceError(
            f"it is no scenario of a round: {format_problems(error, 'scenario')}",
            where=str(folder.path),
        ) from error


def _judged(number: int, run_id: str, folder: ChaosFolder, seed: int) -> RoundFigures:
    run = _folder_of(folder, run_id)
    # Each round has a seed of its own, which determines everything in it.
    if (own := run.read_scenario().seed) != seed + number:
        raise EvidenceError(
            f"is not round {number}: its seed is {own}, and that of the round {seed + number}",
            where=run_id,
        )
    return _round(number, run_id, assess(run))


def _folder_of(folder: ChaosFolder, run_id: str) -> RunFolder:
    path = folder.path / Path(run_id).name
    if path.is_symlink():
        raise EvidenceError("a round is a link, which is not followed", where=str(path))
    return RunFolder.open(path)


def _round(number: int, run_id: str, found: Assessment) -> RoundFigures:
    measurement, judgement = found.measurement, found.judgement
    fault = measurement.faults[0] if measurement.faults else None
    recovery = recovery_of(fault, measurement) if fault is not None else None
    reasons = [
        f"{check.name}: {check.message}"
        + (f" ({', '.join(check.examples)})" if check.examples else "")
        for check in judgement.reasons
        if not check.status.is_clean
    ]
    return RoundFigures(
        number=number,
        run_id=run_id,
        kind=fault.kind if fault else "?",
        fault=_fault_name(fault),
        verdict=judgement.verdict,
        first_ns=recovery.first_ns if recovery else None,
        backlog_ns=recovery.backlog_ns if recovery else None,
        lost=_lost(measurement),
        duplicated=measurement.duplicated,
        refused=measurement.account.refused,
        reasons=tuple(reasons[:_REASONS_MAX]),
        grade=judgement.grade,
    )


def _lost(measurement: SignalCounts) -> int:
    return measurement.account.lost + measurement.account.in_flight


def _fault_name(fault: FaultFigures | None) -> str:
    return fault.name if fault is not None else "none was reported"


def _name(fault: dict[str, object]) -> str:
    lasting = f" for {fault['for_s']} s" if "for_s" in fault else ""
    peer = f" from {fault['peer']}" if "peer" in fault else ""
    return f"{fault['kind']} of {fault['target']}{peer}{lasting}"
