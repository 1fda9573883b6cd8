"""What a search knows of the capacity, as figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import isotonic_regression

from harness.analysis.capacity.levels import Known
from harness.analysis.capacity.trials import Answer, Bounds, SearchPlan, TrialOutcome


def bounds_of(plan: SearchPlan, known: Known, outcomes: Sequence[TrialOutcome]) -> Bounds:
    """The bounds after these outcomes, with the figures that follow from them."""
    proven, broken = known.proven, known.broken
    confirmed = broken if broken is not None and known.levels[broken].is_confirmed_broken else None
    lower = proven if proven is not None else known.met
    is_narrow = proven is not None and confirmed is not None and plan.is_narrow(proven, confirmed)
    return Bounds(
        proven_met=proven,
        met=known.met,
        broken=broken,
        confirmed_broken=confirmed,
        stable=_stable(proven, outcomes),
        undecided=known.undecided,
        is_narrow=is_narrow,
        estimate=_estimate(lower, broken, outcomes),
        operating=_operating(plan, proven),
    )


def _estimate(
    lower: float | None, upper: float | None, outcomes: Sequence[TrialOutcome]
) -> float | None:
    """Where the figures reach their limit, between the bounds; else the middle of the bounds.

    The logarithm of figure over limit, by isotonic regression over the levels (Barlow et al.,
    Statistical Inference under Order Restrictions, 1972), each trial with its length as weight,
    and linear between two levels.
    """
    if lower is None or upper is None:
        return None
    parts: dict[float, list[tuple[float, float]]] = {}
    for one in outcomes:
        if one.limit_ratio and one.answer is not Answer.INVALID:
            weight = one.measured_s or one.request.length_s
            parts.setdefault(one.request.level, []).append((weight, math.log(one.limit_ratio)))
    levels = sorted(parts)
    if len(levels) > 1:
        weights = [sum(weight for weight, _ in parts[level]) for level in levels]
        means = [
            sum(weight * value for weight, value in parts[level]) / total
            for level, total in zip(levels, weights, strict=True)
        ]
        fitted = isotonic_regression(means, weights=weights).x
        if fitted[0] < 0 <= fitted[-1]:
            above = int(np.argmax(fitted >= 0))
            crossing = float(
                np.interp(0.0, fitted[above - 1 : above + 1], levels[above - 1 : above + 1])
            )
            return min(upper, max(lower, round(crossing, 6)))
    return (lower + upper) / 2


def _stable(proven: float | None, outcomes: Sequence[TrialOutcome]) -> float | None:
    """Highest level with a stable backlog; a growing one below a proven level was a disturbance."""
    growing = min(
        (
            outcome.request.level
            for outcome in outcomes
            if outcome.is_backlog_stable is False
            and (proven is None or outcome.request.level > proven)
        ),
        default=float("inf"),
    )
    stable = {
        outcome.request.level
        for outcome in outcomes
        if outcome.is_backlog_stable and outcome.request.level < growing
    }
    return max(stable, default=None)


def _operating(plan: SearchPlan, proven: float | None) -> float | None:
    if proven is None:
        return None
    level = proven * plan.headroom
    return float(int(level)) if plan.is_whole else round(level, 6)
