"""Histogram logs read back; only a line of one is decoded at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.analysis.histogram_encoding import HistogramInterval, decode
from harness.errors import EvidenceError

_TAG = "Tag="


def read_histogram_log(
    lines: Iterable[str], where: str = "histogram log"
) -> Iterator[HistogramInterval]:
    """The intervals of a log that `encoding.log_text` wrote, in order.

    A log has no place for exact sums and ends, nor for what lies outside of the layout: those of an
    interval are the ones of its buckets.

    Args:
        lines: of the log.
        where: what an error names.

    Raises:
        EvidenceError: a line is none of such a log.
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
