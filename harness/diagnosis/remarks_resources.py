"""Remarks on resources of services and servers that the questions do not cover."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.diagnosis.answers import Remark
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.engine import engines
from harness.diagnosis.series_slice import SeriesSlice, baseline_slice, evidence_of, slow_slice
from harness.diagnosis.spans import length_s
from harness.diagnosis.thresholds import (
    BASELINE_TIMES,
    BUSIEST_CORES,
    FORK_MS,
    LOCK_WAITING_SHARE,
    NEAR_SHARE,
    PRESSURE_SHARE,
    THROTTLED_SHARE,
)
from harness.formatting import (
    format_bytes,
    format_cores,
    format_milliseconds,
    format_percent,
)

# The same share of the quota as for the engine.
SERVICE_CPU_SHARE = 0.80
SERVICE_MEMORY_SHARE = 0.90
# Redis rewrites its AOF now and then; a tenth of the slow time is reported.
REWRITE_SHARE = 0.10
# Slow seconds that are a third of all or fewer may be the effect of one event.
RARE_SHARE = 0.34


def throttled(context: DiagnosisContext) -> Iterator[Remark]:
    """Services throttled by their CPU quota; question 1 covers the engine."""
    for name, share in _each(context, "throttled_share"):
        if name in engines(context) or share.mean < THROTTLED_SHARE:
            continue
        message = (
            f"{context.when} {name} was throttled by its CPU quota in {format_percent(share.mean)}"
            " of the CPU periods"
        )
        yield _remark(context, "throttling", message, share, share.mean, THROTTLED_SHARE)


def at_quota(context: DiagnosisContext) -> Iterator[Remark]:
    """Services near their CPU quota, or with one thread that needs a whole core."""
    own = engines(context)
    for name, cpu in _each(context, "cpu_cores"):
        quota = cpu.series.limit
        if name in own or not quota:
            continue
        least = SERVICE_CPU_SHARE * quota
        if cpu.median >= least:
            used = format_cores(cpu.median)
            message = f"{context.when} {name} used {used} of a quota of {quota:g}"
            yield _remark(context, "service_cpu", message, cpu, cpu.median, least)
    for name, cpu in _each(context, "cpu_busiest_cores"):
        if name not in own and cpu.median >= BUSIEST_CORES:
            used = format_percent(cpu.median)
            message = f"{context.when} the busiest thread of {name} used {used} of one core"
            yield _remark(context, "service_cpu", message, cpu, cpu.median, BUSIEST_CORES)


def memory(context: DiagnosisContext) -> Iterator[Remark]:
    """Services near their memory limit; question 2 covers Redis."""
    for name, used in _each(context, "memory_bytes"):
        limit = used.series.limit
        if name == "redis" or not limit or used.peak < SERVICE_MEMORY_SHARE * limit:
            continue
        message = f"{name} used {format_bytes(used.peak)} of its limit of {format_bytes(limit)}"
        least = SERVICE_MEMORY_SHARE * limit
        yield _remark(context, "service_memory", message, used, used.peak, least)


def pressure(context: DiagnosisContext) -> Iterator[Remark]:
    """Time that tasks were stalled by memory or storage, where it goes with slow signals."""
    for kind in ("memory", "io"):
        share = slow_slice(context, f"host.pressure_{kind}_share")
        if share is None or not context.slow or share.mean < PRESSURE_SHARE:
            continue
        if not _exceeds_baseline(context, share):
            continue
        stalled = format_percent(share.mean)
        message = (
            f"{context.when} tasks of the host were stalled by {kind} for {stalled} of the time"
        )
        yield _remark(context, "pressure", message, share, share.mean, PRESSURE_SHARE)


def backlog(context: DiagnosisContext) -> Iterator[Remark]:
    """Signals that queue in the stream before the engine's group reads them."""
    contract = context.facts.plan.contract
    stream, group = contract.streams.proposals, contract.streams.engine_group
    for series in context.telemetry.of("redis.group."):
        own = stream in series.name and f".{group}." in series.name
        lag = slow_slice(context, series.name)
        if not own or not series.name.endswith(".lag_count") or lag is None or not context.slow:
            continue
        usual = float(np.median([one.count for one in context.slices]))
        if lag.peak >= usual:
            message = f"{context.when} up to {lag.peak:,.0f} signals waited unread in the stream"
            yield _remark(context, "backlog", message, lag, lag.peak, usual)


