"""How often a share is judged on the wrong side, by the point and by its interval.

Runs as long as `smoke` (2,981 signals in 30 s) with a known share of rejections, alone and in
bunches, against `rejected < 1 %`. Then two shares below 1 % each, of rejections and of signals that
take 2 s, against `p99 < 500 ms`: survivors only, and with each rejection beyond every limit.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import LIMIT_NS, Histogram
from harness.analysis.series import Series
from harness.analysis.share_interval import estimate_share_sample, share_interval
from harness.analysis.statistics import estimate_effective_sample, percentile_interval
from harness.clock import NS_PER_MS, NS_PER_S
from harness.judge.decision import decide, decide_share
from harness.judge.verdict import Verdict
from tests.studies.bench.wrong_sides import conclude

ROUNDS = 1_000
LIMIT = 0.01
SIZES = (2_981, 29_810)
SHARES = (0.012, 0.009)
BUNCHES = (1, 20)
LENGTH_NS = 30 * NS_PER_S
LIMIT_P99_NS = 500 * NS_PER_MS
_VERDICTS = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)


def rejections(
    rng: np.random.Generator, signals: int, share: float, bunch: int
) -> NDArray[np.bool_]:
    """Which signals are rejected: bunches begin at random, as often as makes `share`."""
    begins = rng.random(signals) < 1 - (1 - share) ** (1 / bunch)
    marked = np.convolve(begins, np.ones(bunch, dtype=np.int64))[:signals] > 0
    return np.asarray(marked, dtype=np.bool_)


def judged(
    rng: np.random.Generator, signals: int, share: float, bunch: int
) -> tuple[Verdict, Verdict]:
    """Verdict of a run by the point, and by the interval."""
    when = np.arange(signals, dtype=np.int64) * (LENGTH_NS // SIZES[0])
    marked = rejections(rng, signals, share, bunch)
    series, marks = Series(), Series()
    series.add(when, when)
    marks.add(when[marked], when[marked])
    found = share_interval(int(marked.sum()), estimate_share_sample(series, marks))
    point = Verdict.PASS if found.estimate < LIMIT else Verdict.FAIL
    return point, decide_share(found, LIMIT, LENGTH_NS).verdict


def two_budgets(rng: np.random.Generator, *, survivors: bool) -> Verdict:
    """Verdict of the P99 with 0.88 % rejected and 0.85 % that take 2 s."""
    when = np.arange(SIZES[0], dtype=np.int64) * (LENGTH_NS // SIZES[0])
    chance = rng.random(SIZES[0])
    took = np.where(chance < 0.0173, 2 * NS_PER_S, rng.integers(5, 50, SIZES[0]) * NS_PER_MS)
    rejected = chance < 0.0088
    took[rejected] = LIMIT_NS
    kept = ~rejected if survivors else np.ones(SIZES[0], dtype=np.bool_)
    series = Series()
    series.add(when[kept], took[kept])
    histogram = Histogram.of(took[kept])
    found = percentile_interval(histogram, 99.0, estimate_effective_sample(series, 99.0))
    if found is None:
        raise ValueError("a run without a signal")
    return decide(found, LIMIT_P99_NS, histogram, LENGTH_NS).verdict


def _row(words: str, found: Counter[Verdict]) -> None:
    print(f"{words:44}" + "".join(f"{found[one] / ROUNDS:14.1%}" for one in _VERDICTS), flush=True)


def main() -> int:
    """Print the tables; 1 where independent rejections err more often than they may."""
    print(f"{ROUNDS} runs each, rejected < 1 %")
    print(f"{'':44}" + "".join(f"{one.value:>14}" for one in _VERDICTS))
    worst = 0.0
    for signals in SIZES:
        for share in SHARES:
            for bunch in BUNCHES:
                rng = np.random.default_rng(signals + bunch)
                runs = [judged(rng, signals, share, bunch) for _ in range(ROUNDS)]
                words = f"{signals:,} signals, true {share:.1%}, bunches of {bunch}"
                point, found = (Counter(column) for column in zip(*runs, strict=True))
                _row(f"{words}: point", point)
                _row(f"{'':{len(words)}}  interval", found)
                wrong = found[Verdict.PASS if share >= LIMIT else Verdict.FAIL] / ROUNDS
                # A short run that holds no bunch at all cannot know of any: see docs/statistics.md.
                if bunch == 1 or signals > SIZES[0]:
                    worst = max(worst, wrong)
    print(f"\n{ROUNDS} runs, 0.88 % rejected and 0.85 % taking 2 s, p99 < 500 ms")
    for survivors in (True, False):
        rng = np.random.default_rng(5)
        found = Counter(two_budgets(rng, survivors=survivors) for _ in range(ROUNDS))
        _row("survivors only" if survivors else "rejections beyond every limit", found)
    return conclude(worst, ROUNDS)


if __name__ == "__main__":
    sys.exit(main())
