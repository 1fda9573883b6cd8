"""`python -m tests.studies.compare`: how often a comparison is right, by simulation.

Six tables: alarms without a change; alarms on a host that drifts; intervals that hold the true
change; verdicts on runs that are 30 % slower; new runs that lost their tail; the stage that grew
among fifteen that did not. "Rank" is the method in use, "Welch" the t-test on logarithms. Returns 1
where the method in use raises more alarms, holds fewer truths or names more wrong figures than 5 %
allows.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from harness.analysis.comparison import (
    CONFIDENCE,
    ComparisonVerdict,
    RatioInterval,
    RunValue,
    decide_change,
    holm,
    mean_ratio,
    ratio_interval,
    runs_needed,
)
from harness.analysis.histogram import Histogram
from harness.experiments.interleave import side_of

PAIRS = 200
ALARMS = (ComparisonVerdict.SLOWER, ComparisonVerdict.FASTER)
SIZES = ((4, 4), (5, 5), (8, 8), (5, 10))
# Standard deviation of the logarithm of a run's P99, about its share of the typical one. Real
# groups: 11 % (P90 of the stored group of tests/corpus), 68 % (docs/repeat.md, a busy host).
SPREADS = (0.05, 0.1, 0.2, 0.4, 0.7)
LEVEL_NS = 1e8
SIGNALS = 3_000
FIGURES = 16
SIGNIFICANT = 1 - CONFIDENCE
NO_NUMBER = 10**6

Random = np.random.Generator
Floats = NDArray[np.float64]
# Logarithms of the P99s of so many runs; the spread is that of most of them.
Draw = Callable[[Random, int, float], Floats]


def normal(random: Random, runs: int, spread: float) -> Floats:
    """Log-normal levels."""
    found: Floats = spread * random.standard_normal(runs)
    return found


def heavy(random: Random, runs: int, spread: float) -> Floats:
    """Student's t of three degrees, of the same standard deviation."""
    found: Floats = spread * random.standard_t(3, runs) / np.sqrt(3)
    return found


def stalled(random: Random, runs: int, spread: float) -> Floats:
    """One run of ten has a stall that triples its P99."""
    stall = np.log(3) * (random.random(runs) < 0.1)
    found: Floats = normal(random, runs, spread) + stall
    return found


def by_signals(random: Random, runs: int, spread: float) -> Floats:
    """Each run has a level and 3,000 signals, and the P99 of their histogram."""
    found = []
    for level in normal(random, runs, spread):
        values = LEVEL_NS * np.exp(level + 0.5 * random.standard_normal(SIGNALS))
        estimate_ns = Histogram.of(values.astype(np.int64)).percentile_ns(99.0)
        found.append(np.log((estimate_ns or 1) / LEVEL_NS))
    return np.array(found)


