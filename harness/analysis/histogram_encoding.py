"""Histograms in standard formats: HdrHistogram V2 (compressed, base64) and histogram logs 1.2.

The formats have no field for values outside the layout, nor for exact sums: those are stored
separately. Values are nanoseconds, as in the logs of HdrHistogram's Java original.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from hdrh.histogram import HdrHistogram

from harness.analysis.histogram import (
    BUCKETS,
    DIGITS,
    HIGHEST_NS,
    LOWEST_NS,
    Histogram,
    bucket_high_ns,
    bucket_low_ns,
    bucket_middles_ns,
)
from harness.clock import NS_PER_MS
from harness.errors import EvidenceError

# The V2 encoding: cookie and length, then, packed by zlib, cookie, length, offset, digits, lowest,
# highest and ratio, and a ZigZag LEB128 count of up to 9 bytes for each bucket.
_COMPRESSED_HEAD = 8
_HEAD = struct.Struct(">iiiiqqd")
_PAYLOAD_BYTES_MAX = _HEAD.size + 9 * BUCKETS
_MIDDLES_NS = bucket_middles_ns()
_TAG = "Tag="


@dataclass(frozen=True, slots=True)
class HistogramInterval:
    """A histogram of the signals of one time interval.

    Attributes:
        start_s: seconds after t0.
        length_s: seconds.
        tag: name of the histogram that this is a part of; letters, digits and dashes.
    """

    start_s: float
    length_s: float
    tag: str
    histogram: Histogram


def encode(histogram: Histogram) -> str:
    """The histogram's buckets as HdrHistogram V2, compressed, base64."""
    standard = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    filled = np.flatnonzero(histogram.counts)
    if len(filled):
        np.frombuffer(standard.counts, dtype=np.int64)[:] = histogram.counts
        standard.set_internal_tacking_values(int(filled[0]), int(filled[-1]), histogram.inside)
    text: str = standard.encode().decode("ascii")
    return text


def decode(
    text: str,
    *,
    negative: int = 0,
    overflow: int = 0,
    sum_ns: int | None = None,
    min_ns: int | None = None,
    max_ns: int | None = None,
) -> Histogram:
    """Decode a histogram; figures that are not given are computed from its buckets.

    Raises:
        EvidenceError: not a histogram of our layout.
    """
    try:
        check_payload(text)
        standard = HdrHistogram.decode(text.encode("ascii"))
    except Exception as error:  # the package raises five unrelated kinds
        raise EvidenceError(f"not an encoded histogram: {error}", where="histogram") from error
    if (
        standard.lowest_trackable_value,
        standard.highest_trackable_value,
        standard.significant_figures,
    ) != (LOWEST_NS, HIGHEST_NS, DIGITS):
        raise EvidenceError("an encoded histogram has another layout", where="histogram")
    counts = np.frombuffer(standard.counts, dtype=np.int64).copy()
    filled = np.flatnonzero(counts)
    low = bucket_low_ns(int(filled[0])) if len(filled) else 0
    high = bucket_high_ns(int(filled[-1])) if len(filled) else 0
    # Of Python's integers, since a sum may not fit into 64 bits.
    total = sum(
        count * middle
        for count, middle in zip(counts[filled].tolist(), _MIDDLES_NS[filled].tolist(), strict=True)
    )
    return Histogram(
        counts=counts,
        negative=negative,
        overflow=overflow,
        sum_ns=total if sum_ns is None else sum_ns,
        min_ns=low if min_ns is None else min_ns,
        max_ns=high if max_ns is None else max_ns,
    )


def check_payload(text: str) -> None:
    """Check the size and layout of an encoded histogram before a library decodes it.

    Its header decides how much memory the package allocates: a few bytes unpack to a thousand
    times as many, and a layout may ask for gigabytes.

    Raises:
        ValueError: larger than our layout allows, or of another layout.
    """
    packed = base64.b64decode(text, validate=True)
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(packed[_COMPRESSED_HEAD:], _PAYLOAD_BYTES_MAX + 1)
    if len(data) > _PAYLOAD_BYTES_MAX or not unpacking.eof:
        raise ValueError(f"unpacks to more than {_PAYLOAD_BYTES_MAX:,} bytes, or is cut short")
    _, length, _, digits, lowest, highest, _ = _HEAD.unpack_from(data)
    if (lowest, highest, digits) != (LOWEST_NS, HIGHEST_NS, DIGITS):
        raise ValueError("another layout")
    if length != len(data) - _HEAD.size:
        raise ValueError("length differs from its header")


def format_histogram_log(intervals: Iterable[HistogramInterval]) -> str:
    """A histogram log, format 1.2: start, length (s), maximum (ms) and payload of each interval."""
    lines = [
        "#[Histogram log format version 1.2]",
        "#[BaseTime: 0.000 (seconds since the first stage began)]",
        "#[StartTime: 0.000 (seconds since the first stage began), values in ns]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    for part in intervals:
        highest_ms = part.histogram.max_ns / NS_PER_MS
        lines.append(
            f"{_TAG}{part.tag},{part.start_s:.3f},{part.length_s:.3f},{max(0.0, highest_ms):.3f},"
            f"{encode(part.histogram)}"
        )
    return "\n".join(lines) + "\n"


def read_histogram_log(
    lines: Iterable[str], where: str = "histogram log"
) -> Iterator[HistogramInterval]:
    """The intervals of a log that `format_histogram_log` wrote, in order; decoded line by line.

    A log has no exact sums, minima or maxima, and no values outside the layout: those of an
    interval are computed from its buckets.

    Args:
        lines: of the log.
        where: the file, for errors.

    Raises:
        EvidenceError: a line does not have this format.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text[0] in '#"':
            continue
        parts = text.split(",")
        try:
            tag = parts.pop(0)[len(_TAG) :] if text.startswith(_TAG) else ""
            start, length, _, payload = parts
            yield HistogramInterval(float(start), float(length), tag, decode(payload))
        except (ValueError, EvidenceError) as error:
            raise EvidenceError(
                f"line {number} is not of a histogram log: {error}", where=where
            ) from error
