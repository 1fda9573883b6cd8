"""Objectives of growth: `memory_growth < 10 MB/h`, `disk_growth < 2 GB/h`."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

GrowthMetric = Literal["memory_growth", "disk_growth"]

GROWTH_GRAMMAR = "memory_growth|disk_growth < N kB|MB|GB/h"
_GROWTH = re.compile(
    r"^(?P<metric>(?:memory|disk)_growth)\s*<\s*(?P<value>[0-9]{1,12}(?:\.[0-9]{1,9})?)\s*"
    r"(?P<unit>kB|MB|GB)\s*/\s*h$"
)
# Decimal multiples, as the International System of Units has them.
_BYTES = {"kB": 1e3, "MB": 1e6, "GB": 1e9}


class GrowthLimit(NamedTuple):
    """What may grow, and its upper limit."""

    metric: GrowthMetric
    limit_bytes_per_h: float


def parse_growth(line: str) -> GrowthLimit | None:
    """An objective of growth; None for another text.

    Raises:
        ValueError: the limit never holds.
    """
    match = _GROWTH.match(line)
    if match is None:
        return None
    limit = float(match["value"]) * _BYTES[match["unit"]]
    if limit == 0:
        raise ValueError("a growth < 0 has no interval below it: write the largest that is allowed")
    metric: GrowthMetric = "memory_growth" if match["metric"] == "memory_growth" else "disk_growth"
    return GrowthLimit(metric, limit)
