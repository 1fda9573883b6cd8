"""Scaling models, fitted by least squares on the logarithm, and the choice between them.

The Universal Scalability Law (Gunther, Guerrilla Capacity Planning, 2007, chapter 4) with gain g,
contention a and coherency b at level N is

    X(N) = g N / (1 + a (N - 1) + b N (N - 1)),

Amdahl's law is the case b = 0, and linear scaling the case a = b = 0. Capacities vary by a share of
themselves, so residuals are those of log X; g then has a closed form. The choice is by the
corrected Akaike criterion (Hurvich and Tsai, Biometrika 76, 1989) with the variance as a parameter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls

Floats = NDArray[np.float64]
# Least number of points for the corrected criterion of the largest model: n - k - 1 > 0, k = 4.
POINTS_MIN = 6
_LEVELS_MIN = 3


class ScalingModel(StrEnum):
    """A model of scaling, from the fewest parameters to the most."""

    LINEAR = "linear"
    AMDAHL = "amdahl"
    USL = "usl"

    @property
    def parameters(self) -> int:
        """Parameters of the mean: g; g and a; g, a and b."""
        return {ScalingModel.LINEAR: 1, ScalingModel.AMDAHL: 2, ScalingModel.USL: 3}[self]


@dataclass(frozen=True, slots=True)
class Observations:
    """Results by level, as their sufficient statistics.

    Attributes:
        levels: ascending, each once; above zero.
        counts: number of runs of each.
        means: mean of log(result) of each.
        within: sum of squares of the log results around the means of their levels.
    """

    levels: Floats
    counts: Floats
    means: Floats
    within: float

    @classmethod
    def of(cls, levels: Sequence[float], results: Sequence[float]) -> Observations:
        """One level and one result for each run.

        Raises:
            ValueError: a level or a result is not above zero, or their numbers differ.
        """
        if any(not (math.isfinite(x) and x > 0) for x in (*levels, *results)):
            raise ValueError("levels and results have to be above zero")
        at, logs = np.asarray(levels, float), np.log(np.asarray(results, float))
        if at.shape != logs.shape:
            raise ValueError(f"{len(at)} levels of {len(logs)} results")
        unique, group = np.unique(at, return_inverse=True)
        counts = np.bincount(group).astype(float)
        means = np.bincount(group, logs) / counts
        return cls(unique, counts, means, float(np.square(logs - means[group]).sum()))

    @property
    def points(self) -> int:
        """Number of runs."""
        return int(self.counts.sum())

    @property
    def can_be_fitted(self) -> bool:
        """Whether there are runs and levels enough for every model."""
        return self.points >= POINTS_MIN and len(self.levels) > _LEVELS_MIN


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model.

    Attributes:
        gain: g, result at level 1.
        contention: a, 0..1.
        coherency: b, from 0.
        squares: residual sum of squares of log X, within levels included.
        aicc: corrected Akaike criterion; the smallest is the best.
    """

    model: ScalingModel
    gain: float
    contention: float
    coherency: float
    squares: float
    aicc: float

    @property
    def peak_level(self) -> float:
        """Level of the largest result; infinite without one."""
        return peak_level(self.contention, self.coherency)

    @property
    def roof(self) -> float:
        """The result that no level exceeds without coherency, g/a; infinite for a = 0."""
        return self.gain / self.contention if self.contention > 0 else math.inf

    def at(self, levels: Sequence[float] | Floats) -> Floats:
        """The model's results at levels."""
        at = np.asarray(levels, float)
        return self.gain * at / denominator(at, self.contention, self.coherency)


def peak_level(contention: float, coherency: float) -> float:
    """sqrt((1 - a) / b), where dX/dN = 0; infinite for b = 0."""
    return math.sqrt((1 - contention) / coherency) if coherency > 0 else math.inf


def denominator(levels: Floats, contention: float | Floats, coherency: float | Floats) -> Floats:
    """1 + a (N - 1) + b N (N - 1), broadcast."""
    found: Floats = 1 + contention * (levels - 1) + coherency * levels * (levels - 1)
    return found


