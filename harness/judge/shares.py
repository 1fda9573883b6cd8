"""Promises of shares: of signals refused, simulated, sent in time.

Each is a sample of what the system, or the generator, would do in a longer run, so each has an
interval. That the load of this run itself was the one asked for is a check of validity beside it.
A share of 100 % is like a maximum: no sample proves it, so it is the sample's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.contract.names import State
from harness.evidence.records import Mode
from harness.judge.check import Case, Check, Figure, Kind
from harness.judge.decision import Decision, decide_share
from harness.judge.host_excuse import rejections_were_disturbed
from harness.judge.undecided import HOST, UNDECIDED_BY
from harness.judge.validity import generator_was_late
from harness.judge.verdict import Verdict
from harness.judge.words import count, longer_words, share
from harness.measure.recorder import Cell, CellKey, Metric
from harness.measure.samples import Fate
from harness.measure.series import Series
from harness.measure.share_interval import (
    ShareInterval,
    effective_share,
    effective_tail,
    share_interval,
)
from harness.measure.statistics import Effective
from harness.scenario import Objective, Phase
from harness.store.facts import CUT_SHORT


def check_rejected(case: Case, objective: Objective) -> Check:
    """That the engine refuses few enough."""
    account = case.gathered.account(Phase.MEASURE)
    limit = objective.limit_share or 0.0
    # Refusing what was sent stale on purpose is right, and no rejection in the promise's sense.
    refused, ordinary = account.ordinary_rejected, account.ordinary
    if not ordinary:
        said = f"no signal was sent that it had no cause to refuse; the limit is {share(limit)}"
        figures: dict[str, Figure] = {"rejected_share": 0.0, "limit_share": limit}
        return _check(objective, Verdict.INVALID, said, figures)
    effective = effective_share(*share_series(case, objective))
    found = share_interval(refused, effective, case.confidence)
    decision = decide_share(found, limit, _measured_ns(case))
    verdict, why = decision.verdict, ""
    # What is sent late carries an old block: refusing it is right, and the generator's doing.
    stale = account.rejected_by.get(State.STALE_DATA_ERROR, 0)
    by_stale_data = found.estimate >= limit and refused - stale < limit * ordinary
    undecided = None
    if verdict is not Verdict.PASS and by_stale_data and generator_was_late(case):
        verdict, why = Verdict.INVALID, "; the generator was late, and so its data stale"
    elif verdict is Verdict.FAIL and (
        by_stale_data and (host := rejections_were_disturbed(case, limit))
    ):
        verdict, why, undecided = Verdict.INCONCLUSIVE, f"; {host}", HOST
    elif verdict is Verdict.INCONCLUSIVE:
        why = longer_words(decision.longer_ns)
    reasons = ", ".join(
        f"{number:,} {state.name}" for state, number in sorted(account.rejected_by.items())
    )
    said = (
        f"{share(found.estimate)} of {count(ordinary, 'signal')} were rejected"
        f"{f' ({reasons})' if reasons else ''}, {_interval_words(found)};"
        f" the limit is {share(limit)}{why}"
    )
    own: dict[str, Figure] = {
        "rejected_share": found.estimate,
        "limit_share": limit,
        UNDECIDED_BY: undecided,
    }
    return _check(objective, verdict, said, {**own, **_figures(found, decision)})


def check_simulated(case: Case, objective: Objective) -> Check:
    """That enough of what was attempted reaches SIMULATED."""
    account = case.gathered.account(Phase.MEASURE)
    # What was sent stale on purpose is not to arrive; if it does, another check fails.
    attempted = account.ordinary
    arrived = min(account.arrived, attempted)
    told = f"{arrived:,} of {count(attempted, 'attempted signal')} reached SIMULATED"
    figures: dict[str, Figure] = {"attempted": attempted, "arrived": arrived}
    if not attempted:
        return _at_least(objective, Verdict.INVALID, f"{told}, none was attempted", figures)
    effective = effective_share(*share_series(case, objective))
    missed = attempted - arrived
    found, decision = _decide(objective, missed, effective, case)
    verdict, why = decision.verdict, ""
    # Signals that nobody waited for could still have arrived.
    open_ones = min(account.of(Fate.IN_FLIGHT), missed)
    if verdict is not Verdict.PASS and open_ones:
        _, least = _decide(objective, missed - open_ones, effective, case)
        spoiled = Verdict.INCONCLUSIVE if case.is_interrupted else Verdict.INVALID
        verdict = Verdict.FAIL if least.verdict is Verdict.FAIL else spoiled
        why = f"; {count(open_ones, 'signal')} not watched to the end"
    return _at_least(objective, verdict, told, figures, found, decision, why)


def check_rate(case: Case, objective: Objective) -> Check:
    """That the load was sent when it was to be sent."""
    limit = objective.limit_share or 0.0
    rate = next(rate for rate in case.measurement.rates if rate.phase == Phase.MEASURE)
    intended = rate.intended or 0
    cut_short = sorted({event.kind for event in case.run.events} & CUT_SHORT)
    why = f"; the run was cut short ({', '.join(cut_short)})" if cut_short else ""
    told = f"{rate.in_phase:,} of {intended:,} intended signals were sent in their phase"
    figures: dict[str, Figure] = {"intended": rate.intended, "in_phase": rate.in_phase}
    if not intended:
        return _at_least(objective, Verdict.INVALID, f"{told}, none were due{why}", figures)
    missed = max(0, intended - rate.in_phase)
    found, decision = _decide(objective, missed, effective_tail(intended, missed), case)
    verdict = decision.verdict
    short = rate.in_phase < limit * intended
    # What was never attempted has no lateness; whether the generator was late, too few may tell.
    unsent = rate.attempted < limit * intended
    if verdict is not Verdict.PASS and short and (cut_short or unsent or generator_was_late(case)):
        verdict = Verdict.INCONCLUSIVE if case.is_interrupted else Verdict.INVALID
    return _at_least(objective, verdict, told, figures, found, decision, why)


def _decide(
    objective: Objective, missed: int, effective: Effective, case: Case
) -> tuple[ShareInterval, Decision]:
    """A share that must reach its limit, by what is missing of it."""
    found = share_interval(missed, effective, case.confidence)
    limit = 1 - (objective.limit_share or 0.0)
    if not limit:
        return found, Decision(Verdict.FAIL if missed else Verdict.PASS)
    return found, decide_share(found, limit, _measured_ns(case), including=True)


def _at_least(
    objective: Objective,
    verdict: Verdict,
    told: str,
    figures: dict[str, Figure],
    missing: ShareInterval | None = None,
    decision: Decision | None = None,
    why: str = "",
) -> Check:
    """A share that must reach its limit; the interval is of what is missing of it."""
    limit = objective.limit_share or 0.0
    figures = {**figures, "limit_share": limit}
    if missing is not None and decision is not None:
        found = ShareInterval(
            1 - missing.estimate,
            1 - missing.upper,
            1 - missing.lower,
            missing.effective,
            missing.confidence,
        )
        told += f", {share(found.estimate)}, {_interval_words(found)}"
        figures |= _figures(found, decision)
        # An interrupted run leaves open what its interval decides: a longer one changes nothing.
        if verdict is decision.verdict is Verdict.INCONCLUSIVE:
            why += longer_words(decision.longer_ns)
    return _check(objective, verdict, f"{told}; at least {share(limit)} is asked{why}", figures)


def _check(objective: Objective, verdict: Verdict, said: str, figures: dict[str, Figure]) -> Check:
    return Check(
        name=objective.text, kind=Kind.OBJECTIVE, verdict=verdict, said=said, figures=figures
    )


def share_series(case: Case, objective: Objective) -> tuple[Series, Series]:
    """The signals of both modes that ought to arrive; of them, the rejected or the missing ones."""
    of = _rejected if objective.metric == "rejected" else _missing
    keys = (CellKey(Phase.MEASURE, mode) for mode in Mode)
    cells = [case.gathered.cells[key] for key in keys if key in case.gathered.cells]
    whole = [cell.series[Metric.LATENCY] for cell in cells if Metric.LATENCY in cell.series]
    return _joined(whole), _joined(part for cell in cells for part in of(cell))


def _joined(parts: Iterable[Series]) -> Series:
    return Series.of_blocks(block for part in parts for block in part.blocks())


def _rejected(cell: Cell) -> Iterable[Series]:
    found = cell.rejected.get(Metric.LATENCY)
    return () if found is None else (found,)


def _missing(cell: Cell) -> Iterable[Series]:
    found = cell.had_series.get(Metric.LATENCY)
    return (*_rejected(cell), *(() if found is None else (found,)))


def _measured_ns(case: Case) -> int:
    return case.gathered.timeline.duration_ns(Phase.MEASURE)


def _interval_words(found: ShareInterval) -> str:
    effective = found.effective
    of = ""
    if effective.size < effective.signals:
        of = f" (effective sample size {effective.size:,} of {effective.signals:,})"
    each = f"each at {share(found.confidence)}{of}"
    return f"between {share(found.lower)} and {share(found.upper)}, {each}"


def _figures(found: ShareInterval, decision: Decision) -> dict[str, Figure]:
    return {
        "lower_share": found.lower,
        "upper_share": found.upper,
        "confidence": found.confidence,
        "signals": found.effective.signals,
        "effective": found.effective.size,
        "longer_ns": decision.longer_ns,
    }
