"""Shares are held against their limit by an interval."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from harness.analysis.share_interval import ShareInterval, share_interval
from harness.analysis.statistics import EffectiveSample
from harness.contract.names import State
from harness.judge.check import Check
from harness.judge.decision import Decision, decide_share
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import World, healthy, load_of
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, id_of

S = 1_000_000_000


def check_of(world: World, folder: Path, name: str) -> Check:
    """A check by its name."""
    return next(one for one in assessed(world, folder).judgement.checks if one.id == name)


@pytest.mark.parametrize("objective", ["rejected < 1 %", "rate >= 99 %", "simulated >= 99 %"])
def test_below_299_signals_no_percent_is_sure(objective: str, tmp_path: Path) -> None:
    """None rejected, none missed: the rule of three."""
    for rate, verdict in ((14.0, Verdict.INCONCLUSIVE), (16.0, Verdict.PASS)):
        check = check_of(healthy(load_of(rate=rate), objective), tmp_path, id_of(objective))
        assert check.status.verdict is verdict
        assert ("longer" in check.message) is (verdict is Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("every", "verdict"),
    [
        (200, Verdict.PASS),
        (110, Verdict.INCONCLUSIVE),
        (90, Verdict.INCONCLUSIVE),
        (50, Verdict.FAIL),
    ],
)
def test_a_share_near_its_limit_is_left_open(every: int, verdict: Verdict, tmp_path: Path) -> None:
    """0.5 %, 0.9 %, 1.1 % and 2 % of 4,000 signals."""
    world = healthy(load_of(rate=200.0), "rejected < 1 %")
    violations.reject(world, np.arange(len(world.attempts[0])) % every == 3, State.INVARIANT_BROKEN)
    check = check_of(world, tmp_path, "rejected_share")
    assert check.status.verdict is verdict
    assert "lower_share" in check.figures


def test_rejections_in_a_burst_are_few_independent_ones(tmp_path: Path) -> None:
    """0.5 % in one burst: that there is one in a longer run, nobody knows how often."""
    world = healthy(load_of(rate=200.0), "rejected < 1 %")
    at = np.arange(len(world.attempts[0]))
    violations.reject(world, (at >= 2_000) & (at < 2_020), State.INVARIANT_BROKEN)
    check = check_of(world, tmp_path, "rejected_share")
    assert check.status is Status.INCONCLUSIVE
    assert "effective sample size" in check.message


def test_a_hundred_percent_is_the_samples_own(tmp_path: Path) -> None:
    """No number of signals proves it of others."""
    world = healthy(None, "simulated >= 100 %")
    assert check_of(world, tmp_path, "simulated_share").status is Status.PASS
    violations.reject(world, np.arange(len(world.attempts[0])) == 900, State.INVARIANT_BROKEN)
    assert check_of(world, tmp_path, "simulated_share").status is Status.FAIL


def test_the_limit_itself_is_reached_and_not_kept() -> None:
    """`>= 99 %` holds at 99 %, `< 1 %` does not hold at 1 %; only a degenerate bound tells."""
    found = share_interval(0, EffectiveSample(299, 299, 0, True))
    assert decide_share(found, found.upper, S, including=True).verdict is Verdict.PASS
    assert decide_share(found, found.upper, S).verdict is Verdict.INCONCLUSIVE


def test_how_much_longer_grows_towards_the_limit() -> None:
    """As the square of the distance, and without end at the limit."""
    sizes = EffectiveSample(10_000, 10_000, 0, True)
    near, nearer, at = (
        decide_share(share_interval(marked, sizes), 0.01, 100 * S) for marked in (95, 98, 100)
    )
    assert near.longer_ns is not None
    assert nearer.longer_ns is not None
    assert 0 < near.longer_ns < nearer.longer_ns
    assert at.longer_ns is None


@pytest.mark.parametrize(
    ("lower", "upper", "below", "reached"),
    [
        (0.0, 0.09, Verdict.PASS, Verdict.PASS),
        (0.0, 0.1, Verdict.INCONCLUSIVE, Verdict.PASS),
        (0.0, 0.2, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (0.1, 0.2, Verdict.FAIL, Verdict.INCONCLUSIVE),
        (0.11, 0.2, Verdict.FAIL, Verdict.FAIL),
    ],
)
def test_sides_of_the_limit(lower: float, upper: float, below: Verdict, reached: Verdict) -> None:
    """A bound of exactly the limit keeps `>=`, and breaks `<`."""
    found = ShareInterval((lower + upper) / 2, lower, upper, EffectiveSample(100, 100, 0, True))
    assert decide_share(found, 0.1, S).verdict is below
    assert decide_share(found, 0.1, S, including=True).verdict is reached


def undecided(
    estimate: float, size: int, limit: float = 0.1, *, decorrelated: bool = True
) -> int | None:
    """How much longer than 1 s a run must be whose interval says nothing."""
    effective = EffectiveSample(1_000, size, 20, decorrelated)
    found = decide_share(ShareInterval(estimate, 0.0, 1.0, effective), limit, S)
    assert found.verdict is Verdict.INCONCLUSIVE
    return found.longer_ns


def test_sample_needed_for_a_share() -> None:
    """z^2 p (1 - p) / d^2, at least what bounds a share without a mark, and 20 % or twice more."""
    needed = norm.isf(0.05) ** 2 * 0.1 * 0.9 / 0.02**2
    assert undecided(0.12, 100) == pytest.approx((needed / 100 - 1) * S)
    assert undecided(0.08, 100) == pytest.approx((needed / 100 - 1) * S)
    assert undecided(0.9, 10) == math.ceil(1.9 * S)
    assert undecided(0.9, 0) == 28 * S
    assert undecided(0.9, 1_000) == math.ceil((1.2 - 1) * S)
    assert undecided(0.9, 1_000, decorrelated=False) == S
    # 100 signals bound 2.96 %, a hundred times the one that there is.
    assert undecided(0.0, 1, 0.0296) == 99 * S
    assert undecided(0.0, 1, 0.029) is None
    found = ShareInterval(0.9, 0.0, 1.0, EffectiveSample(100, 100, 20, True))
    assert decide_share(found, 0.1, 8) == Decision(Verdict.INCONCLUSIVE, 2)


def test_signals_not_sent_are_one_burst(tmp_path: Path) -> None:
    """Half a percent missing at the end of the run is one event, however many signals it held."""
    world = healthy(load_of(rate=200.0), "rate >= 99 %")
    world.attempts[0] = world.attempts[0][:-20]
    check = check_of(world, tmp_path, "rate_share")
    assert check.status is Status.INCONCLUSIVE
    assert check.figures["effective"] == pytest.approx(200, rel=0.5)
