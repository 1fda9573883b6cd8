"""Question 2: is Redis near its memory limit, and do the streams use the memory?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.resources.telemetry import TimeSeries
from harness.diagnosis.answers import Answer, Evidence
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.question import Conclusion, DiagnosisQuestion, unknown
from harness.diagnosis.series_slice import SeriesSlice, evidence_of, slow_slice
from harness.diagnosis.spans import Floats
from harness.diagnosis.thresholds import FORK_MS
from harness.formatting import format_bytes, format_milliseconds, format_percent

# The share of its limit from which on Redis is "near" it.
REDIS_MEMORY_SHARE = 0.80
# The specified limit; used where none is set.
REDIS_MEMORY_SPECIFIED_BYTES = 4 * 1024**3
# Streams that hold less than half of the memory are not what fills it.
STREAMS_SHARE = 0.50
# Below this share of the limit the users of the memory are not reported.
REDIS_MEMORY_REPORTED_SHARE = 0.40
# Where entries and bytes vary by less, memory per entry is estimated from the whole memory: the
# server's own memory varies by some hundred kilobytes.
ENTRIES_RANGE_MIN = 100
MEMORY_RANGE_MIN_BYTES = 4 * 1024**2

_MEMORY = "redis.memory_bytes"
_STREAM, _LENGTH = "redis.stream.", ".length_count"
# redis_stream_maxlen as specified.
_MAXLEN_DEFAULT = 10_000


@dataclass(frozen=True, slots=True)
class StreamMemory:
    """The part of the memory that the streams hold.

    Attributes:
        entries: largest number of entries in all streams.
        entry_bytes: memory per entry.
        measured: whether `entry_bytes` is the slope of memory over entries; else it is the whole
            memory divided by the entries, an upper bound.
    """

    entries: float
    entry_bytes: float
    measured: bool

    @property
    def bytes(self) -> float:
        """Memory of all entries."""
        return self.entries * self.entry_bytes


def _find(context: DiagnosisContext) -> Conclusion:
    memory = slow_slice(context, _MEMORY)
    if memory is None:
        return unknown(context.why_unread("Redis's memory", "redis"))
    limit = memory.series.limit or float(REDIS_MEMORY_SPECIFIED_BYTES)
    share = memory.peak / limit
    source = memory.series.limit_source if memory.series.limit else "as specified, none is set"
    message = (
        f"Redis used {format_bytes(memory.peak)} of its limit of {format_bytes(limit)} ({source}),"
        f" {format_percent(share)}"
    )
    evidence = [evidence_of(context, memory, message, memory.peak, REDIS_MEMORY_SHARE * limit)]
    streams = measure_streams(context)
    parts = [message, *_describe_streams(streams, memory, limit, evidence, context)]
    if share < REDIS_MEMORY_SHARE:
        return Conclusion(Answer.NO, "; ".join(parts), evidence)
    parts += _consequences(context, evidence)
    return Conclusion(Answer.YES, "; ".join(parts), evidence, _advice(streams, memory, limit))


def measure_streams(context: DiagnosisContext) -> StreamMemory | None:
    """Entries and memory of all streams; None where telemetry has no stream length."""
    lengths, memory = _lengths(context), context.telemetry.time_series.get(_MEMORY)
    if not lengths or memory is None or not memory.at_s:
        return None
    entries = sum((_at(series, memory) for series in lengths), start=np.zeros(len(memory.at_s)))
    used = np.array(memory.values, dtype=np.float64)
    most = float(entries.max())
    if most < 1:
        return None
    upper = float(used[entries.argmax()]) / most
    if upper < 1:
        return None  # no entry is that small: memory and lengths are not of one server
    if np.ptp(entries) >= ENTRIES_RANGE_MIN and np.ptp(used) >= MEMORY_RANGE_MIN_BYTES:
        slope = float(np.polyfit(entries, used, 1)[0])
        if 0 < slope <= upper:
            return StreamMemory(most, slope, measured=True)
    return StreamMemory(most, upper, measured=False)


def _lengths(context: DiagnosisContext) -> list[TimeSeries]:
    return [
        series
        for series in context.telemetry.of(_STREAM)
        if series.name.endswith(_LENGTH) and series.at_s
    ]


def _at(series: TimeSeries, memory: TimeSeries) -> Floats:
    lengths: Floats = np.interp(memory.at_s, series.at_s, series.values)
    return lengths


def _describe_streams(
    streams: StreamMemory | None,
    memory: SeriesSlice,
    limit: float,
    evidence: list[Evidence],
    context: DiagnosisContext,
) -> list[str]:
    if streams is None:
        return ["telemetry lacks the lengths of its streams"]
    parts = []
    for series in _lengths(context):
        length = slow_slice(context, series.name)
        if length is None or length.peak < STREAMS_SHARE * streams.entries:
            continue  # the stream that holds most of the entries is enough
        name = series.name.removeprefix(_STREAM).removesuffix(_LENGTH)
        maxlen = f"maxlen {series.limit:,.0f}" if series.limit else "maxlen unknown"
        message = f"{name} held {length.peak:,.0f} entries ({maxlen})"
        parts.append(message)
        evidence.append(evidence_of(context, length, message, length.peak, series.limit))
    if memory.peak < REDIS_MEMORY_REPORTED_SHARE * limit:
        return parts
    share = min(streams.bytes, memory.peak) / memory.peak if memory.peak else 0.0
    about = "about" if streams.measured else "at most"
    parts.append(
        f"{about} {format_bytes(streams.entry_bytes)} per entry, so the streams hold {about}"
        f" {format_percent(share)} of the memory"
    )
    return parts


def _consequences(context: DiagnosisContext, evidence: list[Evidence]) -> list[str]:
    parts = []
    account = context.facts.measurement.accounts.get("measure")
    if account is not None and account.refused:
        parts.append(f"it refused {account.refused:,} of {account.attempted:,} signals")
    refused = slow_slice(context, "redis.refused_per_s")
    if refused is not None and refused.peak > 0:
        parts.append(f"it refused up to {refused.peak:,.0f} commands per second")
        evidence.append(evidence_of(context, refused, parts[-1], refused.peak, 0.0))
    fork = slow_slice(context, "redis.latest_fork_ms")
    if fork is not None and fork.peak >= FORK_MS:
        parts.append(f"a fork blocked it for {format_milliseconds(fork.peak)}")
        evidence.append(evidence_of(context, fork, parts[-1], fork.peak, FORK_MS))
    rewrite = slow_slice(context, "redis.aof_rewrite_count")
    if rewrite is not None and rewrite.mean > 0:
        parts.append(f"it rewrote its AOF for {format_percent(rewrite.mean)} of the time")
        evidence.append(evidence_of(context, rewrite, parts[-1], rewrite.mean))
    return parts


def _advice(streams: StreamMemory | None, memory: SeriesSlice, limit: float) -> str:
    if streams is None:
        return (
            "Check whether redis_stream_maxlen is too large; telemetry lacks the memory of the"
            " streams."
        )
    if streams.measured and streams.bytes < STREAMS_SHARE * memory.peak:
        return (
            "redis_stream_maxlen does not fill the memory: find the other keys"
            " (redis-cli --bigkeys) before changing it."
        )
    # Memory of other keys remains; half of the limit leaves room for the copies of a fork.
    rest = max(0.0, memory.peak - streams.bytes) if streams.measured else 0.0
    room = max(0.0, limit / 2 - rest)
    fitting = int(room / streams.entry_bytes)
    default = format_bytes(_MAXLEN_DEFAULT * streams.entry_bytes)
    return (
        "redis_stream_maxlen is too large for this memory:"
        f" {fitting:,} entries in all streams together leave half of the limit free, the"
        f" default of {_MAXLEN_DEFAULT:,} uses {default}"
        " per stream. Trimming entries that the engine's group has not read yet loses signals:"
        " keep the group's lag below maxlen."
    )


QUESTION = DiagnosisQuestion("redis_memory", "Is Redis near its memory limit?", _find)
