"""Scaling models: what is put in comes out, and the choice is by the criterion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.scaling.fits import (
    Observations,
    ScalingModel,
    denominator,
    fit_model,
    fit_models,
    peak_level,
)

LEVELS = tuple(float(level) for level in range(1, 9))
shares = st.floats(0, 0.9)
coherencies = st.floats(0, 0.2)


def exact(
    contention: float, coherency: float, gain: float = 300.0, levels: tuple[float, ...] = LEVELS
) -> Observations:
    """Two runs a level that lie exactly on the model."""
    at = np.repeat(np.array(levels), 2)
    results = gain * at / denominator(at, contention, coherency)
    return Observations.of(at.tolist(), results.tolist())


@given(contention=shares, coherency=coherencies, gain=st.floats(1e-3, 1e6))
@settings(max_examples=15, deadline=None)
def test_exact_figures_give_their_parameters(
    contention: float, coherency: float, gain: float
) -> None:
    """Without noise the largest model finds what made the figures."""
    fit = fit_model(exact(contention, coherency, gain), ScalingModel.USL)
    assert fit.gain == pytest.approx(gain, rel=1e-3)
    assert fit.contention == pytest.approx(contention, abs=2e-3)
    assert fit.coherency == pytest.approx(coherency, abs=2e-3)


@given(factor=st.floats(1e-3, 1e6), seed=st.integers(0, 100))
@settings(max_examples=8, deadline=None)
def test_the_unit_of_the_results_changes_the_gain_only(factor: float, seed: int) -> None:
    """Signals/s or signals/min: the same contention, coherency and choice."""
    random = np.random.default_rng(seed)
    at = np.repeat(np.array(LEVELS), 2)
    results = 300 * at / denominator(at, 0.1, 0.01) * np.exp(0.05 * random.standard_normal(16))
    one = fit_models(Observations.of(at.tolist(), results.tolist()))
    other = fit_models(Observations.of(at.tolist(), (factor * results).tolist()))
    for a, b in zip(one, other, strict=True):
        assert a.model is b.model
        assert b.gain == pytest.approx(factor * a.gain, rel=1e-3)
        assert b.contention == pytest.approx(a.contention, abs=2e-3)
        assert b.coherency == pytest.approx(a.coherency, abs=2e-3)


@given(seed=st.integers(0, 100))
@settings(max_examples=8, deadline=None)
def test_a_larger_model_is_never_further_from_the_figures(seed: int) -> None:
    """Each model contains the smaller ones."""
    random = np.random.default_rng(seed)
    results = np.exp(random.standard_normal(16)) * 100
    seen = Observations.of(np.repeat(np.array(LEVELS), 2).tolist(), results.tolist())
    squares = [fit_model(seen, model).squares for model in ScalingModel]
    assert squares[1] <= squares[0] * (1 + 1e-6)
    assert squares[2] <= squares[1] * (1 + 1e-6)


@pytest.mark.parametrize(
    ("contention", "coherency", "chosen"),
    [
        (0.0, 0.0, ScalingModel.LINEAR),
        (0.2, 0.0, ScalingModel.AMDAHL),
        (0.05, 0.02, ScalingModel.USL),
    ],
)
def test_the_criterion_chooses_what_made_the_figures(
    contention: float, coherency: float, chosen: ScalingModel
) -> None:
    """With noise of 1 %, none of the parameters that are not there."""
    random = np.random.default_rng(5)
    at = np.repeat(np.array(LEVELS), 3)
    results = 300 * at / denominator(at, contention, coherency)
    noisy = results * np.exp(0.01 * random.standard_normal(len(at)))
    assert fit_models(Observations.of(at.tolist(), noisy.tolist()))[0].model is chosen


def test_the_criterion_is_that_of_hurvich_and_tsai() -> None:
    """The formula of the corrected criterion, where k counts the variance too."""
    seen = Observations.of([1, 1, 2, 2, 3, 3, 4, 4], [10, 11, 19, 21, 28, 31, 39, 42])
    fit = fit_model(seen, ScalingModel.AMDAHL)
    assert fit.aicc == pytest.approx(8 * math.log(fit.squares / 8) + 6 + 24 / 4)


@given(contention=shares, coherency=st.floats(1e-4, 0.2))
def test_the_peak_is_the_largest_result(contention: float, coherency: float) -> None:
    """Levels on both sides of it have less."""
    peak = peak_level(contention, coherency)
    at = np.array([0.98 * peak, peak, 1.02 * peak])
    below, best, above = at / denominator(at, contention, coherency)
    assert best >= below
    assert best >= above


def test_without_coherency_there_is_no_peak_but_a_roof() -> None:
    """Amdahl's law approaches g/a."""
    fit = fit_model(exact(0.2, 0.0), ScalingModel.AMDAHL)
    assert fit.peak_level == math.inf
    assert fit.roof == pytest.approx(1500, rel=1e-3)
    assert fit.at([1e9])[0] == pytest.approx(1500, rel=1e-3)


@pytest.mark.parametrize(
    ("levels", "results"), [([0, 1], [1, 1]), ([1, 2], [0, 1]), ([1, 2], [1, math.nan]), ([1], [])]
)
def test_what_has_no_logarithm_is_refused(levels: list[float], results: list[float]) -> None:
    """Zero, negative and missing figures."""
    with pytest.raises(ValueError, match=r"above zero|levels of"):
        Observations.of(levels, results)


def test_too_few_levels_are_not_fitted() -> None:
    """Three levels fit a model of three parameters exactly, whatever they are."""
    seen = Observations.of([1, 1, 1, 2, 2, 2, 3, 3, 3], [1, 1, 1, 2, 2, 2, 3, 3, 3])
    assert not seen.can_be_fitted
    with pytest.raises(ValueError, match="needed for a fit"):
        fit_models(seen)
