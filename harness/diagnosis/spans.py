"""Stretches of time: how they join, what lies in them, how much of one lies in another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Spans = tuple[tuple[float, float], ...]
Floats = NDArray[np.float64]


def merge_spans(parts: Iterable[tuple[float, float]]) -> Spans:
    """The same time as stretches that do not touch, in order; empty ones fall out."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(part for part in parts if part[0] < part[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def subtract_spans(spans: Spans, taken: Spans) -> Spans:
    """What is left of joined spans."""
    left: list[tuple[float, float]] = []
    for span_start, end in spans:
        start = span_start
        for taken_start, taken_end in taken:
            if taken_end <= start or taken_start >= end:
                continue
            left.append((start, taken_start))
            start = taken_end
        left.append((start, end))
    return merge_spans(left)


def length_s(spans: Spans) -> float:
    """How long they are together."""
    return sum(end - start for start, end in spans)


def overlaps_s(starts: Floats, ends: Floats, spans: Spans) -> Floats:
    """How much of each stretch lies in joined spans."""
    if not spans:
        return np.zeros(len(starts))
    edges = np.array(spans, dtype=np.float64).ravel()
    lengths = np.diff(edges)
    lengths[1::2] = 0.0
    before = np.concatenate([[0.0], np.cumsum(lengths)])
    inside: Floats = np.interp(ends, edges, before) - np.interp(starts, edges, before)
    return np.maximum(inside, 0.0)


def format_spans(spans: Sequence[tuple[float, float]]) -> str:
    """`12-15 s`, `3-4 s, 9-12 s and 4 more times`."""
    shown = [f"{start:.0f}-{end:.0f} s" for start, end in spans[:3]]
    more = len(spans) - len(shown)
    if more:
        return ", ".join(shown) + f" and {more} more times"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
