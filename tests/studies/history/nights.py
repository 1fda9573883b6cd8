"""Made-up nights: lines of a history whose changes and outliers are known."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from harness.evidence.history import HistoryLine, Metric

LEVEL_NS = 40_000_000
BEGIN = datetime(2026, 1, 1, 3, tzinfo=UTC)
QUESTION = "0123456789ab"


def line_of(number: int, *metrics: Metric, **own: Any) -> HistoryLine:
    """The line of night number `number`."""
    at = BEGIN + timedelta(days=number)
    facts: dict[str, Any] = {
        "run_id": f"{at:%Y%m%d-%H%M%S}-nightly-{number:04x}",
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "recorded": f"{at + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}",
        "commit": hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest(),
        "harness": "1.0",
        "scenario": "nightly",
        "plan": "100 agents, 330 signals/s, 300 s measured",
        "question": QUESTION,
        "seed": 1,
        "stack": "docker",
        "contract": "c" * 12,
        "host": "a" * 12,
        "host_text": "made up, 8 of 8 CPUs, 32 GiB",
        "images": {"engine": "e" * 12, "redis": "d" * 12},
        "verdict": "PASS",
        "grade": "indicative",
    }
    return HistoryLine(**{**facts, "metrics": metrics, **own})


def p99(estimate_ns: float, *, is_censored: bool = False, width: float = 0.2) -> Metric:
    """The P99 of a run with its interval, of which a censored one has the lower end only."""
    return Metric(
        id="latency_p99",
        objective="p99 < 500 ms",
        unit="ns",
        estimate=round(estimate_ns),
        lower=round(estimate_ns * (1 - width)),
        upper=None if is_censored else round(estimate_ns * (1 + width)),
        limit=500_000_000,
    )


@dataclass(frozen=True, slots=True)
class Nights:
    """A history to be drawn.

    Attributes:
        noise: standard deviation of the logarithm between nights.
        changes: from which night on, and the factor of the level.
        outliers: nights, and their factor.
        tail: degrees of freedom of t-distributed noise; 0 for normal noise.
        memory: correlation of a night's noise with that of the one before.
        censored: share of the runs without an upper bound.
    """

    count: int = 60
    noise: float = 0.08
    changes: tuple[tuple[int, float], ...] = ()
    outliers: tuple[tuple[int, float], ...] = ()
    tail: int = 0
    memory: float = 0.0
    censored: float = 0.0
    own: dict[str, Any] = field(default_factory=dict)

    def lines(self, seed: int) -> list[HistoryLine]:
        """One such history."""
        random = np.random.default_rng(seed)
        noise = random.standard_normal(self.count)
        if self.tail:
            scale = math.sqrt(self.tail / (self.tail - 2))
            noise = random.standard_t(self.tail, self.count) / scale
        for night in range(1, self.count):
            fresh = math.sqrt(1 - self.memory**2) * noise[night]
            noise[night] = self.memory * noise[night - 1] + fresh
        outliers = dict(self.outliers)
        is_censored = random.random(self.count) < self.censored
        level = np.full(self.count, float(LEVEL_NS))
        for start, factor in self.changes:
            level[start:] *= factor
        values = level * np.exp(self.noise * noise)
        return [
            line_of(
                night,
                p99(
                    values[night] * outliers.get(night, 1.0),
                    is_censored=bool(is_censored[night]) or night in outliers,
                ),
                **self.own,
            )
            for night in range(self.count)
        ]


# What two months may look like: slower, faster again, and two outliers without an upper bound.
TWO_CHANGES = Nights(changes=((20, 1.3), (41, 0.75)), outliers=((10, 4.0), (33, 3.0)))
