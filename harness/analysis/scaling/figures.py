"""The figures of an experiment over levels: each level, models with intervals, and the trend."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from harness.analysis.scaling.fits import (
    Fit,
    Floats,
    Observations,
    ScalingModel,
    fit_models,
)
from harness.analysis.scaling.region import CONFIDENCE, Bounds, Region, likelihood_region
from harness.analysis.scaling.trend import trend_of

# A model says nothing of levels beyond so many times the largest that was run.
EXTRAPOLATION_MAX = 2.0
_CURVE_POINTS = 41
RESAMPLES = 200
# Below it the levels' means differ from every model by more than runs of one level do.
LACK_OF_FIT_P = 0.01


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Value):
    """A figure and its interval; None where the data give no end, or no figure."""

    value: float | None
    lower: float | None
    upper: float | None


class LevelFigures(_Value):
    """All runs of one level.

    Attributes:
        mean: geometric mean of the runs' results.
        lower, upper: t-interval of the mean, with the variance within levels pooled; None
            without two runs of any level.
    """

    level: float
    runs: int
    mean: float
    lower: float | None
    upper: float | None
    least: float
    most: float


class ModelFigures(_Value):
    """One fitted model.

    Attributes:
        aicc: corrected Akaike criterion.
        chosen_share: share of the resampled experiments in which it has the smallest criterion.
    """

    model: ScalingModel
    gain: float
    contention: float
    coherency: float
    aicc: float
    chosen_share: float


class CurvePoint(_Value):
    """The chosen model at a level, and the interval of the mean there."""

    level: float
    estimate: float
    lower: float
    upper: float


class ScalingFigures(_Value):
    """The models of a capacity or throughput.

    Attributes:
        chosen: the model with the smallest criterion.
        models: all, the chosen one first.
        gain, contention, coherency: of the Universal Scalability Law, with their intervals.
        peak_level: of the chosen model; no value where none lies within twice the largest level.
            Its interval is that of the Universal Scalability Law.
        roof: g/a, which no level exceeds.
        lack_of_fit_p: p-value of the F test of the chosen model against the means of the levels;
            None without repeats.
        curve: from the smallest level to twice the largest one.
        confidence: of each interval.
    """

    chosen: ScalingModel
    models: tuple[ModelFigures, ...]
    gain: Estimate
    contention: Estimate
    coherency: Estimate
    peak_level: Estimate
    roof: Estimate
    lack_of_fit_p: float | None
    curve: tuple[CurvePoint, ...]
    confidence: float = CONFIDENCE


class TrendFigures(_Value):
    """A monotone trend over the levels; see `trend.Trend`.

    Attributes:
        direction: `none` where the p-value is not below one less the confidence.
    """

    tau: float
    p_value: float
    runs: int
    direction: Literal["rises", "falls", "none"]


def level_figures(
    levels: Sequence[float], results: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[LevelFigures, ...]:
    """The figures of each level, ascending; a result of 0 or less has no logarithm and is no run.

    Args:
        levels: of each run.
        results: of the same runs.
        confidence: of each interval.
    """
    at, found = np.asarray(levels, float), np.asarray(results, float)
    logs = np.log(np.where(found > 0, found, 1.0))
    own = {float(level): (found > 0) & (at == level) for level in np.unique(at)}
    own = {level: mask for level, mask in own.items() if mask.any()}
    freedom = sum(int(mask.sum()) - 1 for mask in own.values())
    within = sum(float(np.square(logs[m] - logs[m].mean()).sum()) for m in own.values())
    figures = []
    for level, mask in own.items():
        mean, runs = float(logs[mask].mean()), int(mask.sum())
        half = None
        if freedom:
            quantile = float(t_distribution.ppf((1 + confidence) / 2, freedom))
            half = quantile * math.sqrt(within / freedom / runs)
        figures.append(
            LevelFigures(
                level=level,
                runs=runs,
                mean=math.exp(mean),
                lower=None if half is None else math.exp(mean - half),
                upper=None if half is None else math.exp(mean + half),
                least=float(found[mask].min()),
                most=float(found[mask].max()),
            )
        )
    return tuple(figures)


def scaling_figures(
    levels: Sequence[float], results: Sequence[float], seed: int
) -> ScalingFigures | None:
    """The models of results over levels; None of too few runs or levels for a fit.

    Args:
        levels: of each run, above zero.
        results: of the same runs, above zero.
        seed: of the resampled experiments, which show how sure the choice of the model is.
    """
    seen = Observations.of(levels, results)
    if not seen.can_be_fitted:
        return None
    fits = fit_models(seen)
    chosen, full = fits[0], next(fit for fit in fits if fit.model is ScalingModel.USL)
    region = likelihood_region(seen, full)
    shares = _chosen_shares(np.asarray(levels, float), np.asarray(results, float), seed)
    largest = float(seen.levels[-1])
    at = np.linspace(float(seen.levels[0]), EXTRAPOLATION_MAX * largest, _CURVE_POINTS)
    return ScalingFigures(
        chosen=chosen.model,
        models=tuple(_model(fit, shares) for fit in fits),
        gain=_estimate(full.gain, region.gain_bounds),
        contention=_estimate(full.contention, region.contention_bounds),
        coherency=_estimate(full.coherency, region.coherency_bounds),
        peak_level=_peak(chosen, region, EXTRAPOLATION_MAX * largest),
        roof=_estimate(full.roof, region.roof_bounds),
        lack_of_fit_p=_lack_of_fit(seen, chosen),
        curve=tuple(
            CurvePoint(level=level, estimate=estimate, lower=bounds.lower, upper=bounds.upper)
            for level, estimate, bounds in zip(
                at.tolist(), chosen.at(at).tolist(), region.band(at.tolist()), strict=True
            )
        ),
    )


def trend_figures(
    levels: Sequence[float], results: Sequence[float], seed: int, confidence: float = CONFIDENCE
) -> TrendFigures:
    """The monotone trend of results over levels, one of each for each run."""
    trend = trend_of(levels, results, seed)
    is_sure = trend.p_value < 1 - confidence
    direction: Literal["rises", "falls"] = "rises" if trend.tau > 0 else "falls"
    return TrendFigures(
        tau=trend.tau,
        p_value=trend.p_value,
        runs=trend.runs,
        direction=direction if is_sure else "none",
    )


def _model(fit: Fit, shares: Counter[ScalingModel]) -> ModelFigures:
    return ModelFigures(
        model=fit.model,
        gain=fit.gain,
        contention=fit.contention,
        coherency=fit.coherency,
        aicc=fit.aicc,
        chosen_share=shares[fit.model] / max(shares.total(), 1),
    )


def _chosen_shares(levels: Floats, results: Floats, seed: int) -> Counter[ScalingModel]:
    """How often each model is chosen when the runs of each level are drawn with replacement."""
    random = np.random.default_rng(seed)
    groups = [np.flatnonzero(levels == level) for level in np.unique(levels)]
    chosen: Counter[ScalingModel] = Counter()
    for _ in range(RESAMPLES):
        drawn = np.concatenate([random.choice(group, len(group)) for group in groups])
        chosen[fit_models(Observations.of(levels[drawn], results[drawn]))[0].model] += 1
    return chosen


def _peak(chosen: Fit, region: Region, furthest: float) -> Estimate:
    """The chosen model's peak; none beyond the furthest level that a model says something of."""
    bounds = region.peak_bounds
    value = chosen.peak_level if chosen.peak_level <= furthest else math.inf
    upper = bounds.upper if bounds.upper <= furthest else math.inf
    return _estimate(value, Bounds(min(bounds.lower, furthest), upper))


def _lack_of_fit(seen: Observations, fit: Fit) -> float | None:
    """F test of the model's misfit of the levels' means against the variance within levels.

    Draper and Smith, Applied Regression Analysis, section 2.1.
    """
    own, missed = seen.points - len(seen.levels), len(seen.levels) - fit.model.parameters
    if own < 1 or missed < 1 or seen.within <= 0:
        return None
    ratio = max(fit.squares - seen.within, 0.0) / missed / (seen.within / own)
    return float(f_distribution.sf(ratio, missed, own))


def _estimate(value: float, bounds: Bounds) -> Estimate:
    return Estimate(value=_finite(value), lower=_finite(bounds.lower), upper=_finite(bounds.upper))


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None
