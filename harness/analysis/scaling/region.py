"""Confidence intervals of the parameters of the Universal Scalability Law, from one region.

An interval by the bootstrap over runs is too short with three runs a level: it takes the variance
within a level for two thirds of what it is, and knows nothing of degrees of freedom
(docs/scaling.md has the coverage of each). Used is the likelihood region of all three parameters

    {(g, a, b): S(g, a, b) <= S_min (1 + F(1, n - 3) / (n - 3))},   0 <= a <= 1, b >= 0,

with the sum of squares S of log X and the quantile F of the F distribution: the smallest and the
largest value in it of any function of the parameters bound its profile-likelihood interval (Bates
and Watts, Nonlinear Regression Analysis, 1988, section 6.1). The intervals are those of the
largest model whichever is chosen, so that the choice makes none of them too short (Leeb and
Poetscher, Econometric Theory 21, 2005).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from harness.analysis.scaling.fits import Fit, Floats, Observations, denominator, squares_of

CONFIDENCE = 0.9
# Rays from the best parameters to the surface. Of a linear function of the parameters the
# extreme is missed by the cosine of half the angle between neighbours: 0.1 % of the interval.
_RAYS = 2_000
_HALVINGS = 20
_DOUBLINGS = 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """A two-sided interval; an end is infinite where the data give none."""

    lower: float
    upper: float

    def holds(self, value: float) -> bool:
        """Whether a value lies in it."""
        return self.lower <= value <= self.upper


@dataclass(frozen=True, slots=True)
class Region:
    """Points on the surface of the region, and the best parameters.

    Attributes:
        contention, coherency, gain: of shape (m,).
    """

    contention: Floats
    coherency: Floats
    gain: Floats

    @property
    def contention_bounds(self) -> Bounds:
        """Interval of a."""
        return _range(self.contention)

    @property
    def coherency_bounds(self) -> Bounds:
        """Interval of b."""
        return _range(self.coherency)

    @property
    def gain_bounds(self) -> Bounds:
        """Interval of g."""
        return _range(self.gain)

    @property
    def peak_bounds(self) -> Bounds:
        """Interval of the level of the largest result; infinite where b may be 0."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            peaks = np.sqrt((1 - self.contention) / self.coherency)
        return _range(np.where(self.coherency > 0, peaks, np.inf))

    @property
    def roof_bounds(self) -> Bounds:
        """Interval of g/a; infinite where a may be 0."""
        with np.errstate(divide="ignore", over="ignore"):
            roofs = self.gain / self.contention
        return _range(np.where(self.contention > 0, roofs, np.inf))

    def band(self, levels: Sequence[float]) -> tuple[Bounds, ...]:
        """Interval of the mean result at each level, one level at a time."""
        at = np.asarray(levels, float)
        below = denominator(at, self.contention[:, None], self.coherency[:, None])
        results = self.gain[:, None] * at / np.maximum(below, 1e-12)
        return tuple(_range(column) for column in results.T)


def likelihood_region(seen: Observations, best: Fit, confidence: float = CONFIDENCE) -> Region:
    """The region of one confidence around the fit of the largest model.

    Args:
        seen: the results that it was fitted to.
        best: of the Universal Scalability Law.
        confidence: of the interval of each single figure.
    """
    freedom = seen.points - 3
    factor = 1 + float(f_distribution.ppf(confidence, 1, freedom)) / freedom
    # Figures without any noise have a region of one point.
    limit = best.squares * factor + 1e-18
    centre = np.array([math.log(best.gain), best.contention, best.coherency])
    rays = _directions() @ _axes(seen, centre, limit)
    reach = np.ones(len(rays))
    inside = np.arange(len(rays))
    for _ in range(_DOUBLINGS):
        inside = inside[_inside(seen, _points(centre, rays[inside], reach[inside]), limit)]
        reach[inside] *= 2
    low, high = np.zeros(len(rays)), reach
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_inside = _inside(seen, _points(centre, rays, middle), limit)
        low, high = np.where(is_inside, middle, low), np.where(is_inside, high, middle)
    surface = np.vstack([centre, _points(centre, rays, low)])
    return Region(surface[:, 1], surface[:, 2], np.exp(surface[:, 0]))


def _points(centre: Floats, rays: Floats, reach: Floats) -> Floats:
    """Points on the rays; one that leaves the possible parameters goes on along their border."""
    points = centre + rays * reach[:, None]
    points[:, 1] = np.clip(points[:, 1], 0.0, 1.0)
    points[:, 2] = np.maximum(points[:, 2], 0.0)
    return points


def _inside(seen: Observations, points: Floats, limit: float) -> NDArray[np.bool_]:
    squares, _ = squares_of(seen, points[:, 1], points[:, 2], points[:, 0])
    found: NDArray[np.bool_] = squares <= limit
    return found


def _axes(seen: Observations, centre: Floats, limit: float) -> Floats:
    """Axes of the ellipsoid that the region is close to, from the derivatives at its centre."""
    below = denominator(seen.levels, centre[1], centre[2])
    jacobian = (
        np.column_stack(
            [
                np.ones_like(seen.levels),
                -(seen.levels - 1) / below,
                -seen.levels * (seen.levels - 1) / below,
            ]
        )
        * np.sqrt(seen.counts)[:, None]
    )
    # Scaled first: the parameters differ by orders of magnitude.
    scale = np.sqrt(np.square(jacobian).sum(axis=0))
    values, vectors = np.linalg.eigh((jacobian / scale).T @ (jacobian / scale))
    spread = math.sqrt(max(limit - _minimum(seen, centre), 1e-18))
    axes: Floats = spread * (vectors / np.sqrt(np.maximum(values, 1e-12))).T / scale
    return axes


def _minimum(seen: Observations, centre: Floats) -> float:
    return float(squares_of(seen, centre[1:2], centre[2:3], centre[:1])[0][0])


def _directions() -> Floats:
    """Points spread evenly over the unit sphere: a Fibonacci lattice."""
    number = np.arange(_RAYS) + 0.5
    height = 1 - 2 * number / _RAYS
    angle = math.pi * (1 + math.sqrt(5)) * number
    around = np.sqrt(1 - np.square(height))
    return np.column_stack([around * np.cos(angle), around * np.sin(angle), height])


def _range(values: Floats) -> Bounds:
    return Bounds(float(values.min()), float(values.max()))
