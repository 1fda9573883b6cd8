"""Verdicts of rounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.assessment.chaos import RoundFigures, build_chaos_result
from harness.judge.verdict import Verdict, worst

ROUNDS = st.lists(
    st.builds(
        RoundFigures,
        number=st.integers(1, 100),
        run_id=st.just("run"),
        kind=st.just("kill"),
        fault=st.sampled_from(["kill engine", "kill redis", "pause engine"]),
        verdict=st.sampled_from(list(Verdict)),
        first_ns=st.none() | st.integers(0, 10**11),
        backlog_ns=st.none() | st.integers(0, 10**11),
        lost=st.integers(0, 5),
        duplicated=st.integers(0, 5),
        refused=st.integers(0, 5),
    ),
    max_size=30,
)


@given(ROUNDS)
def test_the_worst_round_decides_and_nothing_is_left_out(rounds: list[RoundFigures]) -> None:
    """Every round is in exactly one row, and what was lost is in the sums."""
    result = build_chaos_result(rounds, len(rounds))
    assert result.verdict is worst(one.verdict for one in rounds)
    assert sum(kind.rounds for kind in result.kinds) == len(rounds)
    assert sum(kind.lost for kind in result.kinds) == sum(one.lost for one in rounds)
    assert sum(kind.duplicated for kind in result.kinds) == sum(one.duplicated for one in rounds)
    for kind in result.kinds:
        if kind.first_worst_ns is not None:
            assert kind.first_median_ns is not None
            assert kind.first_median_ns <= kind.first_worst_ns


@given(ROUNDS)
def test_missing_rounds_are_no_pass(rounds: list[RoundFigures]) -> None:
    """What was not made was not clean either."""
    assert build_chaos_result(rounds, len(rounds) + 1).verdict is not Verdict.PASS