def connections(context: DiagnosisContext) -> Iterator[Remark]:
    """PostgreSQL near its connection limit."""
    for name, state in (("active", "active"), ("", "open")):
        series = f"postgres.connections_{name}_count" if name else "postgres.connections_count"
        count = slow_slice(context, series)
        if count is None or not count.series.limit:
            continue
        limit = count.series.limit
        if count.peak >= NEAR_SHARE * limit:
            message = f"PostgreSQL had up to {count.peak:.0f} of {limit:.0f} connections {state}"
            yield _remark(context, "connections", message, count, count.peak, NEAR_SHARE * limit)


def other_locks(context: DiagnosisContext) -> Iterator[Remark]:
    """Waits for locks other than those of the nonce table."""
    all_locks = slow_slice(context, "postgres.lock_waiting_share")
    nonces = slow_slice(context, "postgres.nonce_waiting_share")
    if all_locks is None or not context.slow:
        return
    share = all_locks.mean - (nonces.mean if nonces else 0.0)
    if share >= LOCK_WAITING_SHARE:
        message = (
            f"{context.when} a session waited for a lock other than a nonce's in"
            f" {format_percent(share)} of the samples"
        )
        yield _remark(context, "other_locks", message, all_locks, share, LOCK_WAITING_SHARE)


def append_only_file(context: DiagnosisContext) -> Iterator[Remark]:
    """Rewrites, forks and delayed writes of Redis's AOF that go with slow signals."""
    rewrite = slow_slice(context, "redis.aof_rewrite_count")
    delayed = slow_slice(context, "redis.aof_delayed_per_s")
    if rewrite is not None and _is_associated(context, rewrite, REWRITE_SHARE):
        message = (
            f"{context.when} Redis rewrote its AOF for {format_percent(rewrite.mean)} of the time"
        )
        yield _remark(context, "aof_rewrite", message, rewrite, rewrite.mean, REWRITE_SHARE)
    if delayed is not None and _is_associated(context, delayed, 0.0):
        message = (
            f"{context.when} {delayed.mean:.2g} writes per second waited for an fsync of the AOF"
        )
        yield _remark(context, "aof_rewrite", message, delayed, delayed.mean, 0.0)
    fork = slow_slice(context, "redis.latest_fork_ms")
    if fork is not None and rewrite is not None and rewrite.peak > 0 and fork.peak >= FORK_MS:
        blocked = format_milliseconds(fork.peak)
        message = f"Redis was blocked for {blocked} by the fork that rewrites its AOF"
        yield _remark(context, "aof_rewrite", message, fork, fork.peak, FORK_MS)


def checkpoints(context: DiagnosisContext) -> Iterator[Remark]:
    """Checkpoints of PostgreSQL, when all of them lie in slow seconds and those are few."""
    name = "postgres.checkpoint_count"
    count, baseline = slow_slice(context, name), baseline_slice(context, name)
    if count is None or baseline is None or count.peak < 1 or baseline.peak >= 1:
        return
    is_rare = length_s(context.slow) <= RARE_SHARE * length_s(context.measured)
    number = int((count.values >= 1).sum())
    if is_rare and 2 * number >= len(context.slow):
        message = (
            f"PostgreSQL completed {number} checkpoints {context.when}, and none in the others"
        )
        yield _remark(context, "checkpoint", message, count, float(number), 0.0)


def _each(context: DiagnosisContext, figure: str) -> Iterator[tuple[str, SeriesSlice]]:
    for series in context.telemetry.of("service."):
        if not series.name.endswith(f".{figure}"):
            continue
        piece = slow_slice(context, series.name)
        if piece is not None:
            yield series.name.removeprefix("service.").removesuffix(f".{figure}"), piece


def _is_associated(context: DiagnosisContext, piece: SeriesSlice, least: float) -> bool:
    """Whether signals are slow, and there is more of it then, and more than `least`."""
    return bool(context.slow) and piece.mean > least and _exceeds_baseline(context, piece)


def _exceeds_baseline(context: DiagnosisContext, piece: SeriesSlice) -> bool:
    """Whether there is much more of it in slow seconds than in the others."""
    baseline = baseline_slice(context, piece.series.name)
    return baseline is None or piece.mean >= BASELINE_TIMES * baseline.mean


def _remark(
    context: DiagnosisContext,
    key: str,
    message: str,
    piece: SeriesSlice,
    value: float,
    limit: float,
) -> Remark:
    evidence = evidence_of(context, piece, message, value, limit)
    return Remark(key=key, message=message, evidence=(evidence,))
