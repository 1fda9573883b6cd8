"""The scenario's promises, held against the measurement."""

from __future__ import annotations

from collections.abc import Iterator

from harness.clock import NS_PER_S
from harness.evidence.records import Mode
from harness.judge.check import Case, Check, Kind
from harness.judge.decision import decide
from harness.judge.verdict import Verdict
from harness.judge.words import count, duration, share
from harness.measure.histogram import Histogram
from harness.measure.recorder import Cell, CellKey, Metric
from harness.measure.statistics import CONFIDENCE, Interval, effective_size, interval
from harness.measure.summary import percentile_name
from harness.scenario import Objective, Phase

# Events after which a shortfall of the generator says nothing of the system under test.
CUT_SHORT = frozenset({"swarm_died", "interrupted", "observer_died", "stack_lost"})
# So many signals to one independent one are worth a word.
_BUNCHED = 2


def check_objectives(case: Case) -> Iterator[Check]:
    """Every objective, for each mode that it concerns."""
    for objective in case.scenario.parsed_objectives():
        if objective.metric == "rejected":
            yield _rejected(case, objective)
        elif objective.metric == "rate":
            yield _rate(case, objective)
        else:
            yield from _duration(case, objective)


def check_arrival(case: Case) -> Check:
    """Whatever is promised: an engine that simulates nothing does not pass."""
    account = case.gathered.account(Phase.MEASURE)
    arrived, attempted = account.arrived, account.attempted
    awaited = account.ordinary
    return Check(
        name="signals reach SIMULATED",
        kind=Kind.OBJECTIVE,
        verdict=Verdict.FAIL if awaited and not arrived else Verdict.PASS,
        said=f"{arrived:,} of {count(attempted, 'attempted signal')} reached SIMULATED,"
        f" {account.rejected:,} were rejected by the engine",
        figures={"attempted": attempted, "arrived": arrived, "rejected": account.rejected},
    )


def _rejected(case: Case, objective: Objective) -> Check:
    account = case.gathered.account(Phase.MEASURE)
    limit = objective.limit_share or 0.0
    # Refusing what was sent stale on purpose is right, and no rejection in the promise's sense.
    part = account.ordinary_rejected / account.ordinary if account.ordinary else 0.0
    reasons = ", ".join(
        f"{number:,} {state.name}" for state, number in sorted(account.rejected_by.items())
    )
    return Check(
        name=objective.text,
        kind=Kind.OBJECTIVE,
        verdict=Verdict.PASS if part < limit else Verdict.FAIL,
        said=f"{share(part)} of {count(account.ordinary, 'signal')} were rejected"
        f"{f' ({reasons})' if reasons else ''}; the limit is {share(limit)}",
        figures={"rejected_share": part, "limit_share": limit},
    )


def _rate(case: Case, objective: Objective) -> Check:
    limit = objective.limit_share or 0.0
    rate = next(rate for rate in case.measurement.rates if rate.phase == Phase.MEASURE)
    part = rate.share
    cut_short = sorted({event.kind for event in case.run.events} & CUT_SHORT)
    verdict = Verdict.PASS
    if part is None or part < limit:
        verdict = Verdict.INVALID if cut_short or part is None else Verdict.FAIL
    why = f"; the run was cut short ({', '.join(cut_short)})" if cut_short else ""
    return Check(
        name=objective.text,
        kind=Kind.OBJECTIVE,
        verdict=verdict,
        said=f"{rate.in_phase:,} of {rate.intended or 0:,} intended signals were sent in their"
        f" phase, {'none were due' if part is None else share(part)};"
        f" at least {share(limit)} is asked{why}",
        figures={"intended": rate.intended, "in_phase": rate.in_phase, "limit_share": limit},
    )


def _duration(case: Case, objective: Objective) -> Iterator[Check]:
    cells = case.gathered.cells
    wanted = [mode for mode in Mode if objective.mode in (None, mode.name.lower())]
    found = [
        (mode, cells[key])
        for mode in wanted
        if (key := CellKey(Phase.MEASURE, mode)) in cells and cells[key].account.ordinary
    ]
    if not found:
        yield Check(
            name=objective.text,
            kind=Kind.OBJECTIVE,
            verdict=Verdict.INVALID,
            said=f"no {objective.mode or ''} signal was measured, so nothing can be said",
        )
    for mode, cell in found:
        modes_occur = sum(key.phase is Phase.MEASURE for key in cells)
        told = f" ({mode.name.lower()})" if objective.mode is None and modes_occur > 1 else ""
        name = f"{objective.text}{told}"
        if objective.percentile == 100.0:
            yield _maximum(name, objective, cell)
        else:
            yield _percentile(name, objective, cell, case)


