"""Fewer points of many, so that a page stays small whatever the length of the run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def downsample(values: Sequence[T], most: int) -> list[T]:
    """At most so many of the values at equal distances, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    step = (len(values) - 1) / (most - 1)
    return [values[round(number * step)] for number in range(most)]


def downsample_peaks(
    at: Sequence[float], values: Sequence[float], most: int
) -> list[tuple[float, float]]:
    """At most so many points: of each of as many stretches the highest, where it is.

    A figure that is held against an upper limit must not lose its peaks.
    """
    size = len(values)
    if size <= most:
        return list(zip(at, values, strict=True))
    edges = [number * size // most for number in range(most + 1)]
    kept = [max(range(low, high), key=values.__getitem__) for low, high in pairwise(edges)]
    return [(at[number], values[number]) for number in kept]
