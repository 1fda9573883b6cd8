"""Figures of a run under way, as frozen values for display; never evidence."""

from __future__ import annotations

from dataclasses import dataclass

from harness.run.live.latency_histogram import LatencyBuckets


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Latency so far; None where there are too few signals for the percentile."""

    p50_ns: int | None = None
    p99_ns: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceUsage:
    """Use of a service in the newest known second; None for what is not known.

    Attributes:
        cpu_limit_cores: the quota in force; None without one.
        memory_limit_bytes: the limit in force; None without one.
    """

    name: str
    cpu_cores: float | None = None
    cpu_limit_cores: float | None = None
    memory_bytes: float | None = None
    memory_limit_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """Outcomes of the signals so far.

    Attributes:
        attempted: signals that the swarm has journaled.
        simulated: signals seen in SIMULATED.
        final: signals seen in any final state.
        oldest_open_ns: time since the oldest signal was due that is not final, whether under way,
            refused or lost; None when all are final.
        latency: of all signals that reached SIMULATED: those measured, or those of the warm-up
            as long as there are no others.
        by_mode: the same of each mode that has a signal.
        buckets: latencies by phase and mode.
    """

    attempted: int = 0
    simulated: int = 0
    final: int = 0
    oldest_open_ns: int | None = None
    latency: Percentiles = Percentiles()
    by_mode: tuple[tuple[str, Percentiles], ...] = ()
    buckets: tuple[LatencyBuckets, ...] = ()
