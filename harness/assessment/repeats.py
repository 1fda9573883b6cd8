"""One percentile over several runs: decided by what differs between them and by their signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scipy.special import bdtrc

from harness.analysis.pooled_share import (
    RunShare,
    detectable_period_ns,
    pooled_share,
    runs_to_decide,
)
from harness.analysis.run_spread import (
    RUNS_MAX,
    RUNS_MIN,
    Spread,
    excess_of,
    runs_needed,
    spread_of,
)
from harness.analysis.statistics import CONFIDENCE
from harness.formatting import format_count, format_duration, format_percentile, format_share
from harness.judge.check import Check, CheckSpec, Figure
from harness.judge.verdict import Verdict, worst


@dataclass(frozen=True, slots=True)
class TailCounts:
    """What one run gives to the pooled percentile; see `beyond_figures`."""

    percentile: float
    signals: int
    beyond: int
    beyond_least: int
    effective: int
    measured_ns: int


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """One run's estimate of the percentile; None where it has none."""

    verdict: Verdict
    estimate_ns: int | None
    lower_ns: int | None
    upper_ns: int | None
    limit_ns: int
    tail: TailCounts | None = None


def combine_runs(spec: CheckSpec, parts: Sequence[RunEstimate], runs: int) -> Check:
    """Decide for the group.

    PASS if the upper end of the interval between runs is below the limit, no run fails by its
    own interval, and the upper bound of the pooled share of signals beyond the limit is below what
    the percentile allows. FAIL if the interval's lower end is at or above the limit, if more runs
    fail by themselves than would by chance, or if the lower bound of the pooled share is at or
    above what is allowed, each with 5 %. INCONCLUSIVE else.

    Args:
        spec: of the objective.
        parts: of the runs that checked it; at least one.
        runs: how many runs there are.
    """
    limit_ns = parts[0].limit_ns
    fails = sum(part.verdict is Verdict.FAIL for part in parts)
    verdict, message, spread = _typical(parts, runs, fails)
    if fails:
        message += f"; {format_count(fails, 'run')} of {runs} failed by their own interval"
    pools = [part.tail for part in parts if part.tail and part.tail.signals]
    figures: dict[str, Figure] = {} if spread is None else asdict(spread)
    if len(pools) == runs:
        verdict, text, own = _with_pooled(verdict, pools)
        message, figures = message + text, figures | own
    elif verdict is Verdict.PASS:
        verdict = Verdict.INCONCLUSIVE
        message += f"; only {len(pools)} of {format_count(runs, 'run')} count the signals beyond it"
    return spec.judged(verdict, message, {**figures, "limit_ns": limit_ns, "runs_failed": fails})


def _typical(
    parts: Sequence[RunEstimate], runs: int, fails: int
) -> tuple[Verdict, str, Spread | None]:
    """The verdict by the runs' own percentiles, and their spread."""
    limit_ns = parts[0].limit_ns
    known = [part.estimate_ns for part in parts if part.estimate_ns is not None]
    if runs < RUNS_MIN:
        message = f"{format_count(runs, 'run')} give no interval between runs ({RUNS_MIN} do); "
        message += "the worst verdict of a single one counts"
        verdict = worst(part.verdict for part in parts)
        return verdict, message, spread_of(known) if len(known) > 1 else None
    if len(known) < runs:
        verdict = Verdict.FAIL if _beyond_chance(fails, runs) else Verdict.INCONCLUSIVE
        message = (
            f"{len(known)} of {format_count(runs, 'run')} had enough signals for it;"
            " make them longer"
        )
        return verdict, message, None
    spread = spread_of(known)
    verdict = _decide(spread, limit_ns, fails)
    message = _format_spread(spread, limit_ns)
    if verdict is Verdict.INCONCLUSIVE and not fails:
        message += _format_more_runs(runs_needed(known, limit_ns), runs)
    return verdict, message + _format_excess(known, parts), spread


def _with_pooled(
    verdict: Verdict, pools: Sequence[TailCounts]
) -> tuple[Verdict, str, dict[str, Figure]]:
    """The verdict with the pooled percentile, its text and its figures."""
    allowed = 1 - pools[0].percentile / 100
    pooled = pooled_share([RunShare(one.signals, one.beyond, one.effective) for one in pools])
    least = pooled_share([RunShare(one.signals, one.beyond_least, one.effective) for one in pools])
    horizon_ns = detectable_period_ns(sum(one.measured_ns for one in pools))
    message = (
        f"; {format_share(pooled.share)} of the {format_count(pooled.signals, 'signal')} of all"
        " runs took as long as the limit or longer,"
        f" between {format_share(pooled.lower)} and {format_share(pooled.upper)},"
        f" each at {format_share(CONFIDENCE)} (effective sample size {pooled.effective:,.0f});"
        f" {format_percentile(pools[0].percentile)} allows {format_share(allowed)}"
    )
    if least.lower >= allowed:
        verdict = Verdict.FAIL
    elif verdict is Verdict.PASS and pooled.upper >= allowed:
        verdict = Verdict.INCONCLUSIVE
        message += _format_more_runs(
            runs_to_decide(pooled, len(pools), allowed, RUNS_MAX), len(pools)
        )
    elif verdict is Verdict.PASS:
        message += f"; events rarer than one every {format_duration(horizon_ns)} may be missed"
    figures = {f"pooled_{name}": value for name, value in asdict(pooled).items()}
    return verdict, message, {**figures, "horizon_ns": horizon_ns}


def _decide(spread: Spread, limit_ns: int, fails: int) -> Verdict:
    if spread.lower_ns is None or spread.upper_ns is None:
        return Verdict.INCONCLUSIVE
    if spread.lower_ns >= limit_ns or _beyond_chance(fails, spread.runs):
        return Verdict.FAIL
    return Verdict.PASS if spread.upper_ns < limit_ns and not fails else Verdict.INCONCLUSIVE


def _beyond_chance(fails: int, runs: int) -> bool:
    """Whether so many runs would fail less often than in 5 % of groups, were none to fail truly."""
    error = 1 - CONFIDENCE
    return fails > 0 and float(bdtrc(fails - 1, runs, error)) < error


def _format_spread(spread: Spread, limit_ns: int) -> str:
    return (
        f"that of a typical run lies between {format_duration(spread.lower_ns)} and"
        f" {format_duration(spread.upper_ns)}, each at {format_share(CONFIDENCE)}"
        f" ({spread.runs} runs from {format_duration(spread.min_ns)} to"
        f" {format_duration(spread.max_ns)}, which vary by {format_share(spread.variation)});"
        f" the limit is {format_duration(limit_ns)}"
    )


def _format_more_runs(needed: int | None, runs: int) -> str:
    if needed is None:
        return "; no reasonable number of runs would decide"
    return f"; make about {format_count(needed - runs, 'more run')}"


def _format_excess(known: Sequence[int], parts: Sequence[RunEstimate]) -> str:
    found = excess_of(known, [(part.lower_ns, part.upper_ns) for part in parts])
    if found is None:
        return ""
    between, within = found
    return (
        f"; runs differ more than their intervals allow: by {format_share(between)}"
        f" from run to run, where {format_share(within)} would be expected"
    )
