"""`python -m tests.studies.scaling`: coverage of the intervals of a scaling fit, by simulation.

Each row is one truth with one kind of noise: of 500 simulated experiments, the share whose interval
holds the true parameter, and the share in which each model is chosen. The last rows take the
intervals from resampled runs instead (percentile bootstrap), as spreadsheets and packages do.
Returns 1 where a share of the intervals in use is below 85 %.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fits import (
    Floats,
    Observations,
    ScalingModel,
    denominator,
    fit_model,
    fit_models,
    peak_level,
)
from harness.analysis.scaling.region import Bounds, likelihood_region

LEAST = 0.85
GAIN = 300.0
REPEATS = 3
RESAMPLES = 199
LEVELS = {"1..6": tuple(range(1, 7)), "1..16": tuple(range(1, 17))}
# Contention and coherency: no peak, a peak beyond most levels, one within them.
TRUTHS = ((0.0, 0.0), (0.1, 0.0), (0.1, 0.002), (0.05, 0.02))
_PARAMETERS = ("g", "a", "b", "N*")

Intervals = Callable[[Floats, Floats], tuple[Bounds, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """One truth and its noise.

    Attributes:
        tail: degrees of freedom of t-distributed noise; 0 for normal noise.
    """

    levels: str
    contention: float
    coherency: float
    noise: float
    tail: int = 0

    @property
    def truth(self) -> tuple[float, ...]:
        """g, a, b and N*."""
        peak = peak_level(self.contention, self.coherency)
        return (GAIN, self.contention, self.coherency, peak)

    def draw(self, random: np.random.Generator) -> tuple[Floats, Floats]:
        """Levels and results of one experiment."""
        at = np.repeat(np.asarray(LEVELS[self.levels], float), REPEATS)
        noise = random.standard_normal(len(at))
        if self.tail:
            noise = random.standard_t(self.tail, len(at)) / math.sqrt(self.tail / (self.tail - 2))
        mean = GAIN * at / denominator(at, self.contention, self.coherency)
        return at, mean * np.exp(self.noise * noise)


def cases() -> Iterator[Case]:
    """Every row, those with a heavy tail last."""
    for levels in LEVELS:
        for contention, coherency in TRUTHS:
            for noise in (0.02, 0.05):
                yield Case(levels, contention, coherency, noise)
    for levels in LEVELS:
        yield Case(levels, 0.05, 0.02, 0.05, tail=3)


def by_region(levels: Floats, results: Floats) -> tuple[Bounds, ...]:
    """The intervals that the harness reports."""
    seen = Observations.of(levels.tolist(), results.tolist())
    region = likelihood_region(seen, fit_model(seen, ScalingModel.USL))
    return (
        region.gain_bounds,
        region.contention_bounds,
        region.coherency_bounds,
        region.peak_bounds,
    )


def by_bootstrap(levels: Floats, results: Floats) -> tuple[Bounds, ...]:
    """Percentiles of fits to runs drawn with replacement within each level."""
    random = np.random.default_rng(0)
    groups = [np.flatnonzero(levels == level) for level in np.unique(levels)]
    found = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([random.choice(group, len(group)) for group in groups])
        seen = Observations.of(levels[drawn].tolist(), results[drawn].tolist())
        fit = fit_model(seen, ScalingModel.USL)
        found.append((fit.gain, fit.contention, fit.coherency, fit.peak_level))
    # Ranks, since a peak may be infinite.
    ordered = np.sort(np.array(found), axis=0)
    low, high = round(0.05 * RESAMPLES), round(0.95 * RESAMPLES) - 1
    return tuple(
        Bounds(float(lower), float(upper))
        for lower, upper in zip(ordered[low], ordered[high], strict=True)
    )


def study(
    number: int, case: Case, sets: int, intervals: Intervals
) -> tuple[list[float], Counter[str]]:
    """Shares of covered parameters, and how often each model is chosen.

    Args:
        number: of the row, so that rows do not share their noise.
        case: truth and noise.
        sets: number of experiments.
        intervals: how they are made.
    """
    random = np.random.default_rng([7, number])
    covered = np.zeros(len(_PARAMETERS))
    chosen: Counter[str] = Counter()
    for _ in range(sets):
        levels, results = case.draw(random)
        bounds = intervals(levels, results)
        covered += [
            one.holds(true) or (math.isinf(true) and one.upper > 1e6)
            for one, true in zip(bounds, case.truth, strict=True)
        ]
        if intervals is by_region:
            seen = Observations.of(levels.tolist(), results.tolist())
            chosen[fit_models(seen)[0].model.value] += 1
    return (covered / sets).tolist(), chosen


def main() -> int:
    """Print the table; 1 where an interval in use covers too rarely."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.scaling", description=__doc__)
    parser.add_argument("--sets", type=int, default=500, help="experiments of each row")
    parser.add_argument("--bootstrap-sets", type=int, default=200, help="of each bootstrap row")
    options = parser.parse_args()
    models = [model.value for model in ScalingModel]
    print(
        f"| intervals | levels | a | b | noise | {' | '.join(_PARAMETERS)} | {' | '.join(models)} |"
    )
    print("|---" * (5 + len(_PARAMETERS) + len(models)) + "|")
    least = 1.0
    for number, case in enumerate(cases()):
        shares, chosen = study(number, case, options.sets, by_region)
        least = min(least, *shares)
        rates = [f"{100 * chosen[model] / options.sets:.0f} %" for model in models]
        print(_row("region", case, shares, rates), flush=True)
    for number, case in enumerate(cases()):
        if case.coherency != TRUTHS[-1][1] or case.tail:
            continue
        shares, _ = study(number, case, options.bootstrap_sets, by_bootstrap)
        print(_row("bootstrap", case, shares, ["-"] * len(models)), flush=True)
    print(
        f"\nleast share of the intervals in use: {100 * least:.1f} %, asked for: {100 * LEAST:g} %"
    )
    return int(least < LEAST)


def _row(name: str, case: Case, shares: list[float], rates: list[str]) -> str:
    noise = f"{100 * case.noise:g} %" + (f", t({case.tail})" if case.tail else "")
    cells = [name, case.levels, f"{case.contention:g}", f"{case.coherency:g}", noise]
    return f"| {' | '.join([*cells, *(f'{100 * share:.1f} %' for share in shares), *rates])} |"


if __name__ == "__main__":
    sys.exit(main())
