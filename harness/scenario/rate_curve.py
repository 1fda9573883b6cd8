"""A recorded rate of signals: a curve as CSV, or the ids of a Redis stream.

| file | content |
|---|---|
| curve | first line `t_s,rate` or `time,rate`; then a point a line: seconds, or an ISO 8601 time, \
and signals/s. The rate changes in a straight line between two points |
| ids | what `XRANGE` gives, in any format of `redis-cli`: the raw lines, the numbered ones of a \
terminal, `--csv`, `--json`; or the ids alone |

An id of a Redis stream is the time of its entry in ms and a number (`1700000000000-0`). In the text
of a recording every such token counts as an entry, except as a part of a word or of a UUID.
"""

from __future__ import annotations

import csv
import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

from harness.safe_open import MIB, read_regular

# Four million ids; a recording with its values has fewer.
BYTES_MAX = 64 * MIB
STAGES_MAX = 1_000
# Points of a curve, before they are joined to intervals.
POINTS_MAX = 1_000_000
_INTERVAL_IDS_S = 1.0
_HEADS = (["t_s", "rate"], ["time", "rate"])
# 13 digits: from the year 2001 to 2286.
_ID = re.compile(r"(?<![\w.-])([0-9]{13})-([0-9]{1,20})(?![\w.-])")
_JOIN = "set interval_s, or a longer one, which joins them"


class Segment(NamedTuple):
    """A part of the curve: signals/s at both ends, in a straight line between them."""

    rate_from: float
    rate_to: float
    duration_s: float


def read_rate_curve(path: Path, interval_s: float | None) -> tuple[Segment, ...]:
    """The parts of a recorded curve, in order.

    Args:
        path: a regular file; no link is followed.
        interval_s: length of each part, which has the mean rate of the curve in it; the last one
            may be shorter. None: a curve keeps its points, and ids are counted by the second.

    Raises:
        ValueError: the content is no such recording, or has too many parts.
        EvidenceError: it is no regular file, or too large.
        OSError: it cannot be read.
    """
    try:
        text = read_regular(path, BYTES_MAX).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    return parse_rate_curve(text, interval_s)


def parse_rate_curve(text: str, interval_s: float | None) -> tuple[Segment, ...]:
    """`read_rate_curve` of a text."""
    head, _, _ = text.partition("\n")
    if [cell.strip() for cell in head.split(",")] in _HEADS:
        points = list(_points(text))
        return _segments(points) if interval_s is None else _means(points, interval_s)
    return _counted(text, interval_s or _INTERVAL_IDS_S)


def _points(text: str) -> Iterator[tuple[float, float]]:
    """Seconds after the first point, and rate; the times ascend."""
    first_s = last_s = -math.inf
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        if number == 1 or not row:
            continue
        if number > POINTS_MAX:
            raise ValueError(f"more than {POINTS_MAX:,} lines")
        at_s, rate = _point(row, number)
        if at_s <= last_s:
            raise ValueError(f"line {number}: the time is not later than the one before")
        first_s = at_s if last_s == -math.inf else first_s
        last_s = at_s
        yield at_s - first_s, rate


def _point(row: Sequence[str], number: int) -> tuple[float, float]:
    try:
        time_text, rate_text = row
        at_s, rate = _seconds(time_text.strip()), float(rate_text)
    except ValueError:
        raise ValueError(
            f"line {number}: not a time and a rate; write as in 2.5,100 or 2026-11-30T08:00:00Z,100"
        ) from None
    if not (math.isfinite(at_s) and math.isfinite(rate) and rate >= 0):
        raise ValueError(f"line {number}: a rate is a number from 0 on, a time a finite one")
    return at_s, rate


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        # Without a zone the times of a file only have to agree with each other.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _segments(points: Sequence[tuple[float, float]]) -> tuple[Segment, ...]:
    _need_two(points)
    if len(points) - 1 > STAGES_MAX:
        raise ValueError(f"{len(points) - 1:,} parts are more than {STAGES_MAX:,}: {_JOIN}")
    return tuple(
        Segment(rate, next_rate, round(next_s, 3) - round(at_s, 3))
        for (at_s, rate), (next_s, next_rate) in pairwise(points)
    )


def _means(points: Sequence[tuple[float, float]], interval_s: float) -> tuple[Segment, ...]:
    """The mean rate of each interval, so that the number of signals stays the same."""
    _need_two(points)
    at_s = [moment_s for moment_s, _ in points]
    areas = ((end - start) * (rate + other) / 2 for (start, rate), (end, other) in pairwise(points))
    signals = list(accumulate(areas, initial=0.0))

    def until(moment_s: float) -> float:
        """Integral of the curve from its first point on."""
        number = min(bisect_right(at_s, moment_s), len(points) - 1) - 1
        (start, rate), (end, other) = points[number : number + 2]
        since_s = moment_s - start
        return signals[number] + since_s * (rate + (other - rate) / (end - start) * since_s / 2)

    return tuple(
        Segment(mean := max(0.0, until(end) - until(start)) / (end - start), mean, end - start)
        for start, end in pairwise(_edges(at_s[-1], interval_s))
    )


def _counted(text: str, interval_s: float) -> tuple[Segment, ...]:
    """Entries of each interval from the first id on; the last interval is as long as the others."""
    counts: list[int] = []
    first_ms, last = 0, (-1, -1)
    for number, match in enumerate(_ID.finditer(text), 1):
        own = int(match[1]), int(match[2])
        if own <= last:
            raise ValueError(
                f"id number {number} is not above the one before: write what XRANGE gives, or the"
                " ids alone if a value looks like one"
            )
        first_ms, last = first_ms or own[0], own
        interval = int((own[0] - first_ms) / (interval_s * 1_000))
        if interval >= STAGES_MAX:
            raise ValueError(f"more than {STAGES_MAX:,} parts of {interval_s:g} s: {_JOIN}")
        counts += [0] * (interval + 1 - len(counts))
        counts[interval] += 1
    if not counts:
        raise ValueError(
            "is neither a curve (first line t_s,rate or time,rate) nor has it ids of a Redis stream"
        )
    rates = [count / interval_s for count in counts]
    return tuple(Segment(rate, rate, interval_s) for rate in rates)


def _edges(end_s: float, interval_s: float) -> list[float]:
    count = math.ceil(round(end_s / interval_s, 9))
    if count > STAGES_MAX:
        raise ValueError(f"{count:,} parts are more than {STAGES_MAX:,}: {_JOIN}")
    return [*(number * interval_s for number in range(count)), end_s]


def _need_two(points: Sequence[tuple[float, float]]) -> None:
    if len(points) < 2:
        raise ValueError("has fewer than two points")
