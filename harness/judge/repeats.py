"""One percentile over several runs: the three-way decision by what differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scipy.special import bdtrc

from harness.judge.check import Check, Kind
from harness.judge.verdict import Verdict, worst
from harness.judge.words import count, duration, share
from harness.measure.repeats import RUNS_MIN, Spread, excess_of, runs_needed, spread_of
from harness.measure.statistics import CONFIDENCE


@dataclass(frozen=True, slots=True)
class Part:
    """What one run says of the percentile; None where it says nothing."""

    verdict: Verdict
    estimate_ns: int | None
    lower_ns: int | None
    upper_ns: int | None
    limit_ns: int


def combine(name: str, parts: Sequence[Part], runs: int) -> Check:
    """Decide for the group.

    PASS if the upper end of the interval between runs is below the limit and no run fails by its
    own interval. FAIL if its lower end is at or above the limit, or if more runs fail by themselves
    than would by chance, each with 5 %. INCONCLUSIVE else.

    Args:
        name: of the objective.
        parts: of the runs that looked at it; at least one.
        runs: how many runs there are.
    """
    limit_ns = parts[0].limit_ns
    known = [part.estimate_ns for part in parts if part.estimate_ns is not None]
    fails = sum(part.verdict is Verdict.FAIL for part in parts)
    if runs < RUNS_MIN:
        verdict = worst(part.verdict for part in parts)
        said = f"{count(runs, 'run')} give no interval between runs ({RUNS_MIN} do); "
        said += "the worst verdict of a single one counts"
        spread = spread_of(known) if len(known) > 1 else None
    elif len(known) < runs:
        verdict = Verdict.FAIL if _beyond_chance(fails, runs) else Verdict.INCONCLUSIVE
        said = f"{len(known)} of {count(runs, 'run')} had enough signals for it; make them longer"
        spread = None
    else:
        spread = spread_of(known)
        verdict = _decide(spread, limit_ns, fails)
        said = _words(spread, limit_ns)
        if verdict is Verdict.INCONCLUSIVE and not fails:
            said += _more_words(known, limit_ns)
        said += _excess_words(known, parts)
    if fails:
        said += f"; {count(fails, 'run')} of {runs} failed by their own interval"
    figures = {} if spread is None else asdict(spread)
    return Check(
        name=name,
        kind=Kind.OBJECTIVE,
        verdict=verdict,
        said=said,
        figures={**figures, "limit_ns": limit_ns, "runs_failed": fails},
    )


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


def _words(spread: Spread, limit_ns: int) -> str:
    return (
        f"that of a typical run lies between {duration(spread.lower_ns)} and"
        f" {duration(spread.upper_ns)}, each at {share(CONFIDENCE)} ({spread.runs} runs from"
        f" {duration(spread.min_ns)} to {duration(spread.max_ns)}, which vary by"
        f" {share(spread.variation)}); the limit is {duration(limit_ns)}"
    )


def _more_words(known: Sequence[int], limit_ns: int) -> str:
    needed = runs_needed(known, limit_ns)
    if needed is None:
        return "; no reasonable number of runs would tell"
    return f"; make about {count(needed - len(known), 'more run')}"


def _excess_words(known: Sequence[int], parts: Sequence[Part]) -> str:
    found = excess_of(known, [(part.lower_ns, part.upper_ns) for part in parts])
    if found is None:
        return ""
    between, within = found
    return (
        f"; runs differ more than their intervals allow: by {share(between)} from run to run,"
        f" where {share(within)} would be expected"
    )
