"""The verdicts of `smoke`: a run of 30 to 180 s that ends at the first analysis that decides.

Wrong sides are counted over all analyses together. Where slow signals come so rarely that 30 s may
hold none of them, no method can know of them; such rows are marked, and the headline of a PASS
names this horizon.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from harness.analysis.series import Series
from harness.analysis.statistics import CONFIDENCE
from harness.clock import NS_PER_MS, NS_PER_S
from harness.judge.interim_analysis import estimate_percentile
from harness.judge.verdict import Verdict
from harness.scenario import parse_objective
from harness.scenario.load import analysis_times_s, confidence_of_each
from tests.studies.bench.known_delays import MORE_MODELS, Model, stalls
from tests.studies.bench.wrong_sides import conclude

RUNS = 400
RATE = 100.0
TIMES_S = analysis_times_s(30.0, 180.0)
TRUTHS_MS = (450, 550)
LIMIT_MS = 500
OBJECTIVE = parse_objective(f"p99 < {LIMIT_MS} ms")
EACH = confidence_of_each(CONFIDENCE, len(TIMES_S))
HORIZON_S = TIMES_S[0] / -math.log(1 - CONFIDENCE)


@dataclass
class Row:
    """The verdicts of the runs of one kind."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    ends_s: list[float] = field(default_factory=list)
    fixed: Counter[Verdict] = field(default_factory=Counter)


def series_of(rng: np.random.Generator, model: Model, p99_s: float) -> Series:
    """Latencies of a whole load, Poisson arrivals."""
    times = np.sort(rng.uniform(0, TIMES_S[-1], rng.poisson(RATE * TIMES_S[-1])))
    series = Series()
    delays = (model(rng, times, p99_s) * NS_PER_S).astype(np.int64)
    series.add((times * NS_PER_S).astype(np.int64), delays)
    return series


def run_of(series: Series, row: Row) -> None:
    """One run, and the verdict of 30 s of fixed length."""
    for time_s in TIMES_S:
        part = series.before(round(time_s * NS_PER_S / NS_PER_MS))
        found = estimate_percentile("p99", OBJECTIVE, part, time_s, EACH)
        if time_s == TIMES_S[0]:
            row.fixed[estimate_percentile("p99", OBJECTIVE, part, time_s, CONFIDENCE).verdict] += 1
        if found.verdict is not Verdict.INCONCLUSIVE or time_s == TIMES_S[-1]:
            row.verdicts[found.verdict] += 1
            row.ends_s.append(time_s)
            return


def row_of(model: Model, truth_ms: float, seed: int) -> Row:
    """All runs of one kind."""
    rng, row = np.random.default_rng([seed, round(truth_ms)]), Row()
    for _ in range(RUNS):
        run_of(series_of(rng, model, truth_ms / 1e3), row)
    return row


def main() -> int:
    """Print the table; 1 where a side within the horizon errs more often than it may."""
    print(
        f"{RUNS} runs each, {RATE:.0f} signals/s, limit {LIMIT_MS} ms; analyses after"
        f" {', '.join(f'{time_s:g}' for time_s in TIMES_S)} s at {EACH:.2%} each"
    )
    print(
        f"{'delays':28}{'true P99':>9}{'PASS':>6}{'FAIL':>6}{'INCONCL.':>9}{'wrong':>8}"
        f"{'end, median':>13}{'longest':>9}   30 s fixed: P / F / I"
    )
    worst = 0.0
    kinds = [
        (name, model, truth_ms, every_s)
        for name, (model, every_s) in MORE_MODELS.items()
        for truth_ms in TRUTHS_MS
    ]
    kinds.append(("good on a noisy disk", stalls(10.0), 100, 10.0))
    order = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)
    for name, model, truth_ms, every_s in kinds:
        row = row_of(model, truth_ms, len(name))
        wrong = row.verdicts[Verdict.FAIL if truth_ms < LIMIT_MS else Verdict.PASS] / RUNS
        rare = every_s > HORIZON_S + 1e-9
        worst = max(worst, 0.0 if rare else wrong)
        counts = [row.verdicts[one] for one in order]
        print(
            f"{name:28}{f'{truth_ms} ms':>9}{counts[0]:6}{counts[1]:6}{counts[2]:9}{wrong:8.1%}"
            f"{f'{np.median(row.ends_s):g} s':>13}{f'{max(row.ends_s):g} s':>9}"
            f"   {'/'.join(str(row.fixed[one]) for one in order)}"
            f"{'  rarer than the horizon' if rare else ''}",
            flush=True,
        )
    print(f"horizon: {HORIZON_S:.1f} s")
    return conclude(worst, RUNS)


if __name__ == "__main__":
    sys.exit(main())
