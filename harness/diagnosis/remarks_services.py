"""Remarks on what services used of what they may."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnosis.answers import Remark
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.engine import engines
from harness.diagnosis.series_slice import SeriesSlice, baseline_slice, evidence_of, slow_slice
from harness.diagnosis.thresholds import (
    BASELINE_TIMES,
    BUSIEST_CORES,
    PRESSURE_SHARE,
    SERVICE_CPU_SHARE,
    SERVICE_MEMORY_SHARE,
    THROTTLED_SHARE,
)
from harness.formatting import format_bytes, format_cores, format_percent


def throttled(subject: DiagnosisContext) -> Iterator[Remark]:
    """Services held back by their quota; the engine is asked about by question 1."""
    for name, taken in _each(subject, "throttled_share"):
        if name in engines(subject) or taken.mean < THROTTLED_SHARE:
            continue
        said = (
            f"{subject.when} {name} was held back by its CPU quota in {format_percent(taken.mean)} of the"
            " scheduler's periods"
        )
        yield _remark(subject, "throttling", said, taken, taken.mean, THROTTLED_SHARE)


def at_quota(subject: DiagnosisContext) -> Iterator[Remark]:
    """Services near their quota, or with one thread at the end of its core."""
    own = engines(subject)
    for name, taken in _each(subject, "cpu_cores"):
        quota = taken.track.limit
        if name in own or not quota:
            continue
        least = SERVICE_CPU_SHARE * quota
        if taken.median >= least:
            said = f"{subject.when} {name} used {format_cores(taken.median)} of the {quota:g} of its quota"
            yield _remark(subject, "service_cpu", said, taken, taken.median, least)
    for name, taken in _each(subject, "cpu_busiest_cores"):
        if name not in own and taken.median >= BUSIEST_CORES:
            said = (
                f"{subject.when} the busiest thread of {name} used {format_percent(taken.median)} of"
                " the one core that it can have"
            )
            yield _remark(subject, "service_cpu", said, taken, taken.median, BUSIEST_CORES)


def memory(subject: DiagnosisContext) -> Iterator[Remark]:
    """Services near the end of their memory; Redis is asked about by question 2."""
    for name, taken in _each(subject, "memory_bytes"):
        limit = taken.track.limit
        if name == "redis" or not limit or taken.peak < SERVICE_MEMORY_SHARE * limit:
            continue
        said = f"{name} held {format_bytes(taken.peak)} of the {format_bytes(limit)} that it may"
        least = SERVICE_MEMORY_SHARE * limit
        yield _remark(subject, "service_memory", said, taken, taken.peak, least)


def pressure(subject: DiagnosisContext) -> Iterator[Remark]:
    """Time that tasks stood still for memory or storage, where it goes with slow signals."""
    for kind in ("memory", "io"):
        name = f"host.pressure_{kind}_share"
        taken, calm = slow_slice(subject, name), baseline_slice(subject, name)
        if taken is None or not subject.slow or taken.mean < PRESSURE_SHARE:
            continue
        if calm is not None and taken.mean < BASELINE_TIMES * calm.mean:
            continue
        said = f"{subject.when} tasks of the host stood still for {kind} {format_percent(taken.mean)} of it"
        yield _remark(subject, "pressure", said, taken, taken.mean, PRESSURE_SHARE)


def _each(subject: DiagnosisContext, figure: str) -> Iterator[tuple[str, SeriesSlice]]:
    for track in subject.telemetry.of("service."):
        if not track.name.endswith(f".{figure}"):
            continue
        taken = slow_slice(subject, track.name)
        if taken is not None:
            yield track.name.removeprefix("service.").removesuffix(f".{figure}"), taken


def _remark(
    subject: DiagnosisContext, key: str, said: str, taken: SeriesSlice, value: float, limit: float
) -> Remark:
    return Remark(
        key=key, message=said, evidence=(evidence_of(subject, taken, said, value, limit),)
    )
