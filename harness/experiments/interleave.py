"""Two systems in alternate runs, and what they say together.

The order is BASE, NEW, NEW, BASE, and so on (ABBA), so that a drift of the host over the experiment
affects both sides alike. The runs of a pair have the same seed, and so the same schedule and
content. An interrupted experiment goes on with the run that had not ended.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.assessment.compared_figures import parse_percentile
from harness.assessment.compared_run import read_compared_run
from harness.assessment.comparison import ComparisonQuestion, RunSet, compare_runs
from harness.assessment.comparison_result import ComparisonResult
from harness.assessment.fingerprint import differences, question_of, require_equal
from harness.assessment.interleave_folder import (
    ATTEMPTS_MAX,
    InterleaveFolder,
    InterleaveProgress,
)
from harness.assessment.run_sources import read_runs
from harness.assessment.scale_folder import StoredAttempt
from harness.evidence.experiment_folder import SCENARIO
from harness.evidence.run_folder import RunFolder
from harness.scenario import Scenario, load_scenario
from harness.scenario.variant import Variant

# What variants are for; in everything else both sides have to be equal.
VARIED = ("settings", "images", "quotas", "contract")
SIDES = ("BASE", "NEW")
# Runs a scenario on a variant, in a new folder below a path.
RunVariant = Callable[[Variant, Scenario, Path], RunFolder]
ReportProgress = Callable[[str], None]


def side_of(position: int) -> int:
    """0 for BASE and 1 for NEW, of the run at a position from 0: 0 1 1 0 0 1 1 0."""
    return (position % 2) ^ (position // 2 % 2)


def scenario_of(path: Path, variant: Variant, seed: int) -> Scenario:
    """The scenario of a run.

    Args:
        path: of the base scenario.
        variant: its settings change the scenario.
        seed: of the run.

    Raises:
        UsageError: a setting does not fit the scenario.
    """
    return load_scenario(path, (*variant.set, f"seed={seed}"), by_user=False)


def require_one_question(base: Scenario, new: Scenario, allowed: tuple[str, ...]) -> None:
    """Make sure that the settings of the variants do not change what is asked.

    Raises:
        UsageError: they do; each key is named.
    """
    own, other = ({"question": question_of(one)} for one in (base, new))
    require_equal(differences([own], [other]), allowed)


def run_interleaved(folder: InterleaveFolder, run: RunVariant, report: ReportProgress) -> None:
    """Run what is missing; a run that is no valid measurement is repeated.

    Raises:
        HarnessError: a run failed, or an earlier one is missing; those before it are kept.
        Interrupted: the same.
    """
    facts = folder.read()
    planned = 2 * facts.runs
    for position in range(planned):
        side = side_of(position)
        variant = facts.variants[side]
        while (attempt := _next_attempt(folder, facts, position)) is not None:
            again = f", attempt {attempt + 1}" if attempt else ""
            report(f"run {position + 1} of {planned}: {SIDES[side]}, {variant.name}{again}")
            seed = facts.seed + position // 2 + attempt * facts.runs
            scenario = scenario_of(folder.path / SCENARIO, variant, seed)
            made = run(variant, scenario, folder.path)
            stored = StoredAttempt(position=position, attempt=attempt, run_id=made.run_id)
            facts = facts.model_copy(update={"attempts": (*facts.attempts, stored)})
            folder.write(facts)


def compare_sides(folder: InterleaveFolder) -> ComparisonResult:
    """Compare all runs so far, and store the result.

    Raises:
        UsageError: the runs differ in what no variant may change.
        EvidenceError: evidence is missing or unreadable.
    """
    facts = folder.read()
    question = ComparisonQuestion(
        objective=parse_percentile(facts.percentile) if facts.percentile else None,
        margin=facts.margin,
        allowed=(*VARIED, *facts.allowed),
    )
    base, new = (_side(folder, facts, side) for side in range(len(SIDES)))
    result = compare_runs(base, new, question)
    folder.write_result(result)
    return result


def _side(folder: InterleaveFolder, facts: InterleaveProgress, side: int) -> RunSet:
    """The runs of one side, those that had to be repeated included."""
    paths = [folder.run_path(one.run_id) for one in facts.attempts if side_of(one.position) == side]
    return read_runs(facts.variants[side].name, paths)


def _next_attempt(folder: InterleaveFolder, facts: InterleaveProgress, position: int) -> int | None:
    """The number of the attempt that a position needs; None where it needs no more."""
    own = [one for one in facts.attempts if one.position == position]
    if not own:
        return 0
    last = read_compared_run(RunFolder.open(folder.run_path(own[-1].run_id)))
    return len(own) if last.invalid and len(own) < ATTEMPTS_MAX else None
