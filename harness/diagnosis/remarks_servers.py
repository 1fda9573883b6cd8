"""Remarks on Redis and PostgreSQL beyond the questions that are asked of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.diagnosis.answers import Remark
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.series_slice import SeriesSlice, baseline_slice, evidence_of, slow_slice
from harness.diagnosis.spans import length_s
from harness.diagnosis.thresholds import (
    BASELINE_TIMES,
    FORK_MS,
    NEAR_SHARE,
    NONCE_WAITED_OFTEN,
    RARE_SHARE,
    REWRITE_SHARE,
)
from harness.formatting import format_milliseconds, format_percent


def backlog(subject: DiagnosisContext) -> Iterator[Remark]:
    """Signals that pile up before the engine's group reads them."""
    contract = subject.facts.plan.contract
    stream, group = contract.streams.proposals, contract.streams.engine_group
    for track in subject.telemetry.of("redis.group."):
        own = stream in track.name and f".{group}." in track.name
        taken = slow_slice(subject, track.name)
        if not own or not track.name.endswith(".lag_count") or taken is None or not subject.slow:
            continue
        usual = np.median([second.count for second in subject.slices])
        if taken.peak >= usual:
            said = f"{subject.when} up to {taken.peak:,.0f} signals waited unread in the stream"
            yield _remark(subject, "backlog", said, taken, taken.peak, float(usual))


def connections(subject: DiagnosisContext) -> Iterator[Remark]:
    """PostgreSQL near the connections that it may serve."""
    for name, doing in (("active", "at work"), ("", "open")):
        track = f"postgres.connections_{name}_count" if name else "postgres.connections_count"
        taken = slow_slice(subject, track)
        if taken is None or not taken.track.limit:
            continue
        limit = taken.track.limit
        if taken.peak >= NEAR_SHARE * limit:
            said = f"PostgreSQL had up to {taken.peak:.0f} of {limit:.0f} connections {doing}"
            yield _remark(subject, "connections", said, taken, taken.peak, NEAR_SHARE * limit)


def other_locks(subject: DiagnosisContext) -> Iterator[Remark]:
    """Waits for locks other than those of the nonce table."""
    all_locks = slow_slice(subject, "postgres.lock_waiting_share")
    nonces = slow_slice(subject, "postgres.nonce_waiting_share")
    if all_locks is None or not subject.slow:
        return
    share = all_locks.mean - (nonces.mean if nonces else 0.0)
    if share >= NONCE_WAITED_OFTEN:
        said = (
            f"{subject.when} some session waited for a lock other than a nonce's in"
            f" {format_percent(share)} of the looks"
        )
        yield _remark(subject, "other_locks", said, all_locks, share, NONCE_WAITED_OFTEN)


def append_only_file(subject: DiagnosisContext) -> Iterator[Remark]:
    """Rewrites, forks and held up writes of Redis's AOF that go with slow signals."""
    for track, said, least in (
        ("redis.aof_rewrite_count", "Redis rewrote its AOF for {share} of the time", REWRITE_SHARE),
        (
            "redis.aof_delayed_per_s",
            "{value:.2g} writes a second waited for an fsync of the AOF",
            0,
        ),
    ):
        taken = slow_slice(subject, track)
        if taken is None or not subject.slow or taken.mean <= least or not _more(subject, taken):
            continue
        words = said.format(share=format_percent(taken.mean), value=taken.mean)
        yield _remark(
            subject, "aof_rewrite", f"{subject.when} {words}", taken, taken.mean, float(least)
        )
    fork, rewrite = (
        slow_slice(subject, "redis.latest_fork_ms"),
        slow_slice(subject, "redis.aof_rewrite_count"),
    )
    if fork is not None and rewrite is not None and rewrite.peak > 0 and fork.peak >= FORK_MS:
        said = f"Redis stood still for {format_milliseconds(fork.peak)} while it forked to rewrite its AOF"
        yield _remark(subject, "aof_rewrite", said, fork, fork.peak, FORK_MS)


def checkpoints(subject: DiagnosisContext) -> Iterator[Remark]:
    """Checkpoints of PostgreSQL, when all of them fell into slow seconds that are few."""
    name = "postgres.checkpoint_count"
    taken, calm = slow_slice(subject, name), baseline_slice(subject, name)
    if taken is None or calm is None or taken.peak < 1 or calm.peak >= 1:
        return
    few = length_s(subject.slow) <= RARE_SHARE * length_s(subject.measured)
    number = int((taken.values >= 1).sum())
    if few and 2 * number >= len(subject.slow):
        said = f"PostgreSQL ended {number} checkpoints {subject.when}, and none in the others"
        yield _remark(subject, "checkpoint", said, taken, float(number), 0.0)


def _more(subject: DiagnosisContext, taken: SeriesSlice) -> bool:
    """Whether there is much more of it in slow seconds than in the others."""
    calm = baseline_slice(subject, taken.track.name)
    return calm is None or taken.mean >= BASELINE_TIMES * calm.mean


def _remark(
    subject: DiagnosisContext, key: str, said: str, taken: SeriesSlice, value: float, limit: float
) -> Remark:
    return Remark(
        key=key, message=said, evidence=(evidence_of(subject, taken, said, value, limit),)
    )
