"""Whether the run measured the system under test."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.anomalies import Anomaly
from harness.analysis.faults.fault_windows import (
    BaselineDurations,
    baseline_durations,
    is_caused_by_fault,
    merge_baselines,
)
from harness.analysis.histogram import Histogram, empty_histogram
from harness.analysis.recorder import Metric
from harness.analysis.run_analysis import POSTGRES
from harness.analysis.samples import SignalOutcome
from harness.analysis.statistics import size_needed
from harness.analysis.summary import percentile_name
from harness.evidence.run_documents import TRUNCATING_EVENTS
from harness.formatting import format_count, format_duration, format_share
from harness.judge.advice import generator_advice
from harness.judge.check import (
    Check,
    CheckContext,
    CheckKind,
    CheckSpec,
    Figure,
    Problem,
)
from harness.judge.host_interference import format_interference, host_interference
from harness.judge.limits import (
    LATENESS_P99,
    LATENESS_P999,
    RATE_SHARE_MIN,
    DurationLimit,
)
from harness.judge.self_monitoring import describe_swarm_usage
from harness.judge.verdict import Status, Verdict
from harness.scenario import Phase

# Events that do not make a run INVALID; every other one does.
# Whether an aborted run had its reason, or who left the pool, is a check of its own.
HARMLESS_EVENTS = frozenset(
    {
        *("agents_scaled", "fault_planned", "gate_told", "aborted", "telemetry_lost"),
        *("out_of_pool", "decided", "undecided"),
    }
)
# These are reported all the same: some evidence is missing.
_REPORTED_EVENTS = frozenset({"telemetry_lost"})
# What to do about the others.
_EVENT_HINTS = {
    "service_restarted": "read the log of the service, below logs/ of the run, for why it ended",
    "swarm_died": "mend what ended it, see the reason and logs/swarm-*.log of the run",
    "observer_died": "mend what ended it, see the reason and logs/observer.log of the run",
    "stack_lost": "mend what stopped the servers, see the reason and logs/ of the run",
    "vitals_lost": "keep room on the disk of --reports, and let nothing end the main process",
    "final_state_unread": "let the reader's login read the tables until the run is over",
    "faults_untold": "keep room on the disk of --reports, and let nothing else write faults.jsonl",
    "gate_untold": "keep room on the disk of --reports, and let nothing else write gate.jsonl",
    "scale_out_unrecorded": "keep room on the disk of --reports, and read the message for what did"
    " not end",
    "interrupted": "let the run finish",
}
SIGNALS_SENT = CheckSpec(
    "signals_sent",
    "signals sent",
    CheckKind.VALIDITY,
    invalid="none was attempted in the measured phase; too few for a percentile is the objective's"
    " INCONCLUSIVE",
)
UNPLANNED_EVENTS = CheckSpec(
    "unplanned_events",
    "no unplanned events",
    CheckKind.VALIDITY,
    invalid="a service died or restarted, and no planned fault explains it: it was another"
    " experiment",
    inconclusive="a person interrupted the run",
)
OBSERVATION_COMPLETE = CheckSpec(
    "observation_complete",
    "signals observed until final",
    CheckKind.VALIDITY,
    invalid="signals were in flight when the observation ended before the drain time was over:"
    " they might still have arrived",
    inconclusive="the same of a run that a person interrupted",
)
GENERATOR_LAG_P99 = CheckSpec(
    "generator_lag_p99",
    "generator send lag (P99)",
    CheckKind.VALIDITY,
    invalid="above 2 % of the tightest latency limit, at least 5 ms: the load was not the one"
    " asked for",
    inconclusive="no signal lies outside the windows of faults",
)
GENERATOR_LAG_P99_9 = CheckSpec(
    "generator_lag_p99_9",
    "generator send lag (P99.9)",
    CheckKind.VALIDITY,
    invalid="above 10 % of the tightest latency limit, at least 25 ms: the bursts after a stall"
    " are the generator's own",
    inconclusive="no signal lies outside the windows of faults",
)
LOAD_ATTEMPTED = CheckSpec(
    "load_attempted",
    "load as planned",
    CheckKind.VALIDITY,
    invalid="less than 99 % of the planned signals were attempted",
    inconclusive="the same of a run that a person interrupted",
)
HISTOGRAM_RANGE = CheckSpec(
    "histogram_range",
    "durations within histogram range",
    CheckKind.VALIDITY,
    invalid="one value lies beyond the range: it would be missing from the percentile",
)
OBSERVER_COMPLETE = CheckSpec(
    "observer_complete",
    "observer complete",
    CheckKind.VALIDITY,
    invalid="the observer died, or did not read everything that was committed; the message has"
    " the cause and a hint",
)
DURATIONS_NONNEGATIVE = CheckSpec(
    "durations_nonnegative",
    "no negative durations",
    CheckKind.VALIDITY,
    invalid="a duration is below zero by more than the clocks' error",
)
_MORE = "set a higher --rate or a longer --duration"
_EVENT_HINT = "mend what the reason names, then run again"


def _unfinished(check: Check) -> Check:
    """Of a run that a person interrupted: nothing is wrong with it, but it is incomplete."""
    return check.model_copy(update={"status": Status.INCONCLUSIVE, "hint": ""})


def check_signals(case: CheckContext) -> Check:
    """The measured phase has signals."""
    attempted = case.analysis.signals.outcomes(Phase.MEASURE).attempted
    message = f"{format_count(attempted, 'signal')} attempted in the measured phase"
    problems = [] if attempted else [Problem(message, _MORE)]
    return SIGNALS_SENT.valid_unless(problems, message, {"attempted": attempted})


def check_events(case: CheckContext) -> Check:
    """No event that the scenario does not plan."""
    unplanned = [event for event in case.run.events if event.kind not in HARMLESS_EVENTS]
    bad = [
        event
        for event in unplanned
        if not is_caused_by_fault(event, case.analysis.faults.records or ())
    ]
    events = [f"{event.kind}: {' '.join(event.what.split())}" for event in bad]
    good = "nothing died, restarted or was interrupted"
    if planned := len(unplanned) - len(bad):
        good += f", but for {format_count(planned, 'restart')} that planned faults explain"
    message = "; ".join(dict.fromkeys(events[:5])) or good
    noted = [event.what for event in case.run.events if event.kind in _REPORTED_EVENTS]
    message = "; ".join([message, *noted])
    hint = _EVENT_HINTS.get(bad[0].kind, _EVENT_HINT) if bad else ""
    problems = [Problem(message, hint)] if bad else []
    check = UNPLANNED_EVENTS.valid_unless(problems, message, {"events": len(bad)})
    if bad and all(event.kind == "interrupted" for event in bad):
        check = _unfinished(check)
    return check.model_copy(update={"examples": tuple(events[:20])})


def check_in_flight(case: CheckContext) -> Check:
    """Every signal was observed long enough."""
    # Those whose outcome could not be read are in another check.
    unread = case.analysis.finding(Anomaly.STATE_UNMAPPED).count
    number = max(0, case.analysis.signals.outcomes().of(SignalOutcome.IN_FLIGHT) - unread)
    if not case.analysis.integrity.coverage.complete and case.run.drain_elapsed:
        number = 0
    message = (
        f"{format_count(number, 'accepted signal')} not final when the observation ended,"
        " before the drain time was over"
        if number
        else "every accepted signal was observed until it was final or the drain time was over"
    )
    hint = "let the run observe for the whole of load.drain_s; see what ended it before"
    problems = [Problem(message, hint)] if number else []
    check = OBSERVATION_COMPLETE.valid_unless(problems, message, {"in_flight": number})
    return _unfinished(check) if number and case.is_interrupted else check


def _merged(case: CheckContext, metric: Metric) -> Histogram:
    total = empty_histogram()
    for key, cell in case.analysis.signals.cells.items():
        if key.phase is Phase.MEASURE and metric in cell.histograms:
            total += cell.histogram(metric)
    return total


def outside_fault_windows(
    case: CheckContext, metric: Metric
) -> tuple[Histogram | BaselineDurations, str]:
    """A metric where the harness is to be judged by it, and the text for what that excludes.

    While a server is away nothing can be sent to it, or seen of it: that is the fault's doing.
    """
    spans = case.analysis.faults.windows
    if not case.scenario.fault or not spans:
        return _merged(case, metric), ""
    t0_ns = case.analysis.timeline.t0_ns
    parts = [
        baseline_durations(cell.series[metric], spans, t0_ns)
        for key, cell in case.analysis.signals.cells.items()
        if key.phase is Phase.MEASURE and metric in cell.series
    ]
    return merge_baselines(parts), ", outside the windows of faults"


def check_lateness(case: CheckContext) -> Iterator[Check]:
    """Signals were sent when they were due."""
    yield _send_lag(GENERATOR_LAG_P99, case, 99.0, LATENESS_P99)
    yield _send_lag(GENERATOR_LAG_P99_9, case, 99.9, LATENESS_P999)


def generator_was_late(case: CheckContext) -> bool:
    """Whether what was sent too late was the generator's own fault."""
    return any(check.status is Status.INVALID for check in check_lateness(case))


