"""The search of a capacity: what it requests, what it proves, and that it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.analysis.capacity.search import (
    Answer,
    EndReason,
    Purpose,
    SearchPlan,
    SearchState,
    SearchStatus,
    TrialOutcome,
    TrialRequest,
    advance,
    end_early,
)

Oracle = Callable[[TrialRequest], Answer]
PLANS = st.builds(
    lambda start, **keys: SearchPlan(start=start, minimum=1.0, maximum=20_000.0, **keys),
    start=st.floats(1, 5_000),
    width=st.floats(0.02, 0.3),
    extensions=st.integers(0, 2),
    confirmations=st.integers(1, 4),
    trials_max=st.just(60),
)


def outcome_of(request: TrialRequest, answer: Answer, ratio: float | None = None) -> TrialOutcome:
    """An outcome, with the figure over its limit."""
    return TrialOutcome(request=request, answer=answer, limit_ratio=ratio)


def search(plan: SearchPlan, oracle: Oracle) -> tuple[SearchState, list[TrialOutcome]]:
    """A whole search; fails when it does not end."""
    outcomes: list[TrialOutcome] = []
    for _ in range(plan.trials_max + 1):
        state = advance(plan, outcomes)
        if state.request is None:
            return state, outcomes
        outcomes.append(outcome_of(state.request, oracle(state.request)))
    raise AssertionError("the search did not end")


def truthful(truth: float) -> Oracle:
    """A system whose every trial says the truth."""
    return lambda request: Answer.MET if request.level <= truth else Answer.BROKEN


def any_answers(seed: int) -> Oracle:
    """Each answer is drawn, and depends on the number of the trial only."""
    drawn = np.random.default_rng(seed).integers(0, len(Answer), 200)
    return lambda request: tuple(Answer)[drawn[request.number]]


def certified(outcomes: Sequence[TrialOutcome]) -> set[float]:
    """Levels whose last answer to each of three confirmations is `met`."""
    parts: dict[float, set[int]] = {}
    for one in outcomes:
        if one.request.purpose is Purpose.CONFIRM_MET and one.answer is Answer.MET:
            parts.setdefault(one.request.level, set()).add(one.request.part)
    return {level for level, met in parts.items() if met == {1, 2, 3}}


@settings(max_examples=25)
@given(plan=PLANS, truth=st.floats(1.5, 15_000))
def test_a_truthful_system_is_found_within_the_width(plan: SearchPlan, truth: float) -> None:
    """The truth lies between two bounds as close as asked for."""
    state, outcomes = search(plan, truthful(truth))
    bounds = state.bounds
    assert (state.reason, state.status) == (EndReason.FOUND, SearchStatus.PASS)
    assert bounds.proven_met is not None
    assert bounds.confirmed_broken is not None
    assert bounds.proven_met <= truth < bounds.confirmed_broken
    assert plan.is_narrow(bounds.proven_met, bounds.confirmed_broken)
    assert bounds.operating == pytest.approx(plan.headroom * bounds.proven_met, abs=1e-6)
    assert len(outcomes) <= 45


@settings(max_examples=25)
@given(truth=st.integers(1, 900), start=st.integers(1, 1_000))
def test_whole_levels_are_whole_and_found_to_the_next_one(truth: int, start: int) -> None:
    """No level lies between two whole ones."""
    plan = SearchPlan(start=start, maximum=1_000, width=0.001, is_whole=True)
    state, outcomes = search(plan, truthful(truth))
    assert all(one.request.level == int(one.request.level) for one in outcomes)
    assert (state.bounds.proven_met, state.bounds.confirmed_broken) == (truth, truth + 1)


@settings(max_examples=25)
@given(truth=st.floats(0.03, 0.95))
def test_a_level_that_is_a_share_has_an_absolute_width(truth: float) -> None:
    """As with `--axis hot-share`."""
    plan = SearchPlan(start=0.1, minimum=0.0, maximum=1.0, width=0.05, width_kind="absolute")
    state, _ = search(plan, truthful(truth))
    assert state.status is SearchStatus.PASS
    if state.reason is EndReason.FOUND:
        assert state.bounds.proven_met is not None
        assert state.bounds.broken is not None
        assert state.bounds.proven_met <= truth < state.bounds.broken
        assert state.bounds.broken - state.bounds.proven_met <= 0.05 + 1e-9


def test_a_system_that_never_meets_them_fails_at_the_minimum_on_fresh_data() -> None:
    """It halves down to the minimum, and tries that twice."""
    state, outcomes = search(SearchPlan(start=100, minimum=10), truthful(5))
    assert (state.reason, state.status) == (EndReason.NEVER_MET, SearchStatus.FAIL)
    assert [(one.request.level, one.request.purpose) for one in outcomes[-2:]] == [
        (10, Purpose.BRACKET),
        (10, Purpose.CONFIRM_BROKEN),
    ]
    assert (state.bounds.confirmed_broken, state.bounds.met) == (10, None)


def test_a_system_that_is_never_broken_is_proven_at_the_maximum() -> None:
    """The lower bound is certified, and there is no upper one."""
    state, _ = search(SearchPlan(start=100, maximum=700), truthful(1e9))
    assert (state.reason, state.status) == (EndReason.NEVER_BROKEN, SearchStatus.PASS)
    assert (state.bounds.proven_met, state.bounds.broken) == (700, None)


@settings(max_examples=25)
@given(plan=PLANS, seed=st.integers(0, 10**6))
def test_any_answers_end_within_the_trials(plan: SearchPlan, seed: int) -> None:
    """Nothing is certified without all confirmations, and the bounds are in order."""
    plan = plan.model_copy(update={"confirmations": 3, "invalid_max": 5})
    state, outcomes = search(plan, any_answers(seed))
    bounds = state.bounds
    if bounds.proven_met is not None:
        assert bounds.proven_met in certified(outcomes)
        assert bounds.met is not None
        assert bounds.proven_met <= bounds.met
    if bounds.met is not None and bounds.broken is not None:
        assert bounds.met < bounds.broken
    if state.reason is not EndReason.TRIALS_EXHAUSTED:
        assert len(outcomes) <= plan.trials_max


@settings(max_examples=25)
@given(
    plan=PLANS,
    truth=st.floats(2, 10_000),
    seed=st.integers(0, 10**6),
    noise=st.floats(0, 0.4),
)
def test_no_step_is_requested_twice(
    plan: SearchPlan, truth: float, seed: int, noise: float
) -> None:
    """Also where answers are wrong, undecided or INVALID; so the search does not go in circles."""
    rng = np.random.default_rng(seed)

    def noisy(request: TrialRequest) -> Answer:
        if rng.random() < noise:
            return Answer(rng.choice([answer.value for answer in Answer]))
        return truthful(truth)(request)

    _, outcomes = search(plan.model_copy(update={"invalid_max": 20}), noisy)
    first = [
        (one.request.level, one.request.purpose, one.request.part)
        for one in outcomes
        if one.request.attempt == 1
    ]
    assert len(first) == len(set(first))


@settings(max_examples=20)
@given(plan=PLANS, seed=st.integers(0, 10**6))
def test_a_replay_asks_for_the_same_trials(plan: SearchPlan, seed: int) -> None:
    """A prefix of the stored outcomes gives the next request."""
    _, outcomes = search(plan, any_answers(seed))
    stored = [TrialOutcome.model_validate_json(one.model_dump_json()) for one in outcomes]
    for count in range(0, len(outcomes), 5):
        assert advance(plan, stored[:count]).request == outcomes[count].request


def test_outcomes_of_another_plan_are_an_error() -> None:
    """So are outcomes after the end."""
    _, outcomes = search(SearchPlan(start=100), truthful(150))
    with pytest.raises(ValueError, match="trial 1"):
        advance(SearchPlan(start=90), outcomes)
    with pytest.raises(ValueError, match="follows the end"):
        advance(SearchPlan(start=100), [*outcomes, outcomes[-1]])


def test_an_invalid_trial_is_repeated_and_too_many_end_the_search() -> None:
    """The level stays the same."""
    plan = SearchPlan(start=100, invalid_max=2)
    state, outcomes = search(plan, lambda _: Answer.INVALID)
    assert (state.reason, state.status) == (EndReason.TOO_MANY_INVALID, SearchStatus.INVALID)
    assert [(one.request.level, one.request.attempt) for one in outcomes] == [
        (100, 1),
        (100, 2),
        (100, 3),
    ]
    with pytest.raises(ValueError, match="follows the end"):
        advance(plan, [*outcomes, outcomes[-1]])


def test_an_undecided_level_is_extended_and_then_is_no_bound() -> None:
    """Levels below and above it are tried instead."""
    plan = SearchPlan(
        start=100, width=0.1, extensions=1, trial_least_s=20, trial_most_s=120, maximum=1_000
    )

    def near_100(request: TrialRequest) -> Answer:
        if 80 <= request.level <= 120:
            return Answer.UNDECIDED
        return truthful(100)(request)

    state, outcomes = search(plan, near_100)
    assert [
        (one.request.level, one.request.length_s, one.request.until_decided_s)
        for one in outcomes[:2]
    ] == [(100, 20, 60), (100, 40, 120)]
    bounds = state.bounds
    assert (state.reason, state.status) == (EndReason.UNDECIDED, SearchStatus.INCONCLUSIVE)
    assert bounds.proven_met is not None
    assert bounds.broken is not None
    assert 70 <= bounds.proven_met < 80
    assert 120 < bounds.broken <= 135
    assert bounds.undecided
    assert set(bounds.undecided) <= {one.request.level for one in outcomes}


def test_a_level_that_holds_only_for_a_short_time_is_not_certified() -> None:
    """Short trials meet 500, longer ones only 300; later trials are as long as confirmations."""

    def degrading(request: TrialRequest) -> Answer:
        return truthful(500 if request.length_s < 60 else 300)(request)

    state, outcomes = search(SearchPlan(start=100), degrading)
    bounds = state.bounds
    assert state.reason is EndReason.FOUND
    assert bounds.proven_met is not None
    assert bounds.confirmed_broken is not None
    assert bounds.proven_met <= 300 < bounds.confirmed_broken
    failed = next(
        index
        for index, one in enumerate(outcomes)
        if one.request.purpose is Purpose.CONFIRM_MET and one.answer is Answer.BROKEN
    )
    assert all(one.request.length_s >= 60 for one in outcomes[failed:])


def test_a_failed_confirmation_spends_half_of_what_is_left_of_alpha() -> None:
    """And the level by level errors sum to less than alpha."""

    def undecided_when_confirmed(request: TrialRequest) -> Answer:
        if request.purpose is Purpose.CONFIRM_MET and request.level > 450:
            return Answer.UNDECIDED
        return truthful(500)(request)

    plan = SearchPlan(start=100, alpha=0.05, confirmations=3)
    state, outcomes = search(plan, undecided_when_confirmed)
    errors: dict[float, float] = {}
    for one in outcomes:
        if one.request.purpose is Purpose.CONFIRM_MET:
            errors[one.request.level] = (1 - one.request.confidence) ** 3
    assert list(errors.values()) == pytest.approx(
        [0.05 / 2**number for number in range(1, len(errors) + 1)]
    )
    assert len(errors) > 1
    assert list(errors) == sorted(errors, reverse=True)
    assert state.bounds.proven_met is not None
    assert state.bounds.proven_met <= 450


def test_an_upper_bound_that_passes_on_fresh_data_is_no_bound() -> None:
    """A disturbance broke 400; the truth is 700."""
    disturbed = {400.0}

    def once_wrong(request: TrialRequest) -> Answer:
        if request.level in disturbed and request.purpose is Purpose.BRACKET:
            return Answer.BROKEN
        return truthful(700)(request)

    state, _ = search(SearchPlan(start=100), once_wrong)
    assert state.reason is EndReason.FOUND
    assert state.bounds.proven_met is not None
    assert state.bounds.confirmed_broken is not None
    assert state.bounds.proven_met <= 700 < state.bounds.confirmed_broken


def test_a_caller_without_time_gets_the_best_bounds_so_far() -> None:
    """They are not confirmed, so the search is INCONCLUSIVE."""
    plan = SearchPlan(start=100)
    _, outcomes = search(plan, truthful(450))
    state = end_early(plan, outcomes[:4])
    assert (state.reason, state.status) == (EndReason.OUT_OF_TIME, SearchStatus.INCONCLUSIVE)
    assert (state.bounds.proven_met, state.bounds.met, state.bounds.broken) == (None, 400, 800)
    assert state.bounds.estimate == 600
    assert end_early(plan, outcomes) == advance(plan, outcomes)


def test_the_largest_stable_level_lies_below_every_growing_one() -> None:
    """It may lie above the capacity."""
    plan = SearchPlan(start=100)
    outcomes: list[TrialOutcome] = []
    while (request := advance(plan, outcomes).request) is not None:
        answer = truthful(450)(request)
        outcomes.append(
            TrialOutcome(request=request, answer=answer, is_backlog_stable=request.level <= 600)
        )
    assert advance(plan, outcomes).bounds.stable == max(
        one.request.level for one in outcomes if one.request.level <= 600
    )


def test_the_estimate_is_where_the_figures_reach_their_limit() -> None:
    """Not the middle of the bounds."""
    plan = SearchPlan(start=100)
    outcomes: list[TrialOutcome] = []
    while (request := advance(plan, outcomes).request) is not None:
        answer = truthful(450)(request)
        ratio = (request.level / 450) ** 8
        outcomes.append(outcome_of(request, answer, ratio))
    bounds = advance(plan, outcomes).bounds
    assert bounds.estimate == pytest.approx(450, rel=0.002)


@pytest.mark.parametrize(
    "keys",
    [
        {"start": 5, "minimum": 10},
        {"start": 5, "maximum": 4},
        {"start": 0.5, "minimum": 0, "maximum": 1},
        {"start": 1.5, "is_whole": True},
        {"start": 5, "trial_least_s": 60, "trial_most_s": 30},
        {"start": 5, "confirmation_s": 60, "confirmation_most_s": 30},
        {"start": 5, "width": 0},
    ],
)
def test_a_plan_without_a_range_is_refused(keys: dict[str, float]) -> None:
    """With the values that do not fit together."""
    with pytest.raises(ValidationError):
        SearchPlan.model_validate(keys)
