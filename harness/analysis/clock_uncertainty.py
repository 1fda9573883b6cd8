"""How well clocks are known, and which stages are shorter than that."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.clock_map import ClockMap
from harness.analysis.latency_breakdown import LatencyBreakdown
from harness.analysis.measurement import ClockFigures
from harness.analysis.resources.self_monitoring import HOST
from harness.analysis.run_analysis import RunAnalysis
from harness.clock import NS_PER_US

# Cuts stamped by PostgreSQL's clock; the others are taken on the host's.
_SERVER_CUTS = frozenset({"INIT committed", "SIMULATED committed"})


def clock_figures(gathered: RunAnalysis) -> Iterator[ClockFigures]:
    """Each server's clock, and at the end the host's own wall clock where it was looked at."""
    samples = gathered.vitals.samples
    host = ClockMap([sample.probe for sample in samples]) if samples else None
    first_ns, last_ns = gathered.schedule.sent_ns or (gathered.timeline.end_ns,) * 2
    for server, clock in gathered.clocks.items():
        yield _figures(server, clock, host, first_ns, last_ns)
    if host is not None:
        yield _figures(HOST, host, host, first_ns, last_ns)


def _figures(
    name: str, clock: ClockMap, host: ClockMap | None, first_ns: int, last_ns: int
) -> ClockFigures:
    facts, times = clock.facts, clock.probed_ns
    before = sum(time <= first_ns for time in times)
    after = sum(time >= last_ns for time in times)
    return ClockFigures(
        server=name,
        probes=facts.probes,
        before=before,
        during=facts.probes - before - after,
        after=after,
        kept=facts.kept,
        offset_ns=facts.offset_ns,
        error_ns=facts.error_ns,
        # Both offsets are monotonic minus Unix time.
        ahead_ns=host.facts.offset_ns - facts.offset_ns if host is not None else None,
        drift_ppm=facts.drift_ppm,
        drift_error_ppm=facts.drift_error_ppm,
        steps=facts.steps,
        step_max_ns=facts.step_max_ns,
    )


def uncertain_stages(split: LatencyBreakdown, error_ns: int) -> Iterator[str]:
    """Stages between two clocks that last no longer than the clocks are known to.

    Args:
        split: the stages.
        error_ns: largest error of PostgreSQL's stamps on the host's clock. A stage that begins
            and ends with such a stamp is taken on one clock and does not suffer from it.
    """
    for stage in split.stages:
        if (stage.start in _SERVER_CUTS) == (stage.end in _SERVER_CUTS):
            continue
        histogram = stage.histogram
        median_ns = histogram.percentile_ns(50) or 0
        mean_ns = histogram.sum_ns / histogram.count
        if min(abs(median_ns), abs(mean_ns)) < error_ns:
            yield (
                f"'{stage.start} -> {stage.end}' lies between two clocks and is known only to"
                f" +-{_us(error_ns)}; its median is {_us(median_ns)}, its mean {_us(mean_ns)}"
            )


def _us(value_ns: float) -> str:
    return f"{value_ns / NS_PER_US:,.0f} us"
