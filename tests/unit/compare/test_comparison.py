"""Two groups of runs: which count, what decides, what explains, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.comparison import ComparisonVerdict, RunValue
from harness.assessment.compared_figures import FigureKey, FigureKind, parse_percentile
from harness.assessment.comparison import (
    ComparisonQuestion,
    RunSet,
    UnreadRun,
    compare_runs,
)
from harness.assessment.comparison_result import LeftOut, Reason
from harness.errors import UsageError
from harness.judge.verdict import Verdict
from harness.report.compare import explained_by
from harness.scenario import parse_objective
from tests.unit.compare.runs import (
    CPU,
    EQUAL,
    LOCK,
    MS,
    NOISE,
    P50,
    P99,
    compared,
    run,
    side,
    steady,
)

LOST = RunValue(20_000 * MS, is_lower_bound=True)
QUESTION = ComparisonQuestion()


@pytest.mark.parametrize(
    ("level_ms", "verdict"),
    [
        (100.0, ComparisonVerdict.SAME),
        (130.0, ComparisonVerdict.SLOWER),
        (75.0, ComparisonVerdict.FASTER),
        (108.0, ComparisonVerdict.CANNOT_TELL),
    ],
)
def test_verdict_follows_the_level(level_ms: float, verdict: ComparisonVerdict) -> None:
    """Runs that vary by 4 %, at a margin of 10 %."""
    result = compared(steady(100, 7), steady(level_ms, 7))
    assert result.verdict is verdict
    assert result.exit_code == int(verdict.exit_code)
    is_open = verdict is ComparisonVerdict.CANNOT_TELL
    assert result.reason is (Reason.INTERVAL_TOO_WIDE if is_open else Reason.DECIDED)
    assert result.ratio is not None
    assert result.ratio.estimate_least == pytest.approx(level_ms / 100, rel=0.05)
    assert (result.base.counted, result.new.counted) == (7, 7)


def test_margin_is_settable() -> None:
    """What is slower at 10 % is the same at 50 %."""
    assert compared(steady(100), steady(130)).verdict is ComparisonVerdict.SLOWER
    assert compared(steady(100), steady(130), margin=0.5).verdict is ComparisonVerdict.SAME


@pytest.mark.parametrize(("base", "new"), [(1, 5), (3, 3), (5, 3), (1, 1)])
def test_fewer_than_four_runs_decide_nothing(base: int, new: int) -> None:
    """However far apart they are; what is missing is counted."""
    result = compared(steady(100, base), steady(10_000, new))
    assert result.verdict is ComparisonVerdict.CANNOT_TELL
    assert result.reason is Reason.TOO_FEW_RUNS
    assert result.runs_more is not None
    assert result.runs_more.base == max(0, 4 - base)
    assert result.runs_more.new == max(0, 4 - new)


def test_runs_more_are_stated_where_the_interval_is_too_wide() -> None:
    """For each side."""
    noisy = [60.0, 150.0, 90.0, 130.0, 100.0]
    result = compared(noisy, [1.02 * one for one in noisy])
    assert result.verdict is ComparisonVerdict.CANNOT_TELL
    assert result.runs_more is not None
    assert result.runs_more.base == result.runs_more.new > 10


def test_an_invalid_run_is_left_out_and_named() -> None:
    """Its latency measures nothing, whatever its verdict says besides."""
    base, new = side("base", steady(100)), side("new", steady(100), first=100)
    wrong = run(200, RunValue(9_000 * MS), invalid="generator_lag_p99: late", verdict=Verdict.FAIL)
    result = compare_runs(base, replace(new, runs=(*new.runs, wrong)), QUESTION)
    assert result.verdict is compare_runs(base, new, QUESTION).verdict
    (entry,) = [one for one in result.new.runs if one.left_out]
    assert (entry.run_id, entry.left_out) == ("run-200", LeftOut.INVALID)
    assert "generator_lag_p99" in entry.detail
    assert result.new.counted == 5


def test_runs_that_fail_or_are_undecided_count() -> None:
    """A regression often is a FAIL."""
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        new = side("new", steady(900), first=100, verdict=verdict)
        result = compare_runs(side("base", steady(100)), new, QUESTION)
        assert result.verdict is ComparisonVerdict.SLOWER


def test_a_run_without_an_estimate_and_one_that_is_unreadable_are_named() -> None:
    """Neither is dropped silently."""
    base, new = side("base", steady(100)), side("new", steady(100), first=100)
    spoiled = RunSet("new", (*new.runs, run(200, None)), (UnreadRun("run-201", "is missing"),))
    result = compare_runs(base, spoiled, QUESTION)
    left_out = {one.run_id: one.left_out for one in result.new.runs if one.left_out}
    assert left_out == {"run-200": LeftOut.NO_ESTIMATE, "run-201": LeftOut.UNREADABLE}
    assert result.new.counted == 5


def test_a_side_without_a_run_that_counts_is_invalid() -> None:
    """Exit code 4: nothing is known of the system."""
    wrong = side("new", steady(100), first=100, invalid="clock_stable: stepped")
    result = compare_runs(side("base", steady(100)), wrong, QUESTION)
    assert result.verdict is ComparisonVerdict.INVALID
    assert result.reason is Reason.NO_VALID_RUN
    assert (result.exit_code, result.ratio, result.runs_more) == (4, None, None)


def test_runs_that_lost_their_tail_are_slower() -> None:
    """Their percentile is a lower bound: no upper bound of the ratio is claimed."""
    result = compared(steady(100), [LOST] * 5)
    assert result.verdict is ComparisonVerdict.SLOWER
    assert result.ratio is not None
    assert result.ratio.lower is not None
    assert result.ratio.upper is None
    assert all(one.is_lower_bound for one in result.new.runs)
    assert result.new.median_is_lower_bound


@given(
    st.lists(st.floats(50, 200), min_size=5, max_size=8),
    st.lists(st.floats(50, 200), min_size=5, max_size=8),
)
def test_losing_the_tail_of_one_run_never_makes_new_faster(
    base: list[float], new: list[float]
) -> None:
    """Instead of any figure of a new run; the law that a trend over upper bounds breaks."""
    before, after = compared(base, new), compared(base, [*new[1:], LOST])
    assert after.verdict is not ComparisonVerdict.FASTER or (
        before.verdict is ComparisonVerdict.FASTER
    )
    if before.verdict is ComparisonVerdict.SLOWER:
        assert after.verdict is ComparisonVerdict.SLOWER


def test_a_run_on_both_sides_is_refused() -> None:
    """It would be compared with itself."""
    with pytest.raises(UsageError, match="run-000"):
        compare_runs(side("base", steady(100)), side("new", steady(100)), QUESTION)


def test_fingerprints_that_differ_are_refused_by_name() -> None:
    """Every difference, unless its aspect is allowed; then it is part of the result."""
    other = {"host": {"cpu_model": "b"}, "images": {"engine": "2"}}
    base = side("base", steady(100))
    new = side("new", steady(130), first=100, fingerprint=other)
    with pytest.raises(UsageError) as caught:
        compare_runs(base, new, QUESTION)
    assert "cpu_model" in caught.value.what
    assert "images: engine is 1 in BASE, 2 in NEW" in caught.value.what
    assert "images,host" in caught.value.hint
    with pytest.raises(UsageError, match="cpu_model") as caught:
        compare_runs(base, new, ComparisonQuestion(allowed=("images",)))
    assert "engine" not in caught.value.what
    result = compare_runs(base, new, ComparisonQuestion(allowed=("images", "host")))
    assert result.verdict is ComparisonVerdict.SLOWER
    assert [one.key for one in result.allowed] == ["engine", "cpu_model"]


def test_differences_within_one_side_are_refused_too() -> None:
    """Half of BASE on another host is no baseline."""
    mixed = side("base", steady(100))
    odd = replace(mixed.runs[0], fingerprint={**EQUAL, "host": {"cpu_model": "b"}})
    with pytest.raises(UsageError, match="a and b in BASE, a in NEW"):
        compare_runs(
            replace(mixed, runs=(odd, *mixed.runs[1:])),
            side("new", steady(100), first=100),
            QUESTION,
        )


def test_a_run_that_is_left_out_may_differ() -> None:
    """It decides nothing."""
    base, new = side("base", steady(100)), side("new", steady(100), first=100)
    wrong = run(200, None, invalid="stack_consistent: lost", fingerprint={})
    compare_runs(base, replace(new, runs=(*new.runs, wrong)), QUESTION)


def explained(base_figures: dict[FigureKey, float], new_figures: dict[FigureKey, float]) -> RunSet:
    """Two sides whose figures vary as their percentiles do."""
    sides = [
        [
            run(
                first + number,
                RunValue(100 * MS * noise),
                figures={key: value * noise for key, value in figures.items()},
            )
            for number, noise in enumerate(NOISE)
        ]
        for first, figures in ((0, base_figures), (100, new_figures))
    ]
    return RunSet("both", tuple(sides[0] + sides[1]))


def test_the_stage_that_grew_is_named() -> None:
    """As in: the lock stage grew 40 %, engine CPU per signal 22 %; the rest did not change."""
    still = FigureKey(FigureKind.LATENCY_STAGE, "sent -> accepted by Redis", "lite", "ns")
    both = explained({LOCK: 5e6, CPU: 1e-3, still: 3e5}, {LOCK: 7e6, CPU: 1.22e-3, still: 3e5}).runs
    result = compare_runs(RunSet("base", both[:10]), RunSet("new", both[10:]), QUESTION)
    assert result.verdict is ComparisonVerdict.SAME  # explanations never decide
    found = {one.name: one for one in result.changes}
    assert [one.name for one in result.changes[:2]] == [LOCK.name, CPU.name]
    assert found[LOCK.name].ratio == pytest.approx(1.4)
    assert found[CPU.name].ratio == pytest.approx(1.22)
    assert found[LOCK.name].lower > 1
    assert [name for name, one in found.items() if one.is_significant] == [LOCK.name, CPU.name]
    for one in result.changes:
        assert one.p_adjusted >= one.p_value


def test_the_largest_difference_is_first_and_not_the_largest_ratio() -> None:
    """A lock stage is named though small stages and percentiles grew by more."""
    small = [
        FigureKey(FigureKind.ENGINE_TRANSITION, f"engine {name}", "lite", "ns")
        for name in ("RECEIVED->INIT", "INIT->EVALUATED", "LOCKED->SIMULATED")
    ]
    base = {LOCK: 5e6, CPU: 1e-3, **dict.fromkeys(small, 5e4)}
    new = {LOCK: 7e6, CPU: 2e-3, **dict.fromkeys(small, 1e5)}
    both = explained(base, new).runs
    slow = [
        replace(one, percentiles={**one.percentiles, P50: RunValue(5 * one.percentiles[P99].value)})
        for one in both[10:]
    ]
    fast = [
        replace(one, percentiles={**one.percentiles, P50: one.percentiles[P99]})
        for one in both[:10]
    ]
    result = compare_runs(RunSet("base", tuple(fast)), RunSet("new", tuple(slow)), QUESTION)
    assert all(one.is_significant for one in result.changes)
    assert result.changes[0].name == LOCK.name
    assert [one.kind for one in result.changes[-2:]] == [
        FigureKind.CPU_PER_SIGNAL,
        FigureKind.PERCENTILE,
    ]
    named = explained_by(result)
    assert LOCK.name in named[0]
    assert "CPU" in named[-1]


def test_a_figure_of_too_few_runs_explains_nothing() -> None:
    """As one that only some runs have telemetry for."""
    few = [run(n, RunValue(MS), figures={CPU: 1.0} if n < 3 else {}) for n in range(5)]
    result = compare_runs(
        RunSet("base", tuple(few)), side("new", steady(1), first=100, figures={CPU: 2.0}), QUESTION
    )
    assert result.changes == ()


def test_other_percentiles_explain_and_the_compared_one_does_not() -> None:
    """P50 beside P99, each from the runs that have it."""
    percentiles = {P99: RunValue(100 * MS), P50: RunValue(10 * MS)}
    base = RunSet("base", tuple(run(n, None, percentiles=percentiles) for n in range(5)))
    new = RunSet("new", tuple(run(n + 100, None, percentiles=percentiles) for n in range(5)))
    result = compare_runs(base, new, QUESTION)
    assert [(one.kind, one.name) for one in result.changes] == [(FigureKind.PERCENTILE, "p50")]
    asked = ComparisonQuestion(objective=parse_percentile("p50"))
    other = compare_runs(base, new, asked)
    assert other.percentile == "p50"
    assert [one.name for one in other.changes] == ["p99"]


def test_a_percentile_that_no_run_has_is_refused_with_those_that_there_are() -> None:
    """Also one of a mode without signals."""
    for text in ("p99.9", "full p99"):
        with pytest.raises(UsageError) as caught:
            compared(steady(100), steady(100), objective=parse_percentile(text))
        assert "lite p99" in caught.value.hint


def test_the_scenario_says_which_percentile() -> None:
    """The first objective for one; a mode in it counts."""
    both = {P99: RunValue(100 * MS), P99._replace(mode="full"): RunValue(200 * MS)}
    runs = [run(n, None, percentiles=both) for n in range(10)]
    base, new = RunSet("base", tuple(runs[:5])), RunSet("new", tuple(runs[5:]))
    assert compare_runs(base, new, QUESTION).mode == "lite"
    objective = parse_objective("full p99 < 1 s")
    base = replace(base, runs=tuple(replace(one, objective=objective) for one in base.runs))
    result = compare_runs(base, new, QUESTION)
    assert (result.percentile, result.mode) == ("p99", "full")
    assert result.base.median_ns == pytest.approx(200 * MS)


@pytest.mark.parametrize(
    "text", ["p100", "p99 over any 5 s", "stage 1 p99", "rejected", "p99 < 1 s"]
)
def test_what_is_no_percentile_is_refused(text: str) -> None:
    """With an example of what is."""
    with pytest.raises(UsageError) as caught:
        parse_percentile(text)
    assert "p50" in caught.value.hint
