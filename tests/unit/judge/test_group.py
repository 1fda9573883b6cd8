"""Several runs together: what a PASS of a group means, and what it does not cover up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assessment.assess import Assessment, assess_and_store
from harness.assessment.group import GroupRun, judge_group
from harness.assessment.repeats import RunEstimate, TailCounts, combine_runs
from harness.assessment.system import describe_system
from harness.errors import StackError, UsageError
from harness.evidence.group_folder import INTERRUPTED, GroupFolder, GroupProgress
from harness.evidence.manifest import ManifestCheck
from harness.evidence.run_folder import RunFolder
from harness.experiments.repeat import judge_again, repeat
from harness.judge.scope import objective_spec
from harness.judge.verdict import Status, Verdict
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario
from harness.scenario.objective import parse_objective
from tests.unit.analysis.evidence import MS, World, healthy, steady
from tests.unit.judge.assessing import assessed
from tests.unit.judge.violations import drop

LIMIT_NS = 500 * MS
P99 = "p99 < 500 ms"
SPEC = objective_spec(parse_objective(P99))


def pool(beyond: int, signals: int = 3_000, least: int | None = None) -> TailCounts:
    """30 s of signals, of which so many took as long as the limit or longer."""
    return TailCounts(
        99.0, signals, beyond, beyond if least is None else least, signals, 30_000 * MS
    )


def part(value_ms: int, verdict: Verdict = Verdict.INCONCLUSIVE) -> RunEstimate:
    """A run whose P99 is known to a tenth, and of which more are beyond the limit if that is."""
    value, beyond = value_ms * MS, 60 if value_ms >= 500 else 3
    return RunEstimate(
        verdict, value, round(value * 0.9), round(value * 1.1), LIMIT_NS, pool(beyond)
    )


def decided(*values_ms: int, fails: int = 0) -> Verdict:
    """Results of runs; the last ones fail by their own interval."""
    parts = [
        part(value, Verdict.FAIL if number >= len(values_ms) - fails else Verdict.INCONCLUSIVE)
        for number, value in enumerate(values_ms)
    ]
    return combine_runs(SPEC, parts, len(parts)).status.verdict


def test_runs_decide_together() -> None:
    """Runs that could not tell alone may tell together."""
    assert decided(400, 410, 405) is Verdict.PASS
    assert decided(600, 610, 605) is Verdict.FAIL
    assert decided(400, 610, 505) is Verdict.INCONCLUSIVE


def test_a_single_failing_run_is_not_covered_up() -> None:
    """The interval alone would pass; one failing run leaves it open, two are no chance."""
    assert decided(40, 42, 41, 43, 60) is Verdict.PASS
    assert decided(40, 42, 41, 43, 60, fails=1) is Verdict.INCONCLUSIVE
    assert decided(40, 42, 41, 43, 60, fails=2) is Verdict.FAIL
    assert decided(40, 42, 60, fails=2) is Verdict.FAIL


def test_two_runs_give_no_interval() -> None:
    """The worst of both counts, and it is said."""
    check = combine_runs(SPEC, [part(40, Verdict.PASS), part(41, Verdict.PASS)], 2)
    assert check.status is Status.PASS
    assert "2 runs give no interval between runs" in check.message
    assert (
        combine_runs(SPEC, [part(40, Verdict.PASS), part(480)], 2).status.verdict
        is Verdict.INCONCLUSIVE
    )


def test_runs_without_the_percentile_leave_it_open() -> None:
    """A percentile that one run cannot give is not given for the group."""
    unknown = RunEstimate(Verdict.INCONCLUSIVE, None, None, None, LIMIT_NS)
    check = combine_runs(SPEC, [part(40), part(41), unknown], 3)
    assert check.status is Status.INCONCLUSIVE
    assert "make them longer" in check.message


def test_open_groups_say_how_many_more_runs_and_how_they_differ() -> None:
    """Both in the check's sentence."""
    said = combine_runs(SPEC, [part(400), part(610), part(505)], 3).message
    assert "no reasonable number of runs" in said or "more run" in said
    assert "runs differ more than their intervals allow" in said


