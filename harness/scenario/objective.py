"""Objectives, as a person writes them: `p99 < 500 ms`, `lite p99.9 < 80 ms`, `rejected < 1 %`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Metric = Literal["latency", "service", "lateness", "rejected", "rate"]

_PERCENTILE = re.compile(
    r"^(?:(?P<mode>lite|full)\s+)?(?P<rank>p[0-9.]+|p\S+|max)"
    r"(?:\s+of\s+(?P<metric>latency|service|lateness))?"
    r"\s*<\s*(?P<value>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>us|ms|s)$"
)
_REJECTED = re.compile(r"^rejected\s*<\s*(?P<value>[0-9]+(?:\.[0-9]+)?)\s*%$")
_RATE = re.compile(r"^rate\s*>=\s*(?P<value>[0-9]+(?:\.[0-9]+)?)\s*%$")
_NS = {"us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}

GRAMMAR = (
    "[lite|full] pNN[.N]|max [of latency|service|lateness] < N us|ms|s; rejected < N %; rate >= N %"
)


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise to hold the measurement against.

    Attributes:
        text: as written in the scenario.
        metric: what is looked at. `rejected` is the share of attempted signals that the engine
            refused, `rate` the share of intended signals that were sent in their phase.
        percentile: 0 < percentile < 100, or 100 for `max`; None for `rejected` and `rate`.
        mode: `lite`, `full`, or None for every signal together.
        limit_ns: upper limit of a duration; None for shares.
        limit_share: limit of a share, 0..1; None for durations.
    """

    text: str
    metric: Metric
    percentile: float | None = None
    mode: Literal["lite", "full"] | None = None
    limit_ns: int | None = None
    limit_share: float | None = None


def parse_objective(text: str) -> Objective:
    """Read one objective.

    Raises:
        ValueError: says what is wrong and what may be written.
    """
    line = " ".join(text.split())
    if match := _REJECTED.match(line):
        return Objective(text=line, metric="rejected", limit_share=_share(match["value"]))
    if match := _RATE.match(line):
        return Objective(text=line, metric="rate", limit_share=_share(match["value"]))
    match = _PERCENTILE.match(line)
    if match is None:
        raise ValueError(f"{text!r} is not an objective; write {GRAMMAR}")
    mode = match["mode"]
    metric = match["metric"] or "latency"
    return Objective(
        text=line,
        metric=metric,  # type: ignore[arg-type]  # the pattern admits only these words
        percentile=_percentile(match["rank"]),
        mode=mode,  # type: ignore[arg-type]  # the pattern admits only these words
        limit_ns=round(float(match["value"]) * _NS[match["unit"]]),
    )


def _percentile(rank: str) -> float:
    if rank == "max":
        return 100.0
    try:
        value = float(rank[1:])
    except ValueError:
        value = -1.0
    if not 0 < value < 100:
        raise ValueError(f"unknown percentile {rank!r}: write p50, p99, p99.9 (0 < p < 100) or max")
    return value


def _share(text: str) -> float:
    value = float(text) / 100
    if value > 1:
        raise ValueError(f"{text} % is more than all of them")
    return value
