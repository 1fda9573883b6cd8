"""Question 2: is Redis near its memory, and is it the streams that fill it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.resources.telemetry import TimeSeries
from harness.diagnosis.answers import Answer, Evidence, Question, unknown_answer
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.series_slice import SeriesSlice, evidence_of, slow_slice
from harness.diagnosis.spans import Floats
from harness.diagnosis.thresholds import (
    ENTRIES_RANGE_MIN,
    FORK_MS,
    MEMORY_RANGE_MIN_BYTES,
    REDIS_MEMORY_REPORTED_SHARE,
    REDIS_MEMORY_SHARE,
    REDIS_MEMORY_SPECIFIED_BYTES,
    STREAMS_SHARE,
)
from harness.formatting import format_bytes, format_milliseconds, format_percent

KEY = "redis_memory"
ASKS = "Is Redis near its memory limit?"
_MEMORY = "redis.memory_bytes"
_STREAM, _LENGTH = "redis.stream.", ".length_count"
# redis_stream_maxlen as specified.
_MAXLEN_DEFAULT = 10_000


@dataclass(frozen=True, slots=True)
class StreamMemory:
    """What the streams hold of the memory.

    Attributes:
        entries: at the most, all together.
        entry_bytes: of memory for each.
        measured: whether that was seen in memory growing with the streams; else it is the whole
            memory shared out among the entries, and so an upper bound.
    """

    entries: float
    entry_bytes: float
    measured: bool

    @property
    def bytes(self) -> float:
        """All of them."""
        return self.entries * self.entry_bytes


def ask_redis(subject: DiagnosisContext) -> Question:
    """Answer it; the streams are held against their maxlen whatever the answer."""
    memory = slow_slice(subject, _MEMORY)
    if memory is None:
        return unknown_answer(KEY, ASKS, _missing(subject))
    limit = memory.track.limit or float(REDIS_MEMORY_SPECIFIED_BYTES)
    share = memory.peak / limit
    of = f"the {format_bytes(limit)} of its limit ({memory.track.limit_source})"
    if not memory.track.limit:
        of = f"the {format_bytes(limit)} that are specified (no limit is in force)"
    said = f"Redis held {format_bytes(memory.peak)} of {of}, {format_percent(share)}"
    evidence = [evidence_of(subject, memory, said, memory.peak, REDIS_MEMORY_SHARE * limit)]
    streams = measure_streams(subject)
    parts = [said, *_stream_words(streams, memory, limit, evidence, subject)]
    if share < REDIS_MEMORY_SHARE:
        return Question(
            key=KEY,
            asks=ASKS,
            answer=Answer.NO,
            message=subject.sentence("; ".join(parts)),
            evidence=tuple(evidence),
        )
    parts += _consequences(subject, evidence)
    return Question(
        key=KEY,
        asks=ASKS,
        answer=Answer.YES,
        message=subject.sentence("; ".join(parts)),
        evidence=tuple(evidence),
        advice=_advice(streams, memory, limit),
    )


def measure_streams(subject: DiagnosisContext) -> StreamMemory | None:
    """Entries and memory of all streams; None where no length was read."""
    tracks, memory = _lengths(subject), subject.telemetry.time_series.get(_MEMORY)
    if not tracks or memory is None or not memory.at_s:
        return None
    entries = sum((_at(track, memory) for track in tracks), start=np.zeros(len(memory.at_s)))
    held = np.array(memory.values, dtype=np.float64)
    most = float(entries.max())
    if most < 1:
        return None
    upper = float(held[entries.argmax()]) / most
    if upper < 1:
        return None  # no entry is that small: memory and lengths are not of one server
    if np.ptp(entries) >= ENTRIES_RANGE_MIN and np.ptp(held) >= MEMORY_RANGE_MIN_BYTES:
        slope = float(np.polyfit(entries, held, 1)[0])
        if 0 < slope <= upper:
            return StreamMemory(most, slope, measured=True)
    return StreamMemory(most, upper, measured=False)


def _lengths(subject: DiagnosisContext) -> list[TimeSeries]:
    found = subject.telemetry.of(_STREAM)
    return [track for track in found if track.name.endswith(_LENGTH) and track.at_s]


def _at(track: TimeSeries, memory: TimeSeries) -> Floats:
    lengths: Floats = np.interp(memory.at_s, track.at_s, track.values)
    return lengths


def _stream_words(
    streams: StreamMemory | None,
    memory: SeriesSlice,
    limit: float,
    evidence: list[Evidence],
    subject: DiagnosisContext,
) -> list[str]:
    if streams is None:
        return ["the lengths of its streams were not read"]
    parts = []
    for track in _lengths(subject):
        taken = slow_slice(subject, track.name)
        if taken is None or taken.peak < STREAMS_SHARE * streams.entries:
            continue  # of the streams, the one that holds most of the entries is enough
        name = track.name.removeprefix(_STREAM).removesuffix(_LENGTH)
        kept = f" (maxlen {track.limit:,.0f})" if track.limit else " (no maxlen is known)"
        said = f"{name} held {taken.peak:,.0f} entries{kept}"
        parts.append(said)
        evidence.append(evidence_of(subject, taken, said, taken.peak, track.limit))
    if memory.peak < REDIS_MEMORY_REPORTED_SHARE * limit:
        return parts
    held = min(streams.bytes, memory.peak)
    about = "about" if streams.measured else "at most"
    parts.append(
        f"{about} {format_bytes(streams.entry_bytes)} an entry: {about}"
        f" {format_percent(held / memory.peak) if memory.peak else '0 %'} of the memory is the streams'"
    )
    return parts


def _consequences(subject: DiagnosisContext, evidence: list[Evidence]) -> list[str]:
    parts = []
    account = subject.facts.measurement.accounts.get("measure")
    if account is not None and account.refused:
        parts.append(f"it refused {account.refused:,} of {account.attempted:,} signals")
    refused = slow_slice(subject, "redis.refused_per_s")
    if refused is not None and refused.peak > 0:
        parts.append(f"it refused up to {refused.peak:,.0f} commands a second")
        evidence.append(evidence_of(subject, refused, parts[-1], refused.peak, 0.0))
    fork = slow_slice(subject, "redis.latest_fork_ms")
    if fork is not None and fork.peak >= FORK_MS:
        parts.append(f"a fork held it up for {format_milliseconds(fork.peak)}")
        evidence.append(evidence_of(subject, fork, parts[-1], fork.peak, FORK_MS))
    rewrite = slow_slice(subject, "redis.aof_rewrite_count")
    if rewrite is not None and rewrite.mean > 0:
        parts.append(f"it rewrote its AOF for {format_percent(rewrite.mean)} of the time")
        evidence.append(evidence_of(subject, rewrite, parts[-1], rewrite.mean))
    return parts


def _advice(streams: StreamMemory | None, memory: SeriesSlice, limit: float) -> str:
    if streams is None:
        return "See whether redis_stream_maxlen is too large; nothing tells what the streams hold."
    if streams.measured and streams.bytes < STREAMS_SHARE * memory.peak:
        return (
            "redis_stream_maxlen is not what fills it: look for other keys (redis-cli --bigkeys)"
            " before changing it."
        )
    # What is not the streams' stays; half of the limit leaves room for a fork's copies.
    rest = max(0.0, memory.peak - streams.bytes) if streams.measured else 0.0
    room = max(0.0, limit / 2 - rest)
    fitting = int(room / streams.entry_bytes)
    return (
        "redis_stream_maxlen is too large for this memory:"
        f" {fitting:,} entries in all streams together would leave half of the limit free, the"
        f" default of {_MAXLEN_DEFAULT:,} takes {format_bytes(_MAXLEN_DEFAULT * streams.entry_bytes)}"
        " a stream. Trimming what the engine's group has not read yet loses signals, so see that"
        " its lag stays below."
    )


def _missing(subject: DiagnosisContext) -> str:
    telemetry = subject.telemetry
    if not telemetry.present:
        return "this run kept no telemetry"
    reasons = [why for name, why in sorted(telemetry.unread.items()) if name.startswith("redis")]
    return "Redis's memory was not read" + "".join(f"; {one}" for one in reasons)
