"""Made-up snapshots of a run under way."""

from __future__ import annotations

import numpy as np

from harness.clock import NS_PER_MS, NS_PER_S, ManualClock
from harness.evidence.records import Mode
from harness.evidence.run_documents import RunEvent
from harness.run.live.exporter import Exporter
from harness.run.live.latency_histogram import LiveLatencyHistogram
from harness.run.live.metrics_page import RunInfo
from harness.run.live.summary import LiveSummary, Percentiles, ServiceUsage
from harness.run.parts import Progress
from harness.scenario import parse_objective

RUN_INFO = RunInfo(
    run_id="20261124-120000-smoke-abcd",
    scenario="smoke",
    seed=7,
    stack="process",
    objectives=tuple(
        parse_objective(text)
        for text in ("p99 < 500 ms", "lite p99.9 < 80 ms", "rejected < 1 %", "recovery < 15 s")
    ),
)


def page_text(progress: Progress | None) -> str:
    """The page of a run with this snapshot."""
    exporter = Exporter(ManualClock(wall_ns=1_700_000_000_250_000_000))
    exporter.begin(RUN_INFO)
    if progress is not None:
        exporter.show(progress)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics"}
    return b"".join(exporter.app(environ, lambda *_: None)).decode()


def summary_of(count: int = 400) -> LiveSummary:
    """This number of lite signals of 1 to 600 ms, and one full signal of 700 ms."""
    histogram = LiveLatencyHistogram([(NS_PER_S, 100 * NS_PER_S)])
    latencies = np.linspace(NS_PER_MS, 600 * NS_PER_MS, count).astype(np.int64)
    intended = np.full(count, 2 * NS_PER_S)
    histogram.add(intended, np.full(count, Mode.LITE), latencies)
    histogram.add(intended[:1], np.full(1, Mode.FULL), np.full(1, 700 * NS_PER_MS))
    return LiveSummary(
        simulated=count + 1,
        final=count + 4,
        oldest_open_ns=250 * NS_PER_MS,
        latency=Percentiles(300 * NS_PER_MS, 594 * NS_PER_MS),
        by_mode=(
            ("lite", Percentiles(300 * NS_PER_MS, 594 * NS_PER_MS)),
            ("full", Percentiles()),
        ),
        buckets=histogram.buckets(),
    )


def full_snapshot() -> Progress:
    """A snapshot in which every field has a value."""
    return Progress(
        phase="measure",
        elapsed_ns=12 * NS_PER_S,
        total_ns=35 * NS_PER_S,
        due=415,
        sent=412,
        accepted=409,
        refused=2,
        unknown=1,
        backlog=6,
        agents=50,
        rate_intended=100.0,
        rate_sent=98.5,
        lateness_max_ns=3 * NS_PER_MS,
        summary=summary_of(),
        restarts=(("engine", 2),),
        events=(
            RunEvent(
                kind="service_restarted",
                what="engine ended with -9 and was restarted (restart 1)",
                mono_ns=1,
            ),
            RunEvent(
                kind="service_restarted",
                what="engine ended with -9 and was restarted (restart 2)",
                mono_ns=2,
            ),
            RunEvent(kind="aborted", what="p99 < 500 ms: made up", mono_ns=3),
        ),
        usage=(
            ServiceUsage("engine", 3.5, 4.0, 2.5e8, 8 * 2.0**30),
            ServiceUsage("redis", 0.12, None, 9e6, None),
        ),
    )
