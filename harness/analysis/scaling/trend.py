"""Whether results rise or fall with the level: Kendall's S over all pairs of runs.

S is the number of pairs of runs of different levels that rise with the level, less those that fall
(Kendall, Rank Correlation Methods, chapter 4; with groups it is the statistic of Jonckheere,
Biometrika 41, 1954). Its p-value is by permutation, which needs no assumption on the results'
distribution: without a trend every assignment of results to levels is as likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PERMUTATIONS = 9_999
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Trend:
    """A monotone trend.

    Attributes:
        tau: S over the number of pairs of different levels, -1..1; 0 without such a pair.
        p_value: two-sided; at least 1 / 10,000.
        runs: number of runs.
    """

    tau: float
    p_value: float
    runs: int


def trend_of(levels: Sequence[float], results: Sequence[float], seed: int) -> Trend:
    """The trend of results over levels, one of each for each run.

    Args:
        levels: of each run.
        results: of the same runs.
        seed: of the permutations.
    """
    at, found = np.asarray(levels, float), np.asarray(results, float)
    signs = np.sign(at[None, :] - at[:, None])
    pairs = float(np.abs(signs).sum()) / 2
    if not pairs:
        return Trend(0.0, 1.0, len(at))
    own = _score(signs, found[None, :])[0]
    random = np.random.default_rng(seed)
    reached = 1  # the observed assignment is one of them
    for start in range(0, PERMUTATIONS, _AT_ONCE):
        size = min(_AT_ONCE, PERMUTATIONS - start)
        shuffled = random.permuted(np.tile(found, (size, 1)), axis=1)
        reached += int((np.abs(_score(signs, shuffled)) >= abs(own)).sum())
    return Trend(float(own / pairs), reached / (PERMUTATIONS + 1), len(at))


def _score(signs: Floats, results: Floats) -> Floats:
    """S of each row of results, of shape (m, n)."""
    changes = np.sign(results[:, None, :] - results[:, :, None])
    score: Floats = (changes * signs).sum(axis=(1, 2)) / 2
    return score
