"""The scenario's objectives, compared with the measurement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.analysis.histogram import Histogram
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.recorder import Cell, Metric
from harness.analysis.samples import SignalOutcome
from harness.analysis.statistics import (
    ConfidenceInterval,
    estimate_effective_sample,
    percentile_interval,
    size_needed,
)
from harness.formatting import format_count, format_duration, format_percentile, format_share
from harness.judge.advice import format_longer_run, generator_advice
from harness.judge.censoring import (
    exceedance_figures,
    format_rejected,
    judge_rejected_by_late_data,
    rests_on_censored,
)
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec
from harness.judge.decision import decide
from harness.judge.host_attribution import (
    interference_explains_inconclusive,
    interference_explains_miss,
    runs_explain_rejections,
)
from harness.judge.inconclusive import (
    GENERATOR_TOO_LATE,
    INCONCLUSIVE_BY,
    OBSERVER_TOO_SLOW,
    could_be_met,
    generator_may_be_late,
    host_interfered,
    lower_bounds,
    observer_may_be_slow,
    without_unseen,
)
from harness.judge.limits import REJECTED_SHARE_MAX_DEFAULT
from harness.judge.rolling_windows import check_windows
from harness.judge.scope import (
    cells_of,
    format_exclusion,
    format_signal_kind,
    measured_ns,
    no_signal_hint,
    objective_spec,
)
from harness.judge.validity import generator_was_late
from harness.judge.verdict import Verdict
from harness.scenario import Objective, Phase

SIGNALS_SIMULATED = CheckSpec(
    "signals_simulated",
    "signals simulated",
    CheckKind.OBJECTIVE,
    fail="no signal of the measured phase reached SIMULATED",
    invalid="every signal was sent stale on purpose. Or it was refused as stale since the generator"
    " sent it late or other runs of a harness left no core idle. Or it is unknown how the signals"
    " ended",
    inconclusive="more than 1 % were rejected, and no objective limits rejections",
)
# Signals per independent one from which the message reports the dependence.
_CLUSTERED = 2


def check_objectives(case: CheckContext) -> Iterator[Check]:
    """Every objective, for each mode that it concerns."""
    for objective in case.scenario.parsed_objectives():
        yield from check_objective(case, objective)


def check_objective(case: CheckContext, objective: Objective) -> Iterator[Check]:
    """One objective, for each mode that it concerns."""
    found: Check | Iterator[Check] = objective.measures.load_check()(case, objective)
    yield from (found,) if isinstance(found, Check) else found


def check_arrival(case: CheckContext) -> Check:
    """Whatever the objectives are: an engine that simulates nothing, or little, does not pass.

    Where no objective limits rejections, a percentile below their share can be met by the others
    only. This rule asks for an objective; it infers nothing, so no interval.
    """
    account = case.analysis.signals.outcomes(Phase.MEASURE)
    arrived, attempted = account.arrived, account.attempted
    awaited = account.ordinary
    objectives = case.scenario.parsed_objectives()
    is_unlimited = not any(one.measures.limits_rejections for one in objectives)
    verdict, why, hint = Verdict.PASS, "", "set a lower signals.stale_share"
    if attempted and not awaited:
        verdict, why = Verdict.INVALID, "; every one was to be refused as stale"
    elif awaited and not arrived and account.of(SignalOutcome.IN_FLIGHT):
        verdict, why = Verdict.INVALID, "; it is unknown how the others ended"
    elif awaited and not arrived and _refused_as_late(case, account):
        # What is sent late carries an old block: to refuse it is right, and the generator's doing.
        others = _stale_by_runs(case) or "the generator was late"
        verdict, why = Verdict.INVALID, f" as stale: {others}"
        hint = generator_advice(case)
    elif awaited and not arrived:
        verdict = Verdict.FAIL
    elif is_unlimited and account.ordinary_rejected > REJECTED_SHARE_MAX_DEFAULT * awaited:
        verdict = Verdict.INCONCLUSIVE
        why = "; no objective limits them: add 'rejected < 1 %'"
    return SIGNALS_SIMULATED.judged(
        verdict,
        f"{arrived:,} of {format_count(attempted, 'attempted signal')} reached SIMULATED,"
        f" {account.rejected:,} were rejected by the engine{why}",
        {"attempted": attempted, "arrived": arrived, "rejected": account.rejected},
        hint=hint if verdict is Verdict.INVALID else "",
    )


def _stale_by_runs(case: CheckContext) -> str:
    return runs_explain_rejections(case, REJECTED_SHARE_MAX_DEFAULT)


def _refused_as_late(case: CheckContext, account: SignalOutcomeCounts) -> bool:
    """Whether every signal was rejected as stale, and was sent or read late for lack of cores."""
    return account.ordinary_stale >= account.ordinary and (
        generator_was_late(case) or bool(_stale_by_runs(case))
    )


def check_duration(case: CheckContext, objective: Objective) -> Iterator[Check]:
    """A percentile or the maximum of a duration, for each mode that it concerns."""
    found = cells_of(case, objective)
    wanted = [mode for mode in found if objective.mode in (None, mode.name.lower())]
    if not wanted:
        yield objective_spec(objective).judged(
            Verdict.INVALID,
            f"no {format_signal_kind(objective)} was measured, so the objective cannot be judged",
            hint=no_signal_hint(objective),
        )
    for mode in wanted:
        several = objective.mode is None and len(found) > 1
        spec, cell = objective_spec(objective, mode, several=several), found[mode]
        if objective.percentile == 100.0:
            yield _maximum(spec, objective, cell, case)
        elif objective.window_ns is not None:
            yield check_windows(spec, objective, cell, case)
        else:
            yield _percentile(spec, objective, cell, case)


def _maximum(spec: CheckSpec, objective: Objective, cell: Cell, case: CheckContext) -> Check:
    """A maximum is the sample's own; no interval bounds later signals.

    One rejection breaks it: the signal never arrives.
    """
    limit_ns = objective.limit_ns or 0
    metric = Metric(objective.metric)
    histogram = cell.histogram(metric)
    judged, why = cell.slo_histogram(metric), ""
    verdict = Verdict.PASS if judged.max_ns < limit_ns else Verdict.FAIL
    if verdict is Verdict.PASS and cell.censored and metric is not Metric.LATENESS:
        # Their duration is unknown.
        verdict = Verdict.INCONCLUSIVE
    undecided = None
    if verdict is Verdict.FAIL and without_unseen(cell, metric, judged).max_ns < limit_ns:
        verdict = Verdict.INCONCLUSIVE
    elif verdict is Verdict.FAIL and lower_bounds(cell, metric).max_ns < limit_ns:
        verdict, (undecided, why) = Verdict.INCONCLUSIVE, OBSERVER_TOO_SLOW
    elif verdict is Verdict.FAIL and cell.arrivals(metric).max_ns < limit_ns:
        verdict, undecided, why = judge_rejected_by_late_data(objective, cell, case)
    elif verdict is Verdict.FAIL and (host := interference_explains_miss(case, objective, cell)):
        verdict, (undecided, why) = Verdict.INCONCLUSIVE, host_interfered(host)
    return spec.judged(
        verdict,
        f"the longest {metric}{format_exclusion(objective)} is"
        f" {format_duration(histogram.max_ns)} of"
        f" {format_count(histogram.count, 'signal')}; the limit is {format_duration(limit_ns)}"
        f"{_format_censored(cell, metric)}{why}",
        {"max_ns": histogram.max_ns, "limit_ns": limit_ns, INCONCLUSIVE_BY: undecided},
    )


def _percentile(spec: CheckSpec, objective: Objective, cell: Cell, case: CheckContext) -> Check:
    limit_ns, percentile = objective.limit_ns or 0, objective.percentile or 50.0
    metric = Metric(objective.metric)
    histogram, rank = cell.slo_histogram(metric), format_percentile(percentile)
    effective = estimate_effective_sample(cell.slo_series(metric), percentile)
    unknown = cell.histogram(Metric.UNSEEN).count if metric is not Metric.LATENESS else 0
    found = percentile_interval(
        histogram,
        percentile,
        effective,
        fastest=without_unseen(cell, metric, histogram),
        unknown=unknown,
        confidence=case.confidence,
    )
    if found is None:
        raise ValueError("a cell without a signal")
    decision = decide(found, limit_ns, histogram, measured_ns(case, objective))
    shown = _shown(found, cell.histogram(metric))
    verdict, why, undecided = decision.verdict, "", None
    if verdict is Verdict.PASS and rests_on_censored(cell, metric, found, limit_ns):
        verdict = Verdict.INCONCLUSIVE
        why = "; it rests on signals that never arrived and had less time than the limit"
    elif verdict is Verdict.FAIL and observer_may_be_slow(cell, metric, found, limit_ns):
        verdict, (undecided, why) = Verdict.INCONCLUSIVE, OBSERVER_TOO_SLOW
    elif verdict is Verdict.FAIL and generator_may_be_late(cell, metric, found, limit_ns):
        verdict, (undecided, why) = Verdict.INCONCLUSIVE, GENERATOR_TOO_LATE
    elif verdict is Verdict.FAIL and could_be_met(cell.arrivals(metric), found, limit_ns):
        verdict, undecided, why = judge_rejected_by_late_data(objective, cell, case)
    elif verdict is Verdict.FAIL and case.is_interrupted:
        verdict, why = Verdict.INCONCLUSIVE, "; the run was interrupted"
    elif verdict is Verdict.FAIL and (host := interference_explains_miss(case, objective, cell)):
        verdict, (undecided, why) = Verdict.INCONCLUSIVE, host_interfered(host)
    elif verdict is Verdict.INCONCLUSIVE and (
        host := interference_explains_inconclusive(case, objective)
    ):
        undecided, why = host_interfered(host)
    elif verdict is Verdict.INCONCLUSIVE:
        why = format_longer_run(decision.longer_ns, objective.stage)
    return spec.judged(
        verdict,
        f"{rank} of {metric}{format_exclusion(objective)} is {_format_estimate(shown)},"
        f" {_format_interval(shown)}{why};"
        f" the limit is {format_duration(limit_ns)}{_format_censored(cell, metric)}",
        {
            "estimate_ns": shown.estimate_ns if _supported(shown) else None,
            "lower_ns": shown.lower_ns,
            "upper_ns": shown.upper_ns,
            "confidence": found.confidence,
            "limit_ns": limit_ns,
            "signals": effective.signals,
            "effective": effective.effective_size,
            "longer_ns": decision.longer_ns,
            **exceedance_figures(cell, metric, percentile, limit_ns, measured_ns(case, objective)),
            **_higher(found),
            INCONCLUSIVE_BY: undecided,
        },
    )


def _higher(found: ConfidenceInterval) -> dict[str, float]:
    """The percentile that `upper_ns` bounds, where it is a higher one than asked for."""
    above = found.upper_percentile
    return {} if above in (found.percentile, None) else {"upper_percentile": above}


def _shown(found: ConfidenceInterval, histogram: Histogram) -> ConfidenceInterval:
    """The interval for reports: rejections with their time until the end, as in every table."""
    most_ns = histogram.max_ns
    return replace(
        found,
        estimate_ns=histogram.percentile_ns(found.percentile) or 0,
        lower_ns=None if found.lower_ns is None else min(found.lower_ns, most_ns),
        upper_ns=None if found.upper_ns is None else min(found.upper_ns, most_ns),
    )


def _supported(found: ConfidenceInterval) -> bool:
    """Whether there are enough signals to speak of such a percentile at all."""
    return found.effective.signals >= size_needed(found.percentile)


def _format_estimate(found: ConfidenceInterval) -> str:
    if _supported(found):
        return format_duration(found.estimate_ns)
    return (
        f"not known (at least {format_count(size_needed(found.percentile), 'signal')} are needed)"
    )


def _format_interval(found: ConfidenceInterval) -> str:
    effective = found.effective
    size = (
        f"{format_count(effective.signals, 'signal')}, effective sample size"
        f" {effective.effective_size:,}"
    )
    if effective.decorrelated and effective.signals > _CLUSTERED * effective.effective_size:
        size += ": slow signals are clustered"
    if not effective.decorrelated:
        size += " at most: they stay autocorrelated over too long a time for a better estimate"
    lower, upper = found.lower_ns, found.upper_ns
    if upper is None:
        above = f"at least {format_duration(lower)} but " if lower is not None else ""
        return (
            f"{above}without an upper bound at {format_share(found.confidence)} confidence ({size})"
        )
    each = f"each at {format_share(found.confidence)} ({size})"
    if effective.higher is not None:
        higher = format_percentile(effective.higher.percentile)
        each = f"the upper bound is that of {higher}, {each}"
    return f"between {format_duration(lower)} and {format_duration(upper)}, {each}"


def _format_censored(cell: Cell, metric: Metric) -> str:
    rejected = format_rejected(cell, metric)
    if metric is Metric.LATENESS or not cell.censored:
        return rejected
    censored = (
        f"; {format_count(cell.censored, 'signal')} that never arrived are included with the time"
        " until the observation ended"
    )
    return censored + rejected
