"""The verdict on a group of runs where the P99 of all its signals is below the limit, and above.

Two tables. In the first each run has a level of its own, log-normal around the typical one, since
runs of one system differ by more than chance within them. In the second, runs do not differ, but
what slows them may be rarer than one run is long; there the decision by the typical run alone
("before") stands beside the judge's, which asks the pooled signals too ("after"). What each run
says comes from a made-up series; the decisions are the judge's.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.analysis.histogram import Histogram
from harness.analysis.pooled_share import detectable_period_ns
from harness.analysis.series import Series
from harness.analysis.statistics import estimate_effective_sample, percentile_interval
from harness.assessment.repeats import RunEstimate, TailCounts, combine_runs
from harness.clock import NS_PER_MS, NS_PER_S
from harness.judge.decision import decide
from harness.judge.scope import objective_spec
from harness.judge.verdict import Verdict
from harness.scenario.objective import parse_objective
from tests.studies.bench.known_delays import MODELS, Model, stalls

_SPEC = objective_spec(parse_objective("p99 < 500 ms"))
GROUPS = 100
RUNS = 5
RATE, SECONDS = 100.0, 60.0
LIMIT_NS = 500 * NS_PER_MS
TRUTHS_MS = (450, 550)
# Standard deviation of a run's level, in logarithms: about its share of the typical P99.
SPREADS = (0.0, 0.05, 0.2)
PICKED = ("independent", "AR(1), forgets in 0.2 s", "stalls every 2 s")
# Where runs do not differ, each bound may err in 5 % of groups; more than 11 of 100 are no chance.
WRONG_MAX = 11
# The second table: more groups, as its events are few; more than 26 of 300 are no chance.
RARE_GROUPS = 300
RARE_WRONG_MAX = 26
# How rare its events are, one every so many s. Groups too short to show such events at all are
# printed, but not held against the 5 %.
RARE: dict[str, tuple[Model, float]] = {
    "independent": (MODELS["independent"], 0.0),
    "AR(1), forgets in 2 s": (MODELS["AR(1), forgets in 2 s"], 2.0),
    "stalls every 2 s": (MODELS["stalls every 2 s"], 2.0),
    "stalls every 10 s": (MODELS["stalls every 10 s"], 10.0),
    "stalls every 20 s": (MODELS["stalls every 20 s"], 20.0),
    "stalls every 60 s": (stalls(60.0), 60.0),
}
RARE_TRUTHS_MS = (450, 550, 1_000)
RARE_SECONDS = (30, 60)
RARE_RUNS = (3, 5, 10)
# With no signal beyond the limit the pooled share changes no verdict: the typical run decides.
_NOTHING = TailCounts(99.0, 10**6, 0, 0, 10**6, 1)
_ORDER = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)


def part_of(rng: np.random.Generator, model: Model, p99_s: float, seconds: float) -> RunEstimate:
    """What one run says of its P99."""
    times = np.sort(rng.uniform(0, seconds, rng.poisson(RATE * seconds)))
    delays = (model(rng, times, p99_s) * NS_PER_S).astype(np.int64)
    series, histogram = Series(), Histogram.of(delays)
    series.add((times * NS_PER_S).astype(np.int64), delays)
    effective, length_ns = estimate_effective_sample(series, 99.0), round(seconds * NS_PER_S)
    found = percentile_interval(histogram, 99.0, effective)
    if found is None:
        raise ValueError("a series without a signal")
    verdict = decide(found, LIMIT_NS, histogram, length_ns).verdict
    beyond = histogram.count - histogram.count_below(LIMIT_NS)
    pool = TailCounts(99.0, histogram.count, beyond, beyond, effective.effective_size, length_ns)
    return RunEstimate(verdict, found.estimate_ns, found.lower_ns, found.upper_ns, LIMIT_NS, pool)


def decided(parts: Sequence[RunEstimate]) -> Verdict:
    """Of one group."""
    return combine_runs(_SPEC, parts, len(parts)).status.verdict


def shown(found: Counter[Verdict]) -> str:
    """`  90/   0/  10`."""
    return "/".join(f"{found[one]:4}" for one in _ORDER)


def wrong_of(found: Counter[Verdict], truth_ms: int) -> int:
    """How many are on the wrong side of the limit."""
    return found[Verdict.FAIL if truth_ms < 500 else Verdict.PASS]


def verdicts(name: str, truth_ms: int, spread: float) -> tuple[Counter[Verdict], Counter[Verdict]]:
    """Of groups, and of their runs one by one."""
    rng = np.random.default_rng([TRUTHS_MS.index(truth_ms), round(100 * spread), len(name)])
    groups: Counter[Verdict] = Counter()
    single: Counter[Verdict] = Counter()
    for _ in range(GROUPS):
        levels = truth_ms / 1e3 * np.exp(spread * rng.standard_normal(RUNS))
        parts = [part_of(rng, MODELS[name], float(level), SECONDS) for level in levels]
        single.update(part.verdict for part in parts)
        groups[decided(parts)] += 1
    return groups, single


def differing() -> int:
    """Print the first table; the most wrong groups where runs do not differ."""
    print(f"{GROUPS} groups of {RUNS} runs each, {RATE:.0f}/s for {SECONDS:.0f} s; limit 500 ms")
    print(
        f"{'delays':26}{'runs differ':>12}{'typical P99':>13}   groups: P / F / I   runs: P / F / I"
    )
    worst = 0
    for name in PICKED:
        for spread in SPREADS:
            for truth_ms in TRUTHS_MS:
                groups, single = verdicts(name, truth_ms, spread)
                worst = max(worst, wrong_of(groups, truth_ms) if spread == 0 else 0)
                what = f"{name:26}{f'{spread:.0%}':>12}{f'{truth_ms} ms':>13}"
                print(f"{what}{shown(groups):>20}{shown(single):>18}", flush=True)
    print(f"wrong at most, where runs do not differ: {worst} of {GROUPS} ({WRONG_MAX} are allowed)")
    return worst


def rare() -> int:
    """Print the second table; the most wrong groups whose time tells of such events."""
    print(f"\n{RARE_GROUPS} groups each, {RATE:.0f}/s; limit 500 ms")
    print(f"{'delays':24}{'runs':>10}{'true P99':>10}   before: P / F / I    after: P / F / I")
    worst = 0
    for number, (name, (model, every_s)) in enumerate(RARE.items()):
        for seconds in RARE_SECONDS:
            for truth_ms in RARE_TRUTHS_MS if every_s == 60 else TRUTHS_MS:
                rng = np.random.default_rng([number, seconds, truth_ms])
                groups = [
                    [part_of(rng, model, truth_ms / 1e3, seconds) for _ in range(max(RARE_RUNS))]
                    for _ in range(RARE_GROUPS)
                ]
                for runs in RARE_RUNS:
                    after = Counter(decided(parts[:runs]) for parts in groups)
                    before = Counter(
                        decided([replace(part, tail=_NOTHING) for part in parts[:runs]])
                        for parts in groups
                    )
                    reported = detectable_period_ns(runs * seconds * NS_PER_S) >= every_s * NS_PER_S
                    worst = max(worst, wrong_of(after, truth_ms) if reported else 0)
                    made = f"{runs} x {seconds} s"
                    print(
                        f"{name:24}{made:>10}{f'{truth_ms:,} ms':>10}{shown(before):>20}"
                        f"{shown(after):>19}{'' if reported else '  beyond the horizon'}",
                        flush=True,
                    )
    print(f"wrong at most, within the horizon: {worst} of {RARE_GROUPS} ({RARE_WRONG_MAX} allowed)")
    return worst


def main() -> int:
    """Print both tables; 1 where groups of runs that do not differ err beyond chance."""
    return 0 if differing() <= WRONG_MAX and rare() <= RARE_WRONG_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