def squares_of(
    seen: Observations, contention: Floats, coherency: Floats, log_gain: Floats | None = None
) -> tuple[Floats, Floats]:
    """Residual sums of squares and log g for many pairs of parameters at once.

    Args:
        seen: the results.
        contention: of shape (m,).
        coherency: of shape (m,).
        log_gain: of shape (m,); None for the best one of each pair.

    Returns:
        squares and log gains, of shape (m,); squares are infinite where the model is not positive.
    """
    below = denominator(seen.levels, contention[:, None], coherency[:, None])
    is_positive = (below > 0).all(axis=1)
    gaps = seen.means - np.log(seen.levels) + np.log(np.where(below > 0, below, 1.0))
    if log_gain is None:
        log_gain = (gaps * seen.counts).sum(axis=1) / seen.points
    squares = seen.within + (seen.counts * np.square(gaps - log_gain[:, None])).sum(axis=1)
    return np.where(is_positive, squares, np.inf), log_gain


def fit_model(seen: Observations, model: ScalingModel) -> Fit:
    """The least-squares fit of a model."""
    free = model.parameters - 1
    best = np.zeros(2)
    if free:
        found = least_squares(
            _residuals,
            _start(seen, free),
            bounds=([0.0] * free, [1.0, np.inf][:free]),
            x_scale=_scale(seen)[:free],
            args=(seen,),
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
        )
        best[:free] = found.x
    squares, log_gain = squares_of(seen, best[:1], best[1:])
    return Fit(
        model=model,
        gain=float(np.exp(log_gain[0])),
        contention=float(best[0]),
        coherency=float(best[1]),
        squares=float(squares[0]),
        aicc=_aicc(float(squares[0]), seen.points, model.parameters + 1),
    )


def fit_models(seen: Observations) -> tuple[Fit, ...]:
    """Every model, the best by AICc first.

    Raises:
        ValueError: too few runs or levels, see `Observations.can_be_fitted`.
    """
    if not seen.can_be_fitted:
        raise ValueError(f"{POINTS_MIN} runs at {_LEVELS_MIN + 1} levels are needed for a fit")
    fits = [fit_model(seen, model) for model in ScalingModel]
    return tuple(sorted(fits, key=lambda fit: (fit.aicc, fit.model.parameters)))


def _residuals(parameters: Floats, seen: Observations) -> Floats:
    """Weighted residuals of the levels' means, with the best gain."""
    contention, coherency = (*parameters, 0.0)[:2]
    below = np.maximum(denominator(seen.levels, contention, coherency), 1e-9)
    gaps = seen.means - np.log(seen.levels) + np.log(below)
    centre = (gaps * seen.counts).sum() / seen.points
    found: Floats = np.sqrt(seen.counts) * (gaps - centre)
    return found


def _start(seen: Observations, free: int) -> Floats:
    """Start of the search: N / X is linear in 1/g, a/g and b/g; none of them is negative."""
    at = seen.levels
    columns = np.column_stack([np.ones_like(at), at - 1, at * (at - 1)])[:, : free + 1]
    # Divided by N / X, so that a residual is a share, as those of the logarithm are.
    weights = np.sqrt(seen.counts) * np.exp(seen.means) / at
    found, _ = nnls(columns * weights[:, None], np.sqrt(seen.counts))
    ratio = found[1:] / found[0] if found[0] > 0 else np.full(free, 0.5)
    start: Floats = np.clip(ratio, 1e-6, [0.999, np.inf][:free])
    return start


def _scale(seen: Observations) -> Floats:
    """The size of a and b at which they halve the result of the largest level."""
    largest = float(seen.levels[-1])
    return np.array([1 / max(largest - 1, 1.0), 1 / max(largest * (largest - 1), 1.0)])


def _aicc(squares: float, points: int, parameters: int) -> float:
    # A perfect fit of exact figures would have the criterion minus infinity for every model.
    spread = max(squares / points, 1e-18)
    correction = 2 * parameters * (parameters + 1) / (points - parameters - 1)
    return points * math.log(spread) + 2 * parameters + correction
