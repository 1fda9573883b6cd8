"""Objectives of shares: of signals rejected, simulated, sent in time.

Each is a sample of what the system, or the generator, would do in a longer run, so each has an
interval. That the load of this run itself was the one asked for is a separate check of validity.
A share of 100 % is like a maximum: no sample proves it, so it is the sample's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.analysis.faults.fault_windows import RECOVERY_LIMIT_NS
from harness.analysis.recorder import Cell, CellKey, Metric
from harness.analysis.samples import SignalOutcome
from harness.analysis.series import Series
from harness.analysis.share_interval import (
    ShareInterval,
    estimate_share_sample,
    estimate_tail_sample,
    share_interval,
)
from harness.analysis.statistics import EffectiveSample
from harness.evidence.records import Mode
from harness.evidence.run_documents import TRUNCATING_EVENTS
from harness.formatting import format_count, format_share
from harness.judge.advice import format_longer_run
from harness.judge.check import Check, CheckContext, Figure
from harness.judge.decision import Decision, decide_share
from harness.judge.host_attribution import (
    interference_explains_rejections,
    runs_explain_rejections,
)
from harness.judge.host_interference import starved_by_runs
from harness.judge.inconclusive import HOST, INCONCLUSIVE_BY
from harness.judge.scope import objective_spec
from harness.judge.validity import generator_was_late
from harness.judge.verdict import Verdict
from harness.scenario import Objective, Phase


def check_rejected(case: CheckContext, objective: Objective) -> Check:
    """That the engine refuses few enough."""
    account = case.analysis.signals.outcomes(Phase.MEASURE)
    limit = objective.limit_share or 0.0
    # Refusing what was sent stale on purpose is right, and no rejection in the objective's sense.
    refused, ordinary = account.ordinary_rejected, account.ordinary
    if not ordinary:
        message = (
            f"no signal was sent that it had no cause to refuse; the limit is {format_share(limit)}"
        )
        figures: dict[str, Figure] = {"rejected_share": 0.0, "limit_share": limit}
        return _check(objective, Verdict.INVALID, message, figures)
    effective = estimate_share_sample(*share_series(case, objective))
    found = share_interval(refused, effective, case.confidence)
    decision = decide_share(found, limit, _measured_ns(case))
    verdict, why = decision.verdict, ""
    # What is sent late carries an old block: refusing it is right, and the generator's doing.
    others = refused - account.ordinary_stale
    by_stale_data = found.estimate >= limit and others < limit * ordinary
    undecided = None
    if verdict is not Verdict.PASS and by_stale_data and generator_was_late(case):
        verdict, why = Verdict.INVALID, "; the generator was late, and so its data stale"
    elif verdict is Verdict.FAIL and (
        by_stale_data and (host := interference_explains_rejections(case, limit))
    ):
        verdict, why, undecided = Verdict.INCONCLUSIVE, f"; {host}", HOST
    elif verdict is Verdict.INCONCLUSIVE:
        why = format_longer_run(decision.longer_ns)
    reasons = ", ".join(
        f"{number:,} {state.name}" for state, number in sorted(account.rejected_by.items())
    )
    message = (
        f"{format_share(found.estimate)} of {format_count(ordinary, 'signal')} were rejected"
        f"{f' ({reasons})' if reasons else ''}, {_format_interval(found)};"
        f" the limit is {format_share(limit)}{why}"
    )
    own: dict[str, Figure] = {
        "rejected_share": found.estimate,
        "limit_share": limit,
        INCONCLUSIVE_BY: undecided,
    }
    return _check(objective, verdict, message, {**own, **_figures(found, decision)})


def check_simulated(case: CheckContext, objective: Objective) -> Check:
    """That enough of what was attempted reaches SIMULATED."""
    account = case.analysis.signals.outcomes(Phase.MEASURE)
    # What was sent stale on purpose is not to arrive; if it does, another check fails.
    attempted = account.ordinary
    arrived = min(account.arrived, attempted)
    message = f"{arrived:,} of {format_count(attempted, 'attempted signal')} reached SIMULATED"
    figures: dict[str, Figure] = {"attempted": attempted, "arrived": arrived}
    if not attempted:
        return _at_least(objective, Verdict.INVALID, f"{message}, none was attempted", figures)
    effective = estimate_share_sample(*share_series(case, objective))
    missed = attempted - arrived
    found, decision = _decide(objective, missed, effective, case)
    verdict, why = decision.verdict, ""
    # Signals that were not observed to the end could still have arrived.
    open_ones = min(account.of(SignalOutcome.IN_FLIGHT), missed)
    others = ""
    if verdict is Verdict.FAIL and account.ordinary_stale:
        others = runs_explain_rejections(case, 1 - (objective.limit_share or 0.0))
    stale = min(account.ordinary_stale, missed - open_ones) if others else 0
    if verdict is not Verdict.PASS and (open_ones or stale):
        _, least = _decide(objective, missed - open_ones - stale, effective, case)
        spoiled = Verdict.INCONCLUSIVE if case.is_interrupted else Verdict.INVALID
        if stale and least.verdict is not Verdict.FAIL:
            spoiled, figures[INCONCLUSIVE_BY] = Verdict.INCONCLUSIVE, HOST
            why = f"; {others}: data of {format_count(stale, 'signal')} became stale"
        verdict = Verdict.FAIL if least.verdict is Verdict.FAIL else spoiled
        why += f"; {format_count(open_ones, 'signal')} not observed to the end" if open_ones else ""
    return _at_least(objective, verdict, message, figures, found, decision, why)


def check_rate(case: CheckContext, objective: Objective) -> Check:
    """That the load was sent when it was to be sent."""
    limit = objective.limit_share or 0.0
    rate = next(rate for rate in case.measurement.rates if rate.phase == Phase.MEASURE)
    intended = rate.intended or 0
    cut_short = sorted({event.kind for event in case.run.events} & TRUNCATING_EVENTS)
    why = f"; the run was cut short ({', '.join(cut_short)})" if cut_short else ""
    message = f"{rate.in_phase:,} of {intended:,} intended signals were sent in their phase"
    figures: dict[str, Figure] = {"intended": rate.intended, "in_phase": rate.in_phase}
    if not intended:
        return _at_least(objective, Verdict.INVALID, f"{message}, none were due{why}", figures)
    missed = max(0, intended - rate.in_phase)
    found, decision = _decide(objective, missed, estimate_tail_sample(intended, missed), case)
    verdict = decision.verdict
    short = rate.in_phase < limit * intended
    # What was never attempted has no lateness; whether the generator was late, too few show.
    unsent = rate.attempted < limit * intended
    if verdict is not Verdict.PASS and short:
        if cut_short or unsent or generator_was_late(case):
            verdict = Verdict.INCONCLUSIVE if case.is_interrupted else Verdict.INVALID
        elif others := starved_by_runs(case, last_ns=RECOVERY_LIMIT_NS):
            verdict, figures[INCONCLUSIVE_BY] = Verdict.INCONCLUSIVE, HOST
            why = f"; {others}"
    return _at_least(objective, verdict, message, figures, found, decision, why)


def _decide(
    objective: Objective, missed: int, effective: EffectiveSample, case: CheckContext
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
    message: str,
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
        message += f", {format_share(found.estimate)}, {_format_interval(found)}"
        figures |= _figures(found, decision)
        # An interrupted run leaves open what its interval decides: a longer one changes nothing.
        if verdict is decision.verdict is Verdict.INCONCLUSIVE:
            why += format_longer_run(decision.longer_ns)
    return _check(
        objective, verdict, f"{message}; at least {format_share(limit)} is asked{why}", figures
    )


def _check(
    objective: Objective, verdict: Verdict, message: str, figures: dict[str, Figure]
) -> Check:
    return objective_spec(objective).judged(verdict, message, figures)


def share_series(case: CheckContext, objective: Objective) -> tuple[Series, Series]:
    """The signals of both modes that ought to arrive; of them, the rejected or the missing ones."""
    of = _rejected if objective.metric == "rejected" else _missing
    keys = (CellKey(Phase.MEASURE, mode) for mode in Mode)
    cells = [case.analysis.signals.cells[key] for key in keys if key in case.analysis.signals.cells]
    whole = [cell.series[Metric.LATENCY] for cell in cells if Metric.LATENCY in cell.series]
    return _joined(whole), _joined(part for cell in cells for part in of(cell))


def _joined(parts: Iterable[Series]) -> Series:
    return Series.from_chunks(block for part in parts for block in part.chunks())


def _rejected(cell: Cell) -> Iterable[Series]:
    found = cell.rejected.get(Metric.LATENCY)
    return () if found is None else (found,)


def _missing(cell: Cell) -> Iterable[Series]:
    found = cell.censored_series.get(Metric.LATENCY)
    return (*_rejected(cell), *(() if found is None else (found,)))


def _measured_ns(case: CheckContext) -> int:
    return case.analysis.timeline.duration_ns(Phase.MEASURE)


def _format_interval(found: ShareInterval) -> str:
    effective = found.effective
    of = ""
    if effective.effective_size < effective.signals:
        of = f" (effective sample size {effective.effective_size:,} of {effective.signals:,})"
    each = f"each at {format_share(found.confidence)}{of}"
    return f"between {format_share(found.lower)} and {format_share(found.upper)}, {each}"


def _figures(found: ShareInterval, decision: Decision) -> dict[str, Figure]:
    return {
        "lower_share": found.lower,
        "upper_share": found.upper,
        "confidence": found.confidence,
        "signals": found.effective.signals,
        "effective": found.effective.effective_size,
        "longer_ns": decision.longer_ns,
    }
