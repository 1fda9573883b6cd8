"""Remarks on the run: events, stalls of the engine, the generator, steal, a hot address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.analysis.measurement import ThroughputFigures
from harness.diagnosis.answers import Evidence, Remark
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.engine import engines
from harness.diagnosis.nonce_locks import busiest_address
from harness.diagnosis.series_slice import evidence_of, slice_series, slow_slice
from harness.diagnosis.spans import Spans, format_spans, length_s, merge_spans
from harness.diagnosis.thresholds import HOT_SHARE, STEAL_SHARE
from harness.formatting import format_cores, format_milliseconds, format_percent
from harness.judge.check import CheckKind
from harness.judge.self_monitoring import GENERATOR_CPU, GENERATOR_STALLS
from harness.judge.validity import GENERATOR_LAG_P99, GENERATOR_LAG_P99_9, LOAD_ATTEMPTED

# The share of the limit from which on the generator's send lag is reported.
SEND_LAG_SHARE = 0.20
# A stall: a second with a twentieth of the usual transitions while signals wait. A single one
# counts only when the engine used less than half of its usual CPU time in it: a busy engine that
# commits in large batches has such seconds too.
STALL_SHARE = 0.05
STALL_IN_FLIGHT_SHARE = 0.50
STALL_IDLE_SHARE = 0.50
# More of the time than that is no stall but a slow engine.
STALLED_SHARE_MAX = 0.34

_DISRUPTIONS_SHOWN = 2
# Validity checks of the generator.
_GENERATOR = frozenset(
    spec.id
    for spec in (
        *(GENERATOR_LAG_P99, GENERATOR_LAG_P99_9, GENERATOR_CPU, GENERATOR_STALLS),
        LOAD_ATTEMPTED,
    )
)


def disruptions(context: DiagnosisContext) -> Iterator[Remark]:
    """Restarts and faults before the end of the analysed time."""
    end_s = context.spans[-1][1] if context.spans else 0.0
    found = [one for one in context.facts.measurement.recoveries if one.at_s <= end_s]
    for one in found[:_DISRUPTIONS_SHOWN]:
        recovered = "no later signal became final"
        if one.first_ns is not None:
            recovered = f"first final signal {format_milliseconds(one.first_ns / 1e6)} later"
        message = f"{one.what or one.kind}, over at {one.at_s:.1f} s; {recovered}"
        yield Remark(key="restart", message=message)
    if len(found) > _DISRUPTIONS_SHOWN:
        more = len(found) - _DISRUPTIONS_SHOWN
        yield Remark(key="restart", message=f"and {more} more such events")


def stalls(context: DiagnosisContext) -> Iterator[Remark]:
    """Times without a transition, and the engine's CPU time in them."""
    whole = find_stalls(context.facts.measurement.seconds, context.measured)
    found = tuple(span for span in whole if _is_stall(context, span))
    if not found or length_s(whole) > STALLED_SHARE_MAX * length_s(context.measured):
        return
    message = f"the engine stalled: no transition from {format_spans(found)} while signals waited"
    evidence = [
        Evidence(
            track="measurement.simulated",
            message="signals that reached SIMULATED in these seconds: almost none",
            value=0.0,
            start_s=found[0][0],
            end_s=found[-1][1],
        )
    ]
    telemetry = context.telemetry
    for name in engines(context):
        series = telemetry.time_series[f"service.{name}.cpu_cores"]
        cpu = slice_series(series, found, telemetry.every_s)
        if cpu is not None:
            used = f"{name} used {format_cores(cpu.mean)} in that time"
            message += f"; {used}"
            evidence.append(evidence_of(context, cpu, used, cpu.mean))
    yield Remark(key="stall", message=message, evidence=tuple(evidence))


def find_stalls(seconds: Sequence[ThroughputFigures], measured: Spans) -> Spans:
    """Spans of the measured load without a transition, to the length of an interval.

    An interval counts when almost none of the usual number was simulated in it while about as many
    signals were in flight at its end as usually arrive in half of an interval: without signals
    nothing can be simulated.
    """
    own = [one for one in seconds if any(a <= one.start_s < b for a, b in measured)]
    usual = float(np.median([one.simulated for one in own])) if own else 0.0
    if usual < 1 / STALL_SHARE:
        return ()  # with so few per interval, an interval without any is likely
    return merge_spans(
        (one.start_s, one.start_s + one.length_s)
        for one in own
        if one.simulated <= STALL_SHARE * usual and one.in_flight >= STALL_IN_FLIGHT_SHARE * usual
    )


def _is_stall(context: DiagnosisContext, span: tuple[float, float]) -> bool:
    """Whether it is longer than one interval, or the engine used little CPU time in it."""
    length = next((one.length_s for one in context.facts.measurement.seconds), 1.0)
    if span[1] - span[0] > length:
        return True
    telemetry = context.telemetry
    for name in engines(context):
        series = telemetry.time_series[f"service.{name}.cpu_cores"]
        own = slice_series(series, (span,), telemetry.every_s)
        usual = slice_series(series, context.measured, telemetry.every_s)
        if own and usual and own.mean > STALL_IDLE_SHARE * usual.median:
            return False
    return True


def generator(context: DiagnosisContext) -> Iterator[Remark]:
    """A generator that was late or lacked CPU time: latency contains its part then."""
    judgement, measurement = context.facts.judgement, context.facts.measurement
    bad = [
        check
        for check in judgement.of(CheckKind.VALIDITY)
        if not check.status.is_clean and check.id in _GENERATOR
    ]
    for check in bad[:1]:
        yield Remark(key="generator", message=f"{check.name}: {check.message}")
    if bad or not context.slow:
        return
    for figures in measurement.figures:
        if (figures.metric, figures.phase) != ("lateness", "measure"):
            continue
        late_ns = figures.percentiles_ns.get("p99", 0)
        limit_ns = context.trigger.limit_ns or 0
        if late_ns >= SEND_LAG_SHARE * limit_ns:
            late = format_milliseconds(late_ns / 1e6)
            yield Remark(
                key="generator",
                message=f"P99 of the generator's send lag ({figures.mode}) is {late},"
                f" {format_percent(late_ns / limit_ns)} of the limit",
            )


def steal(context: DiagnosisContext) -> Iterator[Remark]:
    """CPU time that the hypervisor gave to other guests."""
    stolen = slow_slice(context, "host.steal_cores")
    if stolen is None or not stolen.series.limit:
        return
    share = stolen.mean / stolen.series.limit
    if share >= STEAL_SHARE:
        message = (
            f"{context.when} the hypervisor stole {format_percent(share)} of the host's CPU time"
        )
        evidence = evidence_of(context, stolen, message, stolen.mean, STEAL_SHARE)
        yield Remark(key="steal", message=message, evidence=(evidence,))


def hot_address(context: DiagnosisContext) -> Iterator[Remark]:
    """One signing address with more than its part of the signals, where signals are slow."""
    found = busiest_address(context)
    if found is None or not context.slow or found[1] < HOT_SHARE:
        return
    parts = max(len(context.facts.nonces_used), context.facts.plan.load.agents_max)
    if found[1] * parts < 2:
        return
    message = (
        f"one signing address used {format_percent(found[1])} of the nonces of the run: its signals"
        " are processed one at a time"
    )
    end_s = max((end for _, end in context.measured), default=0.0)
    evidence = Evidence(
        track="measurement.nonces",
        message=message,
        value=found[1],
        limit=HOT_SHARE,
        start_s=0.0,
        end_s=round(end_s, 3),
    )
    yield Remark(key="hot_address", message=message, evidence=(evidence,))
