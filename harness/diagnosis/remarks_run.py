"""Remarks on the run itself: what happened in it, what it was made with, what it was made of."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnosis.answers import Evidence, Remark
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.engine import engines
from harness.diagnosis.nonce_locks import busiest_address
from harness.diagnosis.series_slice import evidence_of, slice_series, slow_slice
from harness.diagnosis.spans import format_spans, length_s
from harness.diagnosis.stalls import find_stalls
from harness.diagnosis.thresholds import (
    HOT_SHARE,
    LATENESS_SHARE,
    STALL_IDLE_SHARE,
    STALLED_SHARE_MAX,
    STEAL_SHARE,
)
from harness.formatting import format_cores, format_milliseconds, format_percent
from harness.judge.check import CheckKind
from harness.judge.self_monitoring import GENERATOR_CPU, GENERATOR_STALLS
from harness.judge.validity import GENERATOR_LAG_P99, GENERATOR_LAG_P99_9, LOAD_ATTEMPTED

_DISTURBANCES_SHOWN = 2
# Checks of the run itself that speak of its generator.
_GENERATOR = frozenset(
    spec.id
    for spec in (
        *(GENERATOR_LAG_P99, GENERATOR_LAG_P99_9, GENERATOR_CPU, GENERATOR_STALLS),
        LOAD_ATTEMPTED,
    )
)


def disturbances(subject: DiagnosisContext) -> Iterator[Remark]:
    """Restarts and faults before the end of the slow time."""
    end_s = subject.spans[-1][1] if subject.spans else 0.0
    found = [one for one in subject.facts.measurement.recoveries if one.at_s <= end_s]
    for one in found[:_DISTURBANCES_SHOWN]:
        back = "no signal sent after it was seen"
        if one.first_ns is not None:
            back = f"signals arrived again {format_milliseconds(one.first_ns / 1e6)} later"
        yield Remark(
            key="restart", message=f"{one.what or one.kind}, over at {one.at_s:.1f} s; {back}"
        )
    if len(found) > _DISTURBANCES_SHOWN:
        more = len(found) - _DISTURBANCES_SHOWN
        yield Remark(key="restart", message=f"and {more} more such events")


def stalls(subject: DiagnosisContext) -> Iterator[Remark]:
    """Times without a transition, and what the engine did in them."""
    whole = find_stalls(subject.facts.measurement.seconds, subject.measured)
    found = tuple(span for span in whole if _stands_still(subject, span))
    if not found or length_s(whole) > STALLED_SHARE_MAX * length_s(subject.measured):
        return
    said = f"the engine stood still: no transition was seen from {format_spans(found)} while signals waited"
    evidence = [
        Evidence(
            track="measurement.simulated",
            message="signals seen SIMULATED in these seconds: next to none",
            value=0.0,
            start_s=found[0][0],
            end_s=found[-1][1],
        )
    ]
    telemetry = subject.telemetry
    for name in engines(subject):
        cpu = slice_series(
            telemetry.time_series[f"service.{name}.cpu_cores"], found, telemetry.every_s
        )
        if cpu is not None:
            used = f"{name} used {format_cores(cpu.mean)} meanwhile"
            said += f"; {used}"
            evidence.append(evidence_of(subject, cpu, used, cpu.mean))
    yield Remark(key="stall", message=said, evidence=tuple(evidence))


def _stands_still(subject: DiagnosisContext, span: tuple[float, float]) -> bool:
    """Whether it is more than one interval, or an interval in which the engine did little."""
    length = next((one.length_s for one in subject.facts.measurement.seconds), 1.0)
    if span[1] - span[0] > length:
        return True
    telemetry = subject.telemetry
    for name in engines(subject):
        track = telemetry.time_series[f"service.{name}.cpu_cores"]
        own = slice_series(track, (span,), telemetry.every_s)
        usual = slice_series(track, subject.measured, telemetry.every_s)
        if own and usual and own.mean > STALL_IDLE_SHARE * usual.median:
            return False
    return True


def generator(subject: DiagnosisContext) -> Iterator[Remark]:
    """A generator that was late or starved: then latencies are not the system's alone."""
    judgement, measurement = subject.facts.judgement, subject.facts.measurement
    bad = [
        check
        for check in judgement.of(CheckKind.VALIDITY)
        if not check.status.is_clean and check.id in _GENERATOR
    ]
    for check in bad[:1]:
        yield Remark(key="generator", message=f"{check.name}: {check.message}")
    if bad or not subject.slow:
        return
    for figures in measurement.figures:
        if (figures.metric, figures.phase) != ("lateness", "measure"):
            continue
        late_ns = figures.percentiles_ns.get("p99", 0)
        limit_ns = subject.trigger.limit_ns or 0
        if late_ns >= LATENESS_SHARE * limit_ns:
            late = format_milliseconds(late_ns / 1e6)
            yield Remark(
                key="generator",
                message=f"P99 of the generator's lateness ({figures.mode}) is {late},"
                f" {format_percent(late_ns / limit_ns)} of the limit",
            )


def steal(subject: DiagnosisContext) -> Iterator[Remark]:
    """Cores that the hypervisor gave to other guests."""
    stolen = slow_slice(subject, "host.steal_cores")
    if stolen is None or not stolen.track.limit:
        return
    share = stolen.mean / stolen.track.limit
    if share >= STEAL_SHARE:
        said = f"{subject.when} the hypervisor took {format_percent(share)} of the host's computing time"
        yield Remark(
            key="steal",
            message=said,
            evidence=(evidence_of(subject, stolen, said, stolen.mean, STEAL_SHARE),),
        )


def hot_address(subject: DiagnosisContext) -> Iterator[Remark]:
    """One signing address that takes more than its part, where signals are slow."""
    found = busiest_address(subject)
    if found is None or not subject.slow or found[1] < HOT_SHARE:
        return
    parts = max(len(subject.facts.nonces_used), subject.facts.plan.load.agents_max)
    if found[1] * parts < 2:
        return
    said = (
        f"one signing address took {format_percent(found[1])} of the nonces of the run: its signals can"
        " only be handled one after the other"
    )
    end_s = max((end for _, end in subject.measured), default=0.0)
    yield Remark(
        key="hot_address",
        message=said,
        evidence=(
            Evidence(
                track="measurement.nonces",
                message=said,
                value=found[1],
                limit=HOT_SHARE,
                start_s=0.0,
                end_s=round(end_s, 3),
            ),
        ),
    )