@given(
    st.lists(
        st.tuples(st.integers(1, 2_000), st.sampled_from([Verdict.PASS, Verdict.FAIL])),
        min_size=3,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_decision_is_sound(runs: list[tuple[int, Verdict]], random: object) -> None:
    """No order matters; no PASS with a failing run or with every run at or above the limit."""
    parts = [part(value, verdict) for value, verdict in runs]
    found = combine_runs(SPEC, parts, len(parts)).status.verdict
    mixed = list(parts)
    random.shuffle(mixed)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    assert combine_runs(SPEC, mixed, len(mixed)).status.verdict is found
    if found is Verdict.PASS:
        assert all(verdict is not Verdict.FAIL for _, verdict in runs)
        assert min(value for value, _ in runs) < 500
    if found is Verdict.FAIL and all(verdict is Verdict.PASS for _, verdict in runs):
        assert max(value for value, _ in runs) >= 500


def member(world: World, seed: int, reports: Path) -> GroupRun:
    """A run of a group."""
    scenario = world.scenario.model_copy(update={"seed": seed})
    judgement = assessed(world, reports).judgement
    system = describe_system(world.stack)
    return GroupRun(f"run-{seed}", scenario, judgement, system, world.plan.contract)


def group_of(worlds: Sequence[World], reports: Path, ended: str = "") -> dict[str, Verdict]:
    """Verdict and unclean checks of a group."""
    members = [member(world, seed, reports) for seed, world in enumerate(worlds, start=1)]
    found = judge_group(members, GroupProgress(seeds=(1, 2, 3), ended=ended), ManifestCheck(None))
    unclean = {c.id: c.status.verdict for c in found.checks if not c.status.is_clean}
    return {"group": found.verdict, **unclean}


def test_clean_runs_pass_together(tmp_path: Path) -> None:
    """Three clean runs, nothing to find."""
    worlds = [healthy(delays=steady(10.0 + number)) for number in range(3)]
    assert group_of(worlds, tmp_path) == {"group": Verdict.PASS}


def test_one_lost_signal_fails_the_group_and_names_the_run(tmp_path: Path) -> None:
    """Integrity is the worst of all runs."""
    worlds = [healthy() for _ in range(3)]
    drop(worlds[1], 1_000)
    found = group_of(worlds, tmp_path)
    assert found["group"] is Verdict.FAIL
    assert found["signals_lost"] is Verdict.FAIL


def test_one_invalid_run_makes_the_group_invalid(tmp_path: Path) -> None:
    """Nobody chooses afterwards which runs count."""
    worlds = [healthy() for _ in range(3)]
    worlds[2].event("service_restarted")
    assert group_of(worlds, tmp_path)["group"] is Verdict.INVALID


def test_group_that_ended_early_is_invalid(tmp_path: Path) -> None:
    """Fewer runs than planned; a person who breaks one off leaves it open."""
    found = group_of([healthy()] * 2, tmp_path, "interrupted")
    assert found["group_runs_complete"] is Verdict.INCONCLUSIVE
    found = group_of([healthy()] * 2, tmp_path, "the stack was lost")
    assert found["group_runs_complete"] is Verdict.INVALID
    assert group_of([healthy()] * 2, tmp_path)["group"] is Verdict.INVALID


def test_runs_of_different_questions_are_no_group(tmp_path: Path) -> None:
    """Another question, or a seed twice, is found."""
    found = group_of([healthy(), healthy(None, "p90 < 500 ms"), healthy()], tmp_path)
    assert found["group_runs_comparable"] is Verdict.INVALID
    twice = [member(healthy(), 1, tmp_path) for _ in range(3)]
    found_twice = judge_group(twice, GroupProgress(seeds=(1, 1, 1)), ManifestCheck(None))
    assert found_twice.verdict is Verdict.INVALID


class Runs:
    """Makes runs on paper; may be set to end in trouble."""

    def __init__(self, trouble: dict[int, BaseException] | None = None) -> None:
        self.seeds: list[int] = []
        self.trouble = trouble or {}

    def once(self, scenario: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
        """One run with the scenario's seed."""
        self.seeds.append(scenario.seed)
        if error := self.trouble.get(scenario.seed):
            raise error
        world = healthy(seed=scenario.seed)
        world.scenario = scenario
        folder = world.write(within)
        return assess_and_store(folder), folder


SCENARIO = healthy(seed=5).scenario


def test_group_is_stored_and_comes_to_the_same_again(tmp_path: Path) -> None:
    """Consecutive seeds, a folder for each run, and the same answer from the folder alone."""
    runs, folder = Runs(), GroupFolder.create(tmp_path, "synthetic", 0)
    found = repeat(SCENARIO, 3, folder, runs.once)
    assert runs.seeds == [5, 6, 7]
    assert found.verdict is Verdict.PASS
    assert folder.path.name.endswith("-repeat")
    stored = folder.result.read_bytes()
    moved = folder.path.rename(tmp_path / "moved")
    again = GroupFolder(moved)
    assert GroupFolder.is_at(moved)
    assert judge_again(again) == found
    assert again.result.read_bytes() == stored


def test_interrupt_in_the_middle_judges_what_was_run(tmp_path: Path) -> None:
    """The group is INVALID, and keeps the runs that were made."""
    folder = GroupFolder.create(tmp_path, "synthetic", 0)
    found = repeat(SCENARIO, 3, folder, Runs({6: Interrupted(2)}).once)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert len(found.runs) == 1
    assert folder.read().ended == INTERRUPTED
    assert judge_again(folder) == found


def test_lost_stack_is_reported_after_the_rest_was_judged(tmp_path: Path) -> None:
    """The error comes out, and the group's result is there."""
    folder = GroupFolder.create(tmp_path, "synthetic", 0)
    with pytest.raises(StackError, match="is lost"):
        repeat(SCENARIO, 3, folder, Runs({7: StackError("is lost", where="engine")}).once)
    assert folder.result.is_file()
    assert folder.read().ended == "engine: is lost"
    assert judge_again(folder).verdict is Verdict.INVALID


def test_missing_run_is_named(tmp_path: Path) -> None:
    """A run that was removed from the folder is not passed over."""
    folder = GroupFolder.create(tmp_path, "synthetic", 0)
    found = repeat(SCENARIO, 3, folder, Runs().once)
    folder.run_path(found.runs[1].run_id).rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="missing"):
        judge_again(folder)
