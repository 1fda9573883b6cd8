"""Intervals of time: joining, subtracting, overlap, text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Spans = tuple[tuple[float, float], ...]
Floats = NDArray[np.float64]


def merge_spans(parts: Iterable[tuple[float, float]]) -> Spans:
    """The same time as disjoint spans in order; empty ones are dropped."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(part for part in parts if part[0] < part[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def subtract_spans(spans: Spans, removed: Spans) -> Spans:
    """The part of merged spans that is not in `removed`."""
    rest: list[tuple[float, float]] = []
    for span_start, end in spans:
        start = span_start
        for removed_start, removed_end in removed:
            if removed_end <= start or removed_start >= end:
                continue
            rest.append((start, removed_start))
            start = removed_end
        rest.append((start, end))
    return merge_spans(rest)


def length_s(spans: Spans) -> float:
    """Total length."""
    return sum(end - start for start, end in spans)


def overlaps_s(starts: Floats, ends: Floats, spans: Spans) -> Floats:
    """The length of each interval that lies in merged spans."""
    if not spans:
        return np.zeros(len(starts))
    edges = np.array(spans, dtype=np.float64).ravel()
    lengths = np.diff(edges)
    lengths[1::2] = 0.0
    before = np.concatenate([[0.0], np.cumsum(lengths)])
    inside: Floats = np.interp(ends, edges, before) - np.interp(starts, edges, before)
    return np.maximum(inside, 0.0)


def format_spans(spans: Sequence[tuple[float, float]]) -> str:
    """`12-15 s`, `3-4 s and 9-12 s`, `3-4 s, 9-12 s, 20-21 s and 4 more`."""
    shown = [f"{start:.0f}-{end:.0f} s" for start, end in spans[:3]]
    more = len(spans) - len(shown)
    if more:
        return ", ".join(shown) + f" and {more} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
