"""`python -m tests.studies.capacity`: searches of known capacities, other tools, false alarms."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy.stats import linregress

from harness.analysis.capacity.search import EndReason, SearchPlan
from tests.studies.capacity.peers import ramp, rate_controller
from tests.studies.capacity.searches import Search, search
from tests.studies.capacity.systems import (
    System,
    Times,
    degrading,
    mm1,
    stalling,
    token_bucket,
)
from tests.studies.capacity.trials import WARMUP_S, backlog_at, grows, poisson

SYSTEMS: tuple[Callable[[], System], ...] = (
    partial(token_bucket, 1_000),
    partial(mm1, 1_000),
    partial(degrading, 1_400, 1_000, 30),
    partial(stalling, 1_000, 30, 8, 600),
)
PLANS = {
    "ad hoc": SearchPlan(start=100),
    "sign-off": SearchPlan(
        start=100,
        trial_least_s=60,
        trial_most_s=600,
        confirmation_s=300,
        confirmation_most_s=600,
    ),
}
RUNS_BACKLOG = 200


def main() -> int:
    """Print the tables that are asked for; 1 if the searches err more often than allowed."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.capacity", description=__doc__)
    parser.add_argument("parts", nargs="*", help="search, sign-off, peers, backlog; default: all")
    parser.add_argument("--seeds", type=int, default=5, help="searches of each system")
    options = parser.parse_args()
    parts = options.parts or ["search", "sign-off", "peers", "backlog"]
    good = True
    if "search" in parts:
        good &= print_searches("ad hoc", options.seeds)
    if "sign-off" in parts:
        good &= print_searches("sign-off", options.seeds)
    if "peers" in parts:
        print_peers(options.seeds)
    if "backlog" in parts:
        print_backlog()
    return 0 if good else 1


def print_searches(name: str, seeds: int) -> bool:
    """A row for each system; whether truth and certified levels are as they must be."""
    plan = PLANS[name]
    print(
        f"{name}: {seeds} searches each, trials of {plan.trial_least_s:g} to"
        f" {plan.trial_most_s:g} s, confirmations {plan.confirmations} x"
        f" {plan.confirmation_s:g} to {plan.confirmation_most_s:g} s"
    )
    print(
        f"{'system':36} {'truth':>5} {'inside':>7} {'above':>6} {'proven':>7} {'CV':>5}"
        f" {'estimate':>8} {'CV':>5} {'width':>6} {'trials':>6} {'minutes':>7}"
    )
    every: list[Search] = []
    for make in SYSTEMS:
        system = make()
        found = [search(system, plan, seed) for seed in range(seeds)]
        every += found
        print(_row(system, found), flush=True)
    inside, above = sum(one.holds for one in every), sum(one.is_certified_above for one in every)
    narrow = sum(one.state.reason is EndReason.FOUND for one in every)
    print(
        f"truth inside [proven, broken]: {inside} of {len(every)}; a rate above it certified:"
        f" {above}; width of {plan.width:.0%} reached: {narrow}\n"
    )
    return inside >= 0.95 * len(every) and above <= 0.05 * len(every)


def _row(system: System, found: Sequence[Search]) -> str:
    proven = [one.state.bounds.proven_met or 0.0 for one in found]
    estimates = [one.state.bounds.estimate or 0.0 for one in found]
    widths = [1.0 if one.width is None else one.width for one in found]
    return (
        f"{system.name:36} {system.capacity:5.0f}"
        f" {sum(one.holds for one in found):3}/{len(found):3}"
        f" {sum(one.is_certified_above for one in found):6}"
        f" {statistics.median(proven):7.0f} {_variation(proven):5.1%}"
        f" {statistics.median(estimates):8.0f} {_variation(estimates):5.1%}"
        f" {statistics.median(widths):6.1%}"
        f" {statistics.median(len(one.outcomes) for one in found):6.0f}"
        f" {statistics.median(one.virtual_s / 60 for one in found):7.0f}"
    )


def _variation(values: Sequence[float]) -> float:
    mean = statistics.fmean(values)
    return statistics.stdev(values) / mean if len(values) > 1 and mean else 0.0


def print_peers(seeds: int) -> None:
    """What a ramp and a controller of the rate call the capacity, over the truth."""
    ways: dict[str, Callable[[System, int], float]] = {
        "ramp to 2,000/s in 20 min": lambda system, seed: ramp(system, 2_000, 1_200, seed),
        "ramp to 2,000/s in 5 min": lambda system, seed: ramp(system, 2_000, 300, seed),
        "rate controller, 10 min": lambda system, seed: rate_controller(system, 100, 600, seed),
    }
    print(f"{f'answer over truth, {seeds} runs each':36}" + "".join(f"{name:>28}" for name in ways))
    for make in SYSTEMS:
        system = make()
        cells = []
        for way in ways.values():
            errors = [way(system, seed) / system.capacity - 1 for seed in range(seeds)]
            cells.append(f"{min(errors):+12.1%} to {max(errors):+7.1%}")
        print(f"{system.name:36}" + "".join(f"{cell:>28}" for cell in cells), flush=True)
    print()


def print_backlog() -> None:
    """How often a backlog is called growing, by the load as a share of the saturation."""
    windows_s = (30, 60, 120, 300)
    print(
        f"{'backlog called growing, of ' + str(RUNS_BACKLOG) + ' loads':36} {'load':>6}"
        + "".join(f"{window:>8} s" for window in windows_s)
        + f"{'slope alone, 60 s':>20}"
    )
    for system in (mm1(200), mm1(1_000)):
        for load in (0.9, 0.98, 1.05, 1.2, 2.0):
            shares = [_growing(system, load, window) for window in windows_s]
            print(
                f"{system.name:36} {load:6.0%}"
                + "".join(f"{share:10.1%}" for share in shares)
                + f"{_growing(system, load, 60, _slope_alone):20.1%}",
                flush=True,
            )
    print()


def _growing(
    system: System,
    load: float,
    window_s: int,
    rule: Callable[[Times, Times, float], bool] = grows,
) -> float:
    rng = np.random.default_rng((window_s, round(load * 100)))
    found, end_s = 0, WARMUP_S + window_s
    for _ in range(RUNS_BACKLOG):
        arrivals = poisson(rng, load * system.saturation, end_s)
        found += rule(arrivals, system.latencies(rng, arrivals), end_s)
    return found / RUNS_BACKLOG


def _slope_alone(arrivals: Times, latencies: Times, until_s: float) -> bool:
    """The t-interval of the slope of one value a second, as if they were independent."""
    times_s = np.arange(WARMUP_S, until_s + 0.5)
    found = linregress(times_s, backlog_at(arrivals, latencies, times_s), alternative="greater")
    return bool(found.pvalue < 0.01)


if __name__ == "__main__":
    sys.exit(main())
