"""A search runs trials until its bounds are proven, and can be broken off anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.capacity.trials import Answer, EndReason, SearchPlan
from harness.analysis.measurement import BreakdownStageFigures, LatencyBreakdownFigures
from harness.assessment.capacity import CapacityResult
from harness.assessment.capacity_folder import CapacityFolder
from harness.diagnosis.answers import Answer as Found
from harness.diagnosis.answers import Diagnosis, Evidence, Question, StageShare
from harness.errors import EvidenceError, StackError, UsageError
from harness.experiments import capacity
from harness.experiments.capacity import judge_search, resume_search, search_capacity
from harness.judge.verdict import Verdict
from harness.scenario.capacity_axis import CapacityAxis
from tests.unit.capacity.searches import (
    PLAN,
    System,
    Truth,
    base,
    diagnosed,
    new_folder,
    sharp,
    use_truth,
)


@pytest.fixture(autouse=True)
def _truth(monkeypatch: pytest.MonkeyPatch) -> None:
    use_truth(monkeypatch)


def search(
    path: Path, system: System, plan: SearchPlan = PLAN, within_s: float | None = None
) -> tuple[CapacityFolder, CapacityResult]:
    """A whole search by rate."""
    folder = new_folder(path)
    result = search_capacity(
        base(),
        CapacityAxis.RATE,
        plan,
        folder,
        system.once,
        within_s=within_s,
        clock=system.clock,
    )
    return folder, result


def test_the_truth_is_between_the_proven_bounds(tmp_path: Path) -> None:
    """And they are as close as asked for; the result is stored as it is returned."""
    folder, result = search(tmp_path, System(sharp(737)))
    bounds = result.bounds
    assert (result.verdict, result.exit_code, result.reason) == (Verdict.PASS, 0, EndReason.FOUND)
    assert bounds.proven_met is not None
    assert bounds.confirmed_broken is not None
    assert bounds.proven_met <= 737 < bounds.confirmed_broken
    assert bounds.confirmed_broken - bounds.proven_met <= 0.0501 * bounds.confirmed_broken
    assert folder.read_result() == result
    assert result.bottleneck is not None
    assert result.bottleneck.level == bounds.confirmed_broken


def test_each_trial_has_fresh_data(tmp_path: Path) -> None:
    """A seed of its own, at its level, and its objectives end it once they fail."""
    system = System(sharp(737))
    _, result = search(tmp_path, system)
    assert [one.seed for one in system.made] == [2 + n for n in range(len(system.made))]
    assert [one.load.stages[0].rate_from for one in system.made] == [
        one.level for one in result.trials
    ]
    assert all(one.load.abort_on_overload for one in system.made)
    assert all(one.slos()[0].abort_on_fail for one in system.made)


def test_it_goes_on_at_every_point(tmp_path: Path) -> None:
    """Interrupted at any trial and gone on with: the same answer, and no trial is made twice."""
    plan = PLAN.model_copy(update={"width": 0.2, "confirmations": 1})
    whole = System(sharp(737))
    _, expected = search(tmp_path / "whole", whole, plan)
    for at in range(1, len(whole.made) + 1):
        first, second = System(sharp(737), interrupted_at=at), System(sharp(737))
        folder, early = search(tmp_path / f"{at}", first, plan)
        assert (early.reason, early.exit_code) == (EndReason.INTERRUPTED, 3)
        result = resume_search(CapacityFolder.open(folder.path), second.once, clock=second.clock)
        assert [*first.made, *second.made] == whole.made
        assert result.bounds == expected.bounds
        assert (result.verdict, result.reason) == (expected.verdict, expected.reason)


def test_a_crash_loses_one_trial(tmp_path: Path) -> None:
    """An error of the stack ends the command; what was made is stored, and counts."""
    system, made = System(sharp(737)), 0

    def crashing(*arguments: object) -> object:
        nonlocal made
        made += 1
        if made == 4:
            raise StackError("lost", where="engine")
        return system.once(*arguments)  # type: ignore[arg-type]  # passed on as they are

    folder = new_folder(tmp_path)
    with pytest.raises(StackError, match="lost"):
        search_capacity(base(), CapacityAxis.RATE, PLAN, folder, crashing)  # type: ignore[arg-type]  # the same
    assert len(folder.read().trials) == 3
    result = resume_search(folder, system.once)
    assert result.reason is EndReason.FOUND
    assert len({one.seed for one in system.made}) == len(system.made)


def test_judged_again_it_is_the_same(tmp_path: Path) -> None:
    """From the evidence alone; nothing is run."""
    folder, result = search(tmp_path, System(sharp(300)))
    folder.result.unlink()
    assert judge_search(folder) == result
    assert folder.read_result() == result


def test_the_time_budget_ends_it(tmp_path: Path) -> None:
    """With the bounds so far; it can be gone on with, without a budget or with another one."""
    system = System(sharp(737))
    folder, result = search(tmp_path, system, within_s=300)
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, EndReason.OUT_OF_TIME)
    assert result.exit_code == 3
    assert result.elapsed_s <= 300
    assert result.bounds.met is not None
    assert result.bounds.met <= 737
    more = resume_search(folder, system.once, within_s=130, clock=system.clock)
    assert len(more.trials) - len(result.trials) == 2
    last = resume_search(folder, system.once, clock=system.clock)
    assert last.reason is EndReason.FOUND


@pytest.mark.parametrize(
    ("truth", "reason", "verdict", "exit_code"),
    [
        (sharp(0), EndReason.NEVER_MET, Verdict.FAIL, 1),
        (sharp(1e9), EndReason.NEVER_BROKEN, Verdict.PASS, 0),
        (lambda *_: Answer.INVALID, EndReason.TOO_MANY_INVALID, Verdict.INVALID, 4),
    ],
)
def test_ends_without_two_bounds(
    tmp_path: Path, truth: Truth, reason: EndReason, verdict: Verdict, exit_code: int
) -> None:
    """Never met, never broken, never valid: each says so by its exit code."""
    _, result = search(tmp_path, System(truth))
    assert (result.reason, result.verdict, result.exit_code) == (reason, verdict, exit_code)


def test_an_invalid_trial_is_repeated(tmp_path: Path) -> None:
    """On fresh data, and long enough to see whether the backlog grows."""

    def at_times(level: float, number: int) -> Answer:
        return Answer.INVALID if number == 2 else sharp(737)(level, number)

    system = System(at_times)
    _, result = search(tmp_path, system)
    assert result.reason is EndReason.FOUND
    first, again = system.made[1:3]
    assert result.trials[2].attempt == 2
    assert first.load.stages[0].rate_from == again.load.stages[0].rate_from
    assert again.load.stages[0].duration_s > 30 > first.load.stages[0].duration_s
    assert again.slos()[0].abort_delay_s > 30


def test_another_order_of_trials_is_refused(tmp_path: Path) -> None:
    """A trial stands only where the search asks for it."""
    folder, _ = search(tmp_path, System(sharp(737)))
    facts = folder.read()
    folder.write(facts.model_copy(update={"trials": facts.trials[1:]}))
    with pytest.raises(EvidenceError, match="do not follow from each other"):
        judge_search(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objectives": ("rejected < 1 %",)}, "no objective limits a percentile"),
        ({"objectives": ("p99 < 500 ms", "recovery < 15 s")}, "not about a load of one stage"),
    ],
)
def test_what_cannot_be_searched(tmp_path: Path, change: dict[str, object], message: str) -> None:
    """Is refused before a trial."""
    scenario = base().model_copy(update=change)
    with pytest.raises(UsageError, match=message):
        search_capacity(
            scenario, CapacityAxis.RATE, PLAN, new_folder(tmp_path), System(sharp(1)).once
        )


def test_another_folder_is_refused(tmp_path: Path) -> None:
    """With what it should be."""
    with pytest.raises(UsageError, match="not the folder of a search"):
        CapacityFolder.open(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        CapacityFolder.open(tmp_path / "away")


@pytest.mark.parametrize(
    ("questions", "key", "message"),
    [
        ([("engine_cpu", Found.YES, 3.84, 3.2)], "engine_cpu", "engine CPU at 96 % of its quota"),
        ([("engine_cpu", Found.YES, 0.97, None)], "engine_cpu", "engine CPU"),
        (
            [("engine_cpu", Found.NO, 0.1, None), ("nonce_locks", Found.YES, 1.0, None)],
            "nonce_locks",
            "waits for the nonce lock",
        ),
        ([("host", Found.UNKNOWN, 0.1, None)], "", "the diagnosis names no cause"),
    ],
)
def test_the_bottleneck_is_the_first_yes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    questions: list[tuple[str, Found, float, float | None]],
    key: str,
    message: str,
) -> None:
    """In the order of the specification, of the lowest level that broke."""
    answers = tuple(
        Question(
            key=name,
            asks="?",
            answer=answer,
            message="figures",
            evidence=(
                Evidence(
                    track="service.engine.cpu_cores",
                    message="figures",
                    value=value,
                    limit=limit,
                    start_s=0.0,
                    end_s=1.0,
                ),
            ),
        )
        for name, answer, value, limit in questions
    )
    diagnosis = Diagnosis(because="slow", headline=None, questions=answers)
    monkeypatch.setattr(capacity, "assess", lambda *_, **__: diagnosed(diagnosis))
    _, result = search(tmp_path, System(sharp(737)))
    assert result.bottleneck is not None
    assert (result.bottleneck.key, result.bottleneck.message) == (key, message)
    assert result.bottleneck.level == result.bounds.broken


def test_without_a_cause_the_bottleneck_has_the_largest_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its share of the latency, and what it contains."""
    stages = [("accepted by Redis", "INIT committed", 900), ("INIT committed", "SIMULATED", 100)]
    split = LatencyBreakdownFigures(
        phase="measure",
        mode="lite",
        stages=tuple(
            BreakdownStageFigures(
                start=start,
                end=end,
                merged=(),
                count=1,
                sum_ns=sum_ns,
                mean_ns=sum_ns,
                p50_ns=None,
                p99_ns=None,
                max_ns=sum_ns,
                negative=0,
            )
            for start, end, sum_ns in stages
        ),
        count=1,
        total_sum_ns=1_000,
        total_mean_ns=1_000,
        notes=(),
    )
    diagnosis = Diagnosis(because="slow", headline=None, questions=())
    monkeypatch.setattr(capacity, "assess", lambda *_, **__: diagnosed(diagnosis, (split,)))
    _, result = search(tmp_path, System(sharp(737)))
    assert result.bottleneck is not None
    assert result.bottleneck.key == ""
    assert result.bottleneck.stage == StageShare(
        start="accepted by Redis",
        end="INIT committed",
        share=0.9,
        contains="waiting for a worker of the engine",
    )