def _send_lag(
    spec: CheckSpec, case: CheckContext, percentile: float, limit: DurationLimit
) -> Check:
    rank = percentile_name(percentile).upper()
    histogram, where = outside_fault_windows(case, Metric.LATENESS)
    if where and not histogram.count:
        message = f"no signal{where}, so that the lateness of others is not known"
        return spec.judged(Verdict.INCONCLUSIVE, message)
    if histogram.count < size_needed(percentile):
        return spec.valid_unless([], f"too few signals for {rank} of lateness")
    value, most = histogram.percentile_ns(percentile) or 0, limit.of(case.scenario)
    message = (
        f"{rank} of lateness is {format_duration(value)}{where}, {format_duration(most)} is allowed"
    )
    figures: dict[str, Figure] = {"lateness_ns": value, "limit_ns": most}
    if value <= most:
        return spec.valid_unless([], message, figures)
    message = _with(
        message,
        limit.reason,
        format_interference(host_interference(case)),
        describe_swarm_usage(case),
    )
    return spec.valid_unless([Problem(message, generator_advice(case))], message, figures)


def _with(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def check_rate(case: CheckContext) -> Check:
    """The load was the one asked for."""
    rate = next((rate for rate in case.measurement.rates if rate.phase == Phase.MEASURE), None)
    if rate is None or not rate.intended:
        message = "the plan has no signal in the measured phase"
        return LOAD_ATTEMPTED.valid_unless([Problem(message, _MORE)], "")
    part = rate.attempted / rate.intended
    message = (
        f"{rate.attempted:,} of {rate.intended:,} intended signals were attempted"
        f" ({format_share(part)}; at least {format_share(RATE_SHARE_MIN)} is needed),"
        f" {rate.attempted / rate.duration_s:,.1f}/s of {rate.intended / rate.duration_s:,.1f}/s"
    )
    figures: dict[str, Figure] = {"attempted": rate.attempted, "intended": rate.intended}
    if part >= RATE_SHARE_MIN:
        return LOAD_ATTEMPTED.valid_unless([], message, figures)
    hint = generator_advice(case)
    if case.run.first_ns("aborted") is not None:
        message += "; the load was ended early"
        hint = "mend what ended the load; or run without abort_on_fail"
    elif cut := [event.kind for event in case.run.events if event.kind in TRUNCATING_EVENTS]:
        hint = _EVENT_HINTS[cut[0]]
    check = LOAD_ATTEMPTED.valid_unless([Problem(message, hint)], message, figures)
    return _unfinished(check) if case.is_interrupted else check


def check_overflow(case: CheckContext) -> Check:
    """Every duration is in a bucket."""
    found = {
        f"{figures.phase} {figures.mode} {figures.metric}": figures.overflow
        for figures in case.measurement.figures
        if figures.overflow
    }
    message = ", ".join(f"{number:,} of {name}" for name, number in found.items())
    hint = "see in samples.csv.gz (harness report --csv) which; a clock, or a record, is wrong"
    return HISTOGRAM_RANGE.valid_unless(
        [Problem(f"beyond the histogram's range: {message}", hint)] if found else [],
        "no value beyond the range",
        {"overflow": sum(found.values())},
    )


def check_observer_end(case: CheckContext) -> Check:
    """The observer read everything, by its own status."""
    observer, written = case.observer, case.analysis.evidence.sightings
    if observer is None:
        hint = "read logs/observer.log of the run for what ended it"
        return OBSERVER_COMPLETE.valid_unless([Problem("the observer did not finish", hint)], "")
    problems = []
    if observer.in_gap or not observer.drained:
        hint = (
            "" if "hint: " in observer.cause else "; can the login connect until the run is over?"
        )
        cause = f" ({observer.cause}{hint})" if observer.cause else ""
        problems.append(f"it had not read everything that was committed when it ended{cause}")
    if observer.seen != written:
        problems.append(f"it wrote {observer.seen:,} observations, {written:,} are there")
    if observer.unreadable and case.on_own_servers:
        problems.append(f"{format_count(observer.unreadable, 'row version')} could not be read")
    stream = case.analysis.integrity.stream
    if observer.stream_looks not in (None, stream.lines if stream else 0):
        problems.append(
            f"it sampled the stream {observer.stream_looks:,} times, and wrote another number"
            " of samples"
        )
    gaps = (
        f", cut off {format_count(observer.gaps, 'time')} and caught up by query"
        if observer.gaps
        else ""
    )
    if gaps and observer.cause:
        gaps += f" ({observer.cause})"
    message = "; ".join(problems) or f"all of {format_count(written, 'observation')}{gaps}"
    hint = (
        f"let the observer read {case.plan.contract.tasks.table} and the server's log to the end;"
        " see logs/observer.log"
    )
    found = [Problem(message, hint)] if problems else []
    return OBSERVER_COMPLETE.valid_unless(
        found, message, {"sightings": written, "gaps": observer.gaps}
    )


def check_negative(case: CheckContext) -> Check:
    """Durations that cannot be negative, nor can those across clocks be by more than the error."""
    analysis = case.analysis
    error_ns = (
        analysis.instruments.clocks[POSTGRES].error_ns
        if POSTGRES in analysis.instruments.clocks
        else 0
    )
    allowed = {
        Metric.LATENESS: 0,
        Metric.SERVICE: 0,
        Metric.LATENCY: 0,
        Metric.REJECTED: 0,
        Metric.COMMITTED: error_ns,
        Metric.OBSERVER: error_ns,
        Metric.PICKUP: error_ns,
    }
    beyond, within = [], 0
    for figures in case.measurement.figures:
        limit_ns = allowed.get(Metric(figures.metric))
        if limit_ns is None or not figures.negative:
            continue
        within += figures.negative
        if figures.min_ns < -limit_ns:
            place = f"{figures.phase} {figures.mode} {figures.metric}"
            beyond.append(
                f"{figures.negative:,} of {place} down to {format_duration(figures.min_ns)}"
            )
    if beyond:
        message = f"durations below zero by more than the clocks' error: {'; '.join(beyond)}"
    elif within:
        message = f"{format_count(within, 'duration')} below zero, all within the clocks' error"
    else:
        message = "no duration below zero"
    hint = "let nothing set a clock in a run: neither the host's nor the servers'"
    problems = [Problem(message, hint)] if beyond else []
    return DURATIONS_NONNEGATIVE.valid_unless(problems, message, {"negative": within})
