"""Objectives of growth: memory and disk space of services and harness stay within a slope."""

from __future__ import annotations

from harness.analysis.resources.growth import (
    BLOCKS_MIN,
    SPAN_MIN_S,
    Growth,
    disk_samples,
    growth_of,
    memory_samples,
)
from harness.clock import NS_PER_S
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext
from harness.judge.scope import objective_spec
from harness.judge.verdict import Verdict
from harness.scenario import Objective, Phase


def check_growth(case: CheckContext, objective: Objective) -> Check:
    """That no subject grows faster than allowed, by the bounds of its slope."""
    spec, limit = objective_spec(objective), objective.limit_bytes_per_h or 0.0
    telemetry, timeline = case.telemetry(), case.analysis.timeline
    bounds = timeline.bounds_ns(Phase.MEASURE)
    if not telemetry.present or bounds is None:
        return spec.judged(
            Verdict.INVALID,
            "the run has no telemetry, which shows what grows",
            hint="run without --no-telemetry, and read logs/telemetry.log for why it ended",
        )
    start_s, end_s = ((one - timeline.t0_ns) / NS_PER_S for one in bounds)
    end_s = min(end_s, (case.analysis.watched_until_ns - timeline.t0_ns) / NS_PER_S)
    if objective.metric == "memory_growth":
        host = case.analysis.instruments.self_monitoring.samples
        samples = memory_samples(telemetry, host, timeline.t0_ns)
    else:
        samples = disk_samples(telemetry)
    found = sorted(growth_of(samples, start_s, end_s), key=lambda one: one.upper, reverse=True)
    if end_s - start_s < SPAN_MIN_S or not found:
        return spec.judged(
            Verdict.INCONCLUSIVE,
            f"{end_s - start_s:.0f} s were measured with enough samples of"
            f" {format_count(len(found), 'subject')}: a growth per hour needs {SPAN_MIN_S:g} s"
            f" and {BLOCKS_MIN} parts of it with samples; run for longer",
            {"measured_ns": round((end_s - start_s) * NS_PER_S), "subjects": len(found)},
        )
    beyond = [one for one in found if one.lower >= limit]
    shown = max(beyond, key=lambda one: one.lower) if beyond else found[0]
    open_ = shown.upper >= limit
    verdict = Verdict.FAIL if beyond else Verdict.INCONCLUSIVE if open_ else Verdict.PASS
    return spec.judged(
        verdict,
        f"{_format_growth(shown)}; the limit is {_format_slope(limit)};"
        f" the fastest of {format_count(len(found), 'subject')}",
        {
            "subject": shown.subject,
            "bytes_per_h": shown.bytes_per_h,
            "lower_bytes_per_h": shown.lower,
            "upper_bytes_per_h": shown.upper,
            "start_bytes": shown.start_bytes,
            "end_bytes": shown.end_bytes,
            "limit_bytes_per_h": limit,
            "subjects": len(found),
            "blocks": shown.blocks,
            **{f"{one.subject} bytes_per_h": one.bytes_per_h for one in found},
        },
        [_format_growth(one) for one in beyond],
    )


def _format_growth(one: Growth) -> str:
    return (
        f"{one.subject} grows by {_format_slope(one.bytes_per_h)}"
        f" (between {_format_slope(one.lower)} and {_format_slope(one.upper)},"
        " each at 95 % confidence)"
    )


def _format_slope(bytes_per_h: float) -> str:
    """Decimal megabytes, as in the objective."""
    return f"{bytes_per_h / 1e6:,.3g} MB/h"
