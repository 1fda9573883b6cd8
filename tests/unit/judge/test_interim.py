"""A run that goes on while it is undecided: its plan, its analyses, its verdict."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from harness.analysis.statistics import CONFIDENCE, interim_confidence
from harness.assessment.assess import Assessment
from harness.contract.names import State
from harness.judge.interim_analysis import InterimAnalysis, format_analysis
from harness.judge.interim_analyzer import SLACK_NS, InterimAnalyzer
from harness.judge.verdict import Verdict
from harness.report.headline import headline
from harness.scenario import Load, Phase, Scenario, Stage
from harness.scenario.load import analysis_times_s, confidence_of_each
from harness.schedule.pacing import intended_offsets
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy, scenario_of, without
from tests.unit.judge.assessing import assessed, unclean

LIMIT_NS = 500 * MS


def load_until(least_s: float = 20.0, most_s: float = 80.0, rate: float = 100.0) -> Load:
    """A load that may go on."""
    stage = Stage(agents=5, rate_from=rate, rate_to=rate, duration_s=least_s)
    return Load(stages=(stage,), warmup_s=1.0, drain_s=5.0, until_decided_s=most_s)


LOAD = load_until()


@given(least_s=st.floats(1, 1_000), growth=st.floats(1, 100))
def test_analyses_are_planned_from_the_least_to_the_most(least_s: float, growth: float) -> None:
    """Each at least a quarter later than the one before, and the last at the end."""
    times = analysis_times_s(least_s, least_s * growth)
    assert times[0] == least_s
    assert times[-1] == pytest.approx(least_s * growth)
    gaps = pairwise(times) if len(times) > 2 else ()
    assert all(later >= 1.24 * earlier for earlier, later in gaps)
    assert list(times) == sorted(set(times))


@given(analyses=st.integers(1, 50))
def test_all_analyses_together_err_as_often_as_one(analyses: int) -> None:
    """The union bound over equal shares."""
    each = 1 - confidence_of_each(CONFIDENCE, analyses)
    assert each * analyses == pytest.approx(1 - CONFIDENCE)


def test_smoke_has_four_analyses() -> None:
    """The figures that the documents name."""
    assert analysis_times_s(30, 180) == (30, 60, 120, 180)
    assert interim_confidence(LOAD) == pytest.approx(1 - 0.05 / 3)
    assert interim_confidence(LOAD.of_fixed_length()) == CONFIDENCE


@pytest.mark.parametrize("agent", [0, 3])
@pytest.mark.parametrize("analyses", [1, 2, 3])
def test_load_that_ended_is_the_beginning_of_the_plan(agent: int, analyses: int) -> None:
    """Stages keep their numbers and signals their times, so that the journal fits both."""
    end_ns = 43 * S
    ended = LOAD.ended_after(analyses, end_ns)
    planned = [one for _, part in intended_offsets(LOAD, 7, agent) for one in part.tolist()]
    due = [one for _, part in intended_offsets(ended, 7, agent) for one in part.tolist()]
    assert due == planned[: len(due)]
    phases = [stage.phase for stage in ended.timeline()]
    assert phases[: analyses + 1] == [Phase.WARMUP, *[Phase.MEASURE] * analyses]
    assert set(phases[analyses + 1 :]) <= {Phase.COOLDOWN}
    measured_s = sum(one.duration_s for one in ended.timeline() if one.phase is Phase.MEASURE)
    assert measured_s == LOAD.analysis_times_s()[analyses - 1]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"until_decided_s": 20.0}, "maximum measured length"),
        ({"repeat": 2}, "one stage"),
        ({"stages": [*LOAD.stages, *LOAD.stages]}, "one stage"),
        ({"stages": [LOAD.stages[0].model_copy(update={"rate_to": 9.0})]}, "one rate"),
        ({"stages": [LOAD.stages[0].model_copy(update={"phase": Phase.WARMUP})]}, "measured"),
    ],
)
def test_only_a_level_load_may_go_on(change: dict[str, object], word: str) -> None:
    """What goes on must be more of the same."""
    stages = [one.model_dump() for one in change.get("stages", LOAD.stages)]  # type: ignore[attr-defined] # stages
    with pytest.raises(ValidationError, match=word):
        Load.model_validate({**LOAD.model_dump(), **change, "stages": stages})


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"objectives": ["max < 1 s"]}, "no objective has a confidence interval"),
        ({"objectives": ["stage 1 p99 < 1 s"]}, "leave out 'stage'"),
        ({"fault": [{"kind": "kill", "target": "engine", "at_s": 1.0}]}, r"\[\[fault\]\] needs"),
    ],
)
def test_only_a_question_of_percentiles_may_go_on(change: dict[str, object], word: str) -> None:
    """Faults have times in a load whose length is known."""
    document = scenario_of(LOAD, "p99 < 500 ms").model_dump()
    with pytest.raises(ValidationError, match=word):
        Scenario.model_validate({**document, **change})


def analyses_of(*objectives: str, load: Load = LOAD) -> InterimAnalyzer:
    """The analyses of a run with these objectives."""
    return InterimAnalyzer(scenario_of(load, *objectives), 0)


def feed(
    analyses: InterimAnalyzer,
    until_s: float,
    latency_ns: NDArray[np.int64] | int,
    *,
    rejected: int = 0,
    lacking: int = 0,
) -> None:
    """100 signals/s from 1 s on, seen after a latency; the last ones are rejected, or not seen."""
    times = 1 * S + np.arange(round(until_s * 100), dtype=np.int64) * (S // 100)
    modes = np.zeros(len(times), dtype=np.uint8)
    analyses.due(times, modes)
    end = len(times) - lacking
    states = np.full(end, State.SIMULATED)
    states[end - rejected :] = State.INVARIANT_BROKEN
    seen = times[:end] + (latency_ns if isinstance(latency_ns, int) else latency_ns[:end])
    analyses.final(times[:end], modes[:end], seen, states)


def varied(number: int, typical_ms: float = 10.0) -> NDArray[np.int64]:
    """Independent latencies."""
    draws = np.random.default_rng(3).lognormal(np.log(typical_ms * MS), 0.3, number)
    return draws.astype(np.int64)


def used(analyses: InterimAnalyzer, now_s: float) -> InterimAnalysis:
    """The analysis that is due."""
    found = analyses.next_analysis(round(now_s * S))
    assert found is not None
    return found


@pytest.mark.parametrize(("typical_ms", "verdict"), [(10, Verdict.PASS), (900, Verdict.FAIL)])
def test_clear_systems_are_decided_at_once(typical_ms: float, verdict: Verdict) -> None:
    """Both ways, at the first analysis and not before."""
    analyses = analyses_of("p99 < 500 ms")
    feed(analyses, 20, varied(2_000, typical_ms))
    assert analyses.next_analysis(21 * S - 1) is None
    found = used(analyses, 21)
    assert (found.number, found.measured_s, found.left_s) == (1, 20, 60)
    assert (found.verdict, found.is_decided) == (verdict, True)
    assert "decided after 20 s" in format_analysis(found)
    assert analyses.next_analysis(21 * S) is None, "the next one is not due"


def test_a_system_at_its_limit_stays_undecided() -> None:
    """The sentence says how much longer it may take, and why."""
    analyses = analyses_of("p99 < 500 ms")
    latencies = varied(2_000)
    latencies[::100] = 600 * MS  # 1 %
    feed(analyses, 20, latencies)
    found = used(analyses, 21)
    assert not found.is_decided
    assert format_analysis(found).startswith(
        "still undecided after 20 s, up to 60 s more (p99 < 500 ms"
    )


def test_open_signals_are_waited_for_and_then_count_as_beyond() -> None:
    """As long as the limit and what the observer may take; 2 % of the signals are lost here."""
    analyses = analyses_of("p99 < 500 ms")
    feed(analyses, 20, varied(2_000), lacking=40)
    patience_ns = LIMIT_NS + SLACK_NS
    assert analyses.next_analysis(21 * S + patience_ns - 1) is None
    found = analyses.next_analysis(21 * S + patience_ns)
    assert found is not None
    assert found.verdict is not Verdict.PASS
    assert found.findings[0].estimate > LIMIT_NS


def test_rejections_are_beyond_every_limit() -> None:
    """A signal that was refused has no latency that could be short."""
    analyses = analyses_of("p99 < 500 ms", "rejected < 5 %")
    feed(analyses, 20, varied(2_000), rejected=200)
    found = used(analyses, 21)
    by_name = {one.objective: one for one in found.findings}
    assert by_name["p99 < 500 ms"].verdict is not Verdict.PASS
    assert by_name["rejected < 5 %"].estimate == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("objective", "lacking", "rejected", "verdict"),
    [
        ("rejected < 1 %", 0, 0, Verdict.PASS),
        ("rejected < 50 %", 100, 0, Verdict.PASS),
        ("simulated >= 99 %", 0, 0, Verdict.PASS),
        ("simulated >= 99 %", 1_000, 0, Verdict.FAIL),
        ("simulated >= 99 %", 0, 1_000, Verdict.FAIL),
    ],
)
def test_shares_are_decided_too(
    objective: str, lacking: int, rejected: int, verdict: Verdict
) -> None:
    """What was not seen is missing of those that arrived, and is no rejection."""
    analyses = analyses_of(objective)
    feed(analyses, 20, varied(2_000), lacking=lacking, rejected=rejected)
    found = used(analyses, 30)
    if verdict is Verdict.FAIL:  # one burst: at least never a pass
        assert found.verdict is not Verdict.PASS
    else:
        assert found.verdict is verdict


def test_signals_of_the_warm_up_are_in_no_analysis() -> None:
    """The first second is slow, and says nothing."""
    analyses = analyses_of("p99 < 500 ms")
    times = np.arange(100, dtype=np.int64) * (S // 100)
    modes, states = np.zeros(100, dtype=np.uint8), np.full(100, State.SIMULATED)
    analyses.due(times, modes)
    analyses.final(times, modes, times + 5 * S, states)
    feed(analyses, 20, varied(2_000))
    assert used(analyses, 21).verdict is Verdict.PASS


def world_ended(analyses: int, end_s: float, **slow: float) -> World:
    """Evidence of a run that was ended after an analysis; the swarm stopped at `end_s`."""
    ended = LOAD.ended_after(analyses, round(end_s * S))

    def delays(number: int) -> NDArray[np.int64]:
        found = varied(number)
        if "every" in slow:
            found[:: round(slow["every"])] = 600 * MS
        return found

    world = healthy(ended, delays=delays)
    world.scenario = world.scenario.model_copy(update={"load": LOAD})
    world.plan = world.plan.model_copy(update={"load": LOAD})
    world.run["load_end_ns"] = T0_NS + round(end_s * S)
    world.run["analyses"] = [
        {"number": number, "measured_s": LOAD.analysis_times_s()[number - 1]}
        for number in range(1, analyses + 1)
    ]
    if analyses < len(LOAD.analysis_times_s()):
        world.event("decided", T0_NS + round(end_s * S))
    return world


def percentile(found: Assessment) -> dict[str, object]:
    """The figures of the first percentile."""
    checks = found.judgement.checks
    return dict(next(check.figures for check in checks if check.id == "latency_p99"))


def test_a_decided_run_is_judged_by_what_was_measured(tmp_path: Path) -> None:
    """At the confidence of one analysis; what was sent while it was ended is accounted for."""
    found = assessed(world_ended(1, 22.5), tmp_path)
    assert unclean(found) == {}
    figures = percentile(found)
    assert figures["confidence"] == pytest.approx(1 - 0.05 / 3)
    accounts = found.measurement.accounts
    assert figures["signals"] == accounts["measure"].attempted
    assert accounts["cooldown"].attempted > 50
    assert [one.measured_s for one in found.judgement.analyses] == [20]
    assert found.judgement.horizon_s == pytest.approx(20 / np.log(20))
    assert "occur at least every 7 s" in headline(found.judgement)


def test_every_analysis_stands_in_the_result(tmp_path: Path) -> None:
    """So that the interval can be drawn against the time."""
    found = assessed(world_ended(3, 81.0), tmp_path)
    assert unclean(found) == {}
    made = found.judgement.analyses
    assert [(one.number, one.measured_s, one.left_s) for one in made] == [
        (1, 20, 60),
        (2, 40, 40),
        (3, 80, 0),
    ]
    widths = [one.findings[0].upper - one.findings[0].lower for one in made]  # type: ignore[operator] # both are known
    assert widths == sorted(widths, reverse=True)


def test_evidence_that_does_not_decide_is_no_pass(tmp_path: Path) -> None:
    """A load that was ended without cause, or whose record of it was forged, is INCONCLUSIVE."""
    found = assessed(world_ended(1, 21.0, every=100), tmp_path)
    assert found.judgement.verdict is Verdict.INCONCLUSIVE


def test_a_load_that_ended_before_its_analysis_is_invalid(tmp_path: Path) -> None:
    """Whatever its record says: the signals up to the analysis must be there."""
    world = world_ended(1, 21.0)
    late = world.attempts[0]["intended_ns"] > T0_NS + 15 * S
    world.attempts[0] = without(world.attempts[0], late)
    found = assessed(world, tmp_path)
    assert unclean(found)["load_attempted"] is Verdict.INVALID


def test_a_run_that_a_person_interrupts_is_inconclusive(tmp_path: Path) -> None:
    """Neither dropped nor blamed on anyone, whatever it had measured so far."""
    for every in (0, 20):
        world = world_ended(3, 81.0, **({"every": every} if every else {}))
        world.run["events"] = []
        world.event("interrupted", T0_NS + 50 * S)
        found = assessed(world, tmp_path / str(every))
        assert found.judgement.verdict is Verdict.INCONCLUSIVE