def _maximum(name: str, objective: Objective, cell: Cell) -> Check:
    """A maximum is the sample's own; no interval tells what would come after it."""
    limit_ns = objective.limit_ns or 0
    metric = Metric(objective.metric)
    histogram = cell.histogram(metric)
    verdict = Verdict.PASS if histogram.max_ns < limit_ns else Verdict.FAIL
    if verdict is Verdict.FAIL and _fastest(cell, metric, histogram).max_ns < limit_ns:
        verdict = Verdict.INCONCLUSIVE
    return Check(
        name=name,
        kind=Kind.OBJECTIVE,
        verdict=verdict,
        said=f"the longest {metric} is {duration(histogram.max_ns)} of"
        f" {count(histogram.count, 'signal')}; the limit is {duration(limit_ns)}"
        f"{_censored_words(cell, metric)}",
        figures={"max_ns": histogram.max_ns, "limit_ns": limit_ns},
    )


def _percentile(name: str, objective: Objective, cell: Cell, case: Case) -> Check:
    limit_ns, percentile = objective.limit_ns or 0, objective.percentile or 50.0
    metric = Metric(objective.metric)
    histogram = cell.histogram(metric)
    effective = effective_size(cell.series[metric], percentile)
    unknown = cell.histogram(Metric.UNSEEN).count if metric is not Metric.LATENESS else 0
    found = interval(
        histogram,
        percentile,
        effective,
        fastest=_fastest(cell, metric, histogram),
        unknown=unknown,
    )
    if found is None:
        raise ValueError("a cell without a signal")
    measured_ns = case.gathered.timeline.duration_ns(Phase.MEASURE)
    decision = decide(found, limit_ns, histogram, measured_ns)
    verdict, why = decision.verdict, _interval_words(found)
    if verdict is Verdict.FAIL and _observer_may_be_slow(cell, metric, found, limit_ns):
        verdict = Verdict.INCONCLUSIVE
        why += "; by their commit times it could be met: the observer was too slow to tell"
    elif verdict is Verdict.INCONCLUSIVE:
        why += _longer_words(decision.longer_ns)
    return Check(
        name=name,
        kind=Kind.OBJECTIVE,
        verdict=verdict,
        said=f"{percentile_name(percentile).upper()} of {metric} is"
        f" {duration(found.estimate_ns)}, {why}; the limit is {duration(limit_ns)}"
        f"{_censored_words(cell, metric)}",
        figures={
            "estimate_ns": found.estimate_ns,
            "lower_ns": found.lower_ns,
            "upper_ns": found.upper_ns,
            "confidence": CONFIDENCE,
            "limit_ns": limit_ns,
            "signals": effective.signals,
            "effective": effective.size,
            "longer_ns": decision.longer_ns,
        },
    )


def _fastest(cell: Cell, metric: Metric, histogram: Histogram) -> Histogram:
    """Without the signals of which only an upper bound is known."""
    unseen = cell.histogram(Metric.UNSEEN)
    if metric is not Metric.LATENCY or not unseen.count:
        return histogram
    return histogram.without(unseen)


def _observer_may_be_slow(cell: Cell, metric: Metric, found: Interval, limit_ns: int) -> bool:
    """Whether the commit times, a lower bound of the truth, do not say FAIL as well."""
    committed = cell.histogram(Metric.COMMITTED)
    if metric is not Metric.LATENCY or cell.account.commit_unknown or not committed.count:
        return False
    bound = interval(committed, found.percentile, found.effective)
    return bound is not None and (bound.lower_ns is None or bound.lower_ns < limit_ns)


def _interval_words(found: Interval) -> str:
    effective = found.effective
    worth = f"{count(effective.signals, 'signal')} worth {effective.size:,} independent ones"
    if effective.decorrelated and effective.signals > _BUNCHED * effective.size:
        worth += ", since slow ones come in bunches"
    if not effective.decorrelated:
        worth += " at most, they hang together over too long a time to say more"
    lower, upper = found.lower_ns, found.upper_ns
    if upper is None:
        above = f"at least {duration(lower)} but " if lower is not None else ""
        return f"{above}without an upper bound at {share(CONFIDENCE)} confidence ({worth})"
    return f"between {duration(lower)} and {duration(upper)}, each at {share(CONFIDENCE)} ({worth})"


def _longer_words(longer_ns: int | None) -> str:
    if longer_ns is None:
        return "; no reasonable length of run would tell"
    if longer_ns < 60 * NS_PER_S:
        return f"; run about {max(1, round(longer_ns / NS_PER_S))} s longer"
    return f"; run about {-(-longer_ns // (60 * NS_PER_S))} min longer"


def _censored_words(cell: Cell, metric: Metric) -> str:
    if metric is Metric.LATENESS or not cell.censored:
        return ""
    return f"; {count(cell.censored, 'signal')} that never arrived are in it with the time they had"
