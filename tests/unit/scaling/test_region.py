"""Intervals of the parameters: they hold the estimate, are nested, and cover the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import f as f_distribution

from harness.analysis.scaling import region as region_module
from harness.analysis.scaling.fits import (
    Fit,
    Observations,
    ScalingModel,
    denominator,
    fit_model,
    peak_level,
    squares_of,
)
from harness.analysis.scaling.region import Bounds, Region, likelihood_region


def noisy(seed: int, contention: float, coherency: float, noise: float = 0.05) -> Observations:
    """Levels 1 to 6, three runs each."""
    random = np.random.default_rng(seed)
    at = np.repeat(np.arange(1.0, 7.0), 3)
    results = 300 * at / denominator(at, contention, coherency)
    noise_of_runs = np.exp(noise * random.standard_normal(len(at)))
    return Observations.of(at.tolist(), (results * noise_of_runs).tolist())


def region_of(seen: Observations, confidence: float = 0.9) -> tuple[Fit, Region]:
    """The fit of the largest model, and the region around it."""
    fit = fit_model(seen, ScalingModel.USL)
    return fit, likelihood_region(seen, fit, confidence)


def bounds_of(region: Region) -> tuple[Bounds, ...]:
    """Of every figure."""
    return (
        region.gain_bounds,
        region.contention_bounds,
        region.coherency_bounds,
        region.peak_bounds,
        region.roof_bounds,
    )


@given(
    seed=st.integers(0, 1000), contention=st.floats(0, 0.5), coherency=st.sampled_from([0, 0.02])
)
@settings(max_examples=8, deadline=None)
def test_bounds_hold_the_estimate_and_are_nested(
    seed: int, contention: float, coherency: float
) -> None:
    """More confidence, wider bounds; none leaves the possible parameters."""
    seen = noisy(seed, contention, coherency)
    fit, narrow = region_of(seen, 0.5)
    _, wide = region_of(seen, 0.95)
    estimates = (fit.gain, fit.contention, fit.coherency, fit.peak_level, fit.roof)
    for inner, outer, estimate in zip(bounds_of(narrow), bounds_of(wide), estimates, strict=True):
        assert inner.holds(estimate)
        # Rays end at slightly different places of two surfaces.
        assert outer.lower <= inner.lower * (1 + 1e-2) + 1e-9
        assert outer.upper >= inner.upper * (1 - 1e-2) - 1e-9
    assert wide.contention_bounds.lower >= 0
    assert wide.contention_bounds.upper <= 1
    assert wide.coherency_bounds.lower >= 0


def test_the_truth_is_covered_as_often_as_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 experiments; tests/studies/scaling has 500 of each kind."""
    monkeypatch.setattr(region_module, "_RAYS", 300)  # 0.5 % narrower, and fast
    covered = np.zeros(4)
    for seed in range(30):
        _, region = region_of(noisy(seed, 0.05, 0.02))
        truth = (300, 0.05, 0.02, peak_level(0.05, 0.02))
        covered += [one.holds(value) for one, value in zip(bounds_of(region), truth, strict=False)]
    # 90 % of 30 are 27; fewer than 22 have a probability of 0.2 %.
    assert covered.min() >= 22


def test_a_bound_is_where_the_profile_reaches_the_limit() -> None:
    """At the bounds of the gain the best a and b have the sum of squares that F allows."""
    seen = noisy(2, 0.05, 0.02)
    fit, region = region_of(seen)
    freedom = seen.points - 3
    limit = fit.squares * (1 + float(f_distribution.ppf(0.9, 1, freedom)) / freedom)
    grid = np.meshgrid(np.linspace(0, 0.25, 300), np.linspace(0, 0.08, 300))
    contention, coherency = (one.ravel() for one in grid)
    for gain in (region.gain_bounds.lower, region.gain_bounds.upper):
        logs = np.full(len(contention), math.log(gain))
        squares, _ = squares_of(seen, contention, coherency, logs)
        assert squares.min() == pytest.approx(limit, rel=0.01)


def test_without_coherency_the_peak_has_no_upper_bound() -> None:
    """Amdahl's law may hold."""
    _, region = region_of(noisy(3, 0.1, 0.0))
    assert region.peak_bounds.upper == math.inf
    assert region.coherency_bounds.lower == 0


def test_the_band_is_around_the_curve() -> None:
    """At each level, also where nothing was run."""
    fit, region = region_of(noisy(4, 0.05, 0.02))
    at = [1.0, 3.5, 6.0, 12.0]
    for bounds, estimate in zip(region.band(at), fit.at(at), strict=True):
        assert bounds.lower < estimate < bounds.upper
    widths = [bounds.upper / bounds.lower for bounds in region.band(at)]
    assert widths[-1] > widths[1]  # the model knows less where nothing was run


def test_figures_without_noise_have_a_region_of_a_point() -> None:
    """And no division by zero."""
    _, region = region_of(noisy(0, 0.1, 0.01, noise=0.0))
    for bounds, value in zip(bounds_of(region), (300, 0.1, 0.01), strict=False):
        assert bounds.lower == pytest.approx(value, rel=0.02)
        assert bounds.upper == pytest.approx(value, rel=0.02)