DRAWS: dict[str, Draw] = {
    "log-normal": normal,
    "heavy tail": heavy,
    "one of ten stalls": stalled,
    "P99 of signals": by_signals,
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Verdicts of both methods over many pairs of groups.

    Attributes:
        needed: runs that the open ones of the method in use needed, in order.
        held: how many intervals of rank and Welch held the true ratio.
    """

    rank: Counter[ComparisonVerdict]
    welch: Counter[ComparisonVerdict]
    needed: tuple[int, ...]
    held: tuple[int, int]

    def alarms(self) -> tuple[int, int]:
        """Of rank and Welch: verdicts that there is a change."""
        rank, welch = (sum(of[one] for one in ALARMS) for of in (self.rank, self.welch))
        return rank, welch


def values_of(logs: Sequence[float] | Floats, factor: float = 1.0) -> list[RunValue]:
    """P99s of runs in ns."""
    return [RunValue(float(LEVEL_NS * factor * np.exp(one))) for one in logs]


def count(
    random: Random,
    draw: Draw,
    sizes: tuple[int, int],
    spreads: tuple[float, float],
    factor: float,
    pairs: int,
) -> Counts:
    """Verdicts on pairs of groups whose new side is slower by a factor.

    Args:
        random: source of the groups.
        draw: the runs of one system.
        sizes: number of runs of BASE and NEW.
        spreads: of both.
        factor: the true ratio.
        pairs: number of them.
    """
    verdicts = Counter[ComparisonVerdict](), Counter[ComparisonVerdict]()
    needed, held = [], [0, 0]
    for _ in range(pairs):
        base = values_of(draw(random, sizes[0], spreads[0]))
        new = values_of(draw(random, sizes[1], spreads[1]), factor)
        means = mean_ratio([one.value for one in base], [one.value for one in new])
        rank = ratio_interval(base, new)
        welch = RatioInterval(means.ratio, means.ratio, means.lower, means.upper)
        for number, found in enumerate((rank, welch)):
            verdicts[number][decide_change(found)] += 1
            held[number] += (found.lower or 0) <= factor <= (found.upper or np.inf)
        if decide_change(rank) is ComparisonVerdict.CANNOT_TELL:
            needed.append(runs_needed(rank, *sizes) or NO_NUMBER)
    return Counts(*verdicts, tuple(sorted(needed)), (held[0], held[1]))


def rows() -> Iterator[tuple[str, Draw, float, float]]:
    """Name of the system, its runs, and the spread of BASE and of NEW."""
    for name, draw in DRAWS.items():
        for spread in SPREADS if draw is normal else (0.2,):
            yield name, draw, spread, spread


def print_cells(
    text: str,
    systems: Iterable[tuple[str, Draw, float, float]],
    cell: Callable[[tuple[int, int], Draw, tuple[float, float]], tuple[int, int]],
) -> list[int]:
    """A table with a column for each number of runs; its figures of the method in use."""
    print(f"{text}, rank | Welch")
    heads = "".join(f"{base} + {new}".rjust(12) for base, new in SIZES)
    print(f"{'runs of a system':24} {'spread':>6}{heads}")
    of_rank = []
    for name, draw, base, new in systems:
        found = [cell(sizes, draw, (base, new)) for sizes in SIZES]
        of_rank += [rank for rank, _ in found]
        cells = "".join(f"{rank} | {welch}".rjust(12) for rank, welch in found)
        print(f"{name:24} {base:6.0%}{cells}")
    return of_rank


def print_alarms(pairs: int) -> bool:
    """A/A: both sides are one system. Whether the method in use keeps to 5 %."""
    random, allowed = np.random.default_rng(1), int(binom.ppf(0.999, pairs, SIGNIFICANT))
    found = print_cells(
        f"A/A: {pairs} pairs of groups of one system: alarms (SLOWER or FASTER)",
        rows(),
        lambda sizes, draw, spreads: count(random, draw, sizes, spreads, 1.0, pairs).alarms(),
    )
    total = sum(found) / len(found) / pairs
    print(f"alarms of rank: {total:.1%} of all, at most {max(found)} of {pairs} in a cell\n")
    return total <= SIGNIFICANT and max(found) <= allowed


def print_coverage(pairs: int) -> bool:
    """Whether intervals hold the true ratio, also where NEW varies twice as much as BASE."""
    random, least = np.random.default_rng(2), int(binom.ppf(0.001, pairs, CONFIDENCE))
    unequal = [("log-normal, NEW twice", normal, spread, 2 * spread) for spread in (0.1, 0.2)]
    found = print_cells(
        f"coverage: {pairs} pairs, NEW 30 % slower: intervals that hold 1.3",
        [*rows(), *unequal],
        lambda sizes, draw, spreads: count(random, draw, sizes, spreads, 1.3, pairs).held,
    )
    total = sum(found) / len(found) / pairs
    print(f"held by rank: {total:.1%} of all, at least {min(found)} of {pairs} in a cell\n")
    # What varies differently is no shift, and the interval of no method is exact for it.
    equal = found[: -len(unequal) * len(SIZES)]
    return min(equal) >= least


def print_drift(pairs: int) -> bool:
    """A/A on a host that becomes slower with every run, in two orders of the same ten runs."""
    print(f"drift: {pairs} pairs of 5 + 5 runs of one system, spread 10 %: alarms of rank")
    print("slower by a run   BASE before NEW   alternate (ABBA)")
    random, worst = np.random.default_rng(3), 0
    orders = [number >= 5 for number in range(10)], [bool(side_of(n)) for n in range(10)]
    for drift in (0.0, 0.01, 0.02, 0.05):
        alarms = [0, 0]
        for _ in range(pairs):
            logs = normal(random, 10, 0.1) + np.log1p(drift) * np.arange(10)
            for number, is_new in enumerate(orders):
                of = [values_of(logs[np.array(is_new) == side]) for side in (False, True)]
                alarms[number] += decide_change(ratio_interval(*of)) in ALARMS
        worst = max(worst, alarms[1])
        print(f"{drift:15.0%}   {alarms[0]:15}   {alarms[1]:16}")
    print()
    return worst <= int(binom.ppf(0.999, pairs, SIGNIFICANT))


def print_power(pairs: int) -> None:
    """Verdicts on runs that are 30 % slower, and on runs that are the same."""
    random = np.random.default_rng(4)
    print(f"power: {pairs} pairs of groups; margin 10 %")
    print(f"{'runs of a system':20} {'spread':>6} {'change':>7} {'runs':>8}"
          "  SLOWER  open  SAME  (Welch: SLOWER)  typical number of runs needed")  # fmt: skip
    for name, draw in DRAWS.items():
        for spread in SPREADS if draw is normal else (0.1,):
            for factor, sizes in ((1.3, (5, 5)), (1.3, (10, 10)), (1.0, (5, 5)), (1.0, (10, 10))):
                found = count(random, draw, sizes, (spread, spread), factor, pairs)
                rank = found.rank
                needed = found.needed[len(found.needed) // 2] if found.needed else 0
                print(
                    f"{name:20} {spread:6.0%} {factor - 1:+7.0%} {sizes[0]:>3} + {sizes[1]:<2}"
                    f"  {rank[ComparisonVerdict.SLOWER]:6}"
                    f"  {rank[ComparisonVerdict.CANNOT_TELL]:4}  {rank[ComparisonVerdict.SAME]:4}"
                    f"  {found.welch[ComparisonVerdict.SLOWER]:15}"
                    f"  {'-' if not needed else 'no number' if needed == NO_NUMBER else needed}"
                )
    print()


def print_censored(pairs: int) -> bool:
    """New runs that lost their tail, of a system whose others are as before."""
    print(f"lost tails: {pairs} pairs of 5 + 5 runs, spread 10 %; so many new runs are bounds")
    print("bounded at   runs  SLOWER  open  SAME  FASTER")
    wrong, random = 0, np.random.default_rng(5)
    for factor in (1.0, 50.0):
        for bounded in range(6):
            rank = Counter[ComparisonVerdict]()
            for _ in range(pairs):
                base = values_of(normal(random, 5, 0.1))
                new = [
                    RunValue(one.value * factor, True) if number < bounded else one
                    for number, one in enumerate(values_of(normal(random, 5, 0.1)))
                ]
                rank[decide_change(ratio_interval(base, new))] += 1
            wrong = max(wrong, rank[ComparisonVerdict.FASTER])
            print(
                f"{factor:4.0f} x P99 {bounded:7}  {rank[ComparisonVerdict.SLOWER]:6}"
                f"  {rank[ComparisonVerdict.CANNOT_TELL]:4}  {rank[ComparisonVerdict.SAME]:4}"
                f"  {rank[ComparisonVerdict.FASTER]:6}"
            )
    print()
    return wrong <= int(binom.ppf(0.999, pairs, SIGNIFICANT / 2))


def print_explanations(pairs: int) -> bool:
    """Of 16 figures one grew by 40 %, or none did: how often is which named?"""
    print(f"explanations: {pairs} pairs of groups, {FIGURES} figures, Holm at 5 %")
    print("runs    spread  change  the changed one named  another one named")
    allowed, worst = int(binom.ppf(0.999, pairs, SIGNIFICANT)), 0
    random = np.random.default_rng(6)
    for sizes in ((5, 5), (8, 8)):
        for spread in (0.05, 0.1, 0.2):
            for factor in (1.0, 1.4):
                right, wrong = 0, 0
                for _ in range(pairs):
                    p_values = []
                    for figure in range(FIGURES):
                        base = np.exp(normal(random, sizes[0], spread))
                        new = np.exp(normal(random, sizes[1], spread))
                        grown = factor if figure == 0 else 1.0
                        p_values.append(mean_ratio(list(base), list(grown * new)).p_value)
                    named = [one <= SIGNIFICANT for one in holm(p_values)]
                    right += named[0] and factor > 1
                    wrong += any(named[1:] if factor > 1 else named)
                worst = max(worst, wrong)
                print(
                    f"{sizes[0]} + {sizes[1]}  {spread:7.0%} {factor - 1:+7.0%}"
                    f"  {right:21}  {wrong:17}"
                )
    print(f"most wrong names of a row: {worst} of {pairs}")
    return worst <= allowed


PARTS: dict[str, Callable[[int], bool | None]] = {
    "alarms": print_alarms,
    "drift": print_drift,
    "coverage": print_coverage,
    "power": print_power,
    "censored": print_censored,
    "explanations": print_explanations,
}


def main() -> int:
    """Print the tables; 1 where alarms or names are more than stated."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.compare", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}; all")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of groups in each cell")
    options = parser.parse_args()
    good = [PARTS[part](options.pairs) is not False for part in options.parts or PARTS]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
