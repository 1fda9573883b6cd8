"""Each kind of criterion judges its own evidence, and refuses that of another question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.capacity.trials import Answer, SearchPlan
from harness.assessment.assess import Assessment, assess
from harness.assessment.capacity_folder import CapacityFolder
from harness.assessment.signoff import ReasonId
from harness.errors import EvidenceError
from harness.evidence.chaos_folder import ChaosFolder, ChaosProgress
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.experiments.capacity import search_capacity
from harness.experiments.chaos import run_rounds
from harness.experiments.repeat import repeat
from harness.experiments.signoff_judging import (
    AttemptQuestion,
    attempt_scenario,
    judge_capacity,
    judge_chaos,
    judge_isolation_run,
    judge_repeat,
    judge_run,
)
from harness.judge.verdict import Verdict
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis
from harness.scenario.policy import Criterion, Policy
from tests.unit.analysis.evidence import healthy
from tests.unit.capacity.searches import System, Truth, base, sharp, use_truth
from tests.unit.signoff.signoffs import BASE, WALL_NS, Act, fine, lossy

SEED = 1 << 61


def criterion(**keys: Any) -> Criterion:
    """A criterion of a policy."""
    entry = {"id": "it", "question": "?", "scenario": "synthetic.toml", **keys}
    document = {"policy": {"name": "p", "about": "a"}, "criterion": [entry]}
    return Policy.model_validate(document).criterion[0]


def asked(own: Criterion, scenario: Scenario = BASE, seed: int = SEED) -> AttemptQuestion:
    """The question of an attempt."""
    return AttemptQuestion(own, attempt_scenario(own, scenario, seed))


def once_of(*acts: Act) -> Callable[[Scenario, Path], tuple[Assessment, RunFolder]]:
    """Makes runs without a system; the first ones as a test wants them."""
    left = list(acts)

    def once(scenario: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
        world = healthy(scenario.load, *map(str, scenario.objectives), seed=scenario.seed)
        world.scenario = scenario
        (left.pop(0) if left else fine)(world)
        folder = world.write(within)
        return assess(folder), folder

    return once


def test_no_evidence_is_none(tmp_path: Path) -> None:
    """Whatever is asked."""
    for judge in (judge_run, judge_repeat, judge_capacity, judge_isolation_run, judge_chaos):
        assert judge(asked(criterion(kind="run")), tmp_path) is None


def test_a_run_without_the_checks_that_are_asked_for(tmp_path: Path) -> None:
    """Child processes have no quotas: the run is PASS, and says nothing of them."""
    question = asked(criterion(kind="quotas"))
    once_of()(question.scenario, tmp_path)
    found = judge_run(question, tmp_path)
    assert found is not None
    assert (found.verdict, found.is_unanswerable) == (Verdict.INCONCLUSIVE, True)
    assert [(one.id, one.check) for one in found.reasons] == [
        (ReasonId.CHECK_MISSING, "quotas_enforced")
    ]


def test_two_runs_are_no_attempt(tmp_path: Path) -> None:
    """It is not known which one is meant."""
    question = asked(criterion(kind="run"))
    for _ in range(2):
        once_of()(question.scenario, tmp_path)
    with pytest.raises(EvidenceError, match="has one, not 2"):
        judge_run(question, tmp_path)


@pytest.mark.parametrize(
    ("acts", "verdict"), [((), Verdict.PASS), ((fine, lossy), Verdict.FAIL)], ids=["pass", "fail"]
)
def test_a_group(acts: tuple[Act, ...], verdict: Verdict, tmp_path: Path) -> None:
    """Each run has the next seed; another attempt has others."""
    question = asked(criterion(kind="repeat", times=4))
    folder = GroupFolder.create(tmp_path, "synthetic", WALL_NS)
    repeat(question.scenario, 4, folder, once_of(*acts))
    found = judge_repeat(question, tmp_path)
    assert found is not None
    assert found.verdict is verdict
    assert not found.is_interrupted
    other = asked(question.criterion, seed=SEED + 1)
    with pytest.raises(EvidenceError, match="seeds"):
        judge_repeat(other, tmp_path)


def test_rounds_of_another_fault_are_refused(tmp_path: Path) -> None:
    """What is drawn follows from the seed; without its proof a round is INVALID."""
    question = asked(criterion(kind="chaos", rounds=2))
    folder = ChaosFolder.create(tmp_path, question.scenario, WALL_NS)
    choices = (("checkpoint", "postgres"), ("aof_rewrite", "redis"))
    facts = ChaosProgress(seed=SEED, rounds=2, stack="process", choices=choices)
    folder.write(facts)
    run_rounds(folder, once_of(), lambda _: None)
    found = judge_chaos(question, tmp_path)
    assert found is not None
    assert (found.verdict, found.figures["rounds"]) == (Verdict.INVALID, 2)
    runs = folder.read().runs
    for change in ({"choices": (("pause", "redis"),)}, {"runs": runs[::-1]}, {"seed": SEED + 1}):
        folder.write(facts.model_copy(update={"runs": runs, **change}))
        with pytest.raises(EvidenceError):
            judge_chaos(question, tmp_path)


def test_blocks_whose_disturbance_is_not_proven(tmp_path: Path) -> None:
    """Nothing follows from them, and they may be repeated."""
    own = criterion(
        kind="isolation",
        disturb=[{"kind": "pause", "target": "data-processor"}],
        pairs=5,
        block_s=5.0,
    )
    question = asked(own)
    assert question.scenario.isolation == own.blocks  # type: ignore[attr-defined]
    assert {one.target for one in question.scenario.fault} == {"data-processor"}
    once_of()(question.scenario, tmp_path)
    found = judge_isolation_run(question, tmp_path)
    assert found is not None
    assert found.verdict is Verdict.INVALID


PLAN = SearchPlan(start=300, minimum=10, maximum=300, confirmations=2)


def searched(path: Path, truth: Truth, interrupted_at: int = 0) -> AttemptQuestion:
    """A search up to 300/s that has ended."""
    own = criterion(kind="capacity", least=300)
    question = replace(asked(own, base()), search=PLAN)
    system = System(truth, interrupted_at)
    folder = CapacityFolder.create(path, question.scenario, WALL_NS)
    search_capacity(
        question.scenario, CapacityAxis.RATE, PLAN, folder, system.once, clock=system.clock
    )
    return question


@pytest.mark.parametrize(
    ("truth", "verdict"),
    [
        (sharp(400), Verdict.PASS),
        (sharp(200), Verdict.FAIL),
        (lambda *_: Answer.INVALID, Verdict.INVALID),
        (lambda *_: Answer.UNDECIDED, Verdict.INCONCLUSIVE),
    ],
    ids=["met", "broken", "invalid", "undecided"],
)
def test_a_capacity(
    truth: Truth, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rate that is asked for has to be confirmed."""
    use_truth(monkeypatch)
    question = searched(tmp_path, truth)
    found = judge_capacity(question, tmp_path)
    assert found is not None
    assert found.verdict is verdict
    assert not found.is_interrupted
    with pytest.raises(EvidenceError, match="not the search"):
        judge_capacity(replace(question, search=PLAN.model_copy(update={"width": 0.1})), tmp_path)


def test_a_search_that_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be resumed."""
    use_truth(monkeypatch)
    found = judge_capacity(searched(tmp_path, sharp(400), interrupted_at=2), tmp_path)
    assert found is not None
    assert found.is_interrupted
