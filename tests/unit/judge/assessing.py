"""Assessing a world in a test."""

from __future__ import annotations

from pathlib import Path

from harness.assessment.assess import Assessment, assess
from harness.judge.check import CheckKind
from harness.judge.scope import objective_id
from harness.judge.verdict import Status, Verdict
from harness.report.headline import deciding_check
from harness.scenario.objective import parse_objective
from tests.unit.analysis.evidence import World

# Two lines of 80 columns, after "change: ".
HINT_MAX = 2 * 80 - len("change: ") - 4


def assessed(world: World, reports: Path) -> Assessment:
    """Write the evidence and assess it; whatever is INVALID says what to change."""
    return advised(assess(world.write(reports)))


def advised(found: Assessment) -> Assessment:
    """The same, whose INVALID checks of the run, and the one that decides, have a hint."""
    invalid = [check for check in found.judgement.checks if check.status is Status.INVALID]
    if found.judgement.verdict is Verdict.INVALID:
        first = deciding_check(found.judgement)
        assert first is not None
        invalid = [first, *(check for check in invalid if check.kind is CheckKind.VALIDITY)]
        for check in invalid:
            assert check.hint, f"{check.name}: {check.message}"
            assert len(check.hint) <= HINT_MAX, check.hint
    return found


def unclean(found: Assessment) -> dict[str, Verdict]:
    """Id and verdict of every check that is not clean."""
    return {
        check.id: check.status.verdict
        for check in found.judgement.checks
        if not check.status.is_clean
    }


def id_of(objective: str, mode: str = "") -> str:
    """The id of the check of an objective; of one mode where it has a check for each."""
    found = parse_objective(objective)
    return objective_id(found, mode or found.mode or "")
