"""Prometheus pages: the figures that the official client writes are the ones that are read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from harness.analysis.resources.telemetry import Telemetry
from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.sources.pages import PageParser

LABELS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x85\u2028\u2029"))


def series_of(*pages: bytes, service: str = "engine") -> Telemetry:
    """The tracks of pages that are read a second apart."""
    lines: list[str] = []
    batch, parser = SampleBatch("pages", lines.append), PageParser(service)
    for number, page in enumerate(pages):
        parser.parse_into(page.decode(), batch)
        batch.end((number + 1) * NS_PER_S)
    return read_telemetry("".join(lines).split("\n")[:-1], 0)


def test_each_kind_of_figure() -> None:
    """Gauges as they are, counters as rates, histograms as mean and rate; nothing of others."""
    registry = CollectorRegistry()
    gauge = Gauge("defi_lag_blocks", "x", registry=registry)
    counter = Counter("defi_signals", "x", ["status", "mode"], registry=registry)
    histogram = Histogram("defi_step_ms", "x", ["mode"], registry=registry)
    Gauge("process_open_fds", "x", registry=registry).set(3)
    gauge.set(2)
    counter.labels("DONE", "lite").inc(5)
    histogram.labels("lite").observe(10)
    first = generate_latest(registry)
    gauge.set(4)
    counter.labels("DONE", "lite").inc(7)
    for value in (20, 40):
        histogram.labels("lite").observe(value)
    found = series_of(first, generate_latest(registry)).time_series
    assert {name: track.values for name, track in found.items()} == {
        "page.engine.defi_lag_blocks": (2.0, 4.0),
        "page.engine.defi_signals{mode=lite,status=DONE}.per_s": (7.0,),
        "page.engine.defi_step_ms{mode=lite}.mean": (30.0,),
        "page.engine.defi_step_ms{mode=lite}.per_s": (2.0,),
    }


def test_nodes_have_tracks_of_their_own() -> None:
    """Answers, those beyond the limit, and calls without one, by node."""
    registry = CollectorRegistry()
    times = Histogram(
        "defi_rpc_request_duration_ms", "x", ["node"], buckets=(50, 100, 200), registry=registry
    )
    failures = Counter("defi_rpc_failures", "x", ["node", "reason"], registry=registry)
    times.labels("first").observe(1)
    failures.labels("first", "timeout").inc()
    failures.labels("first", "refused").inc()
    before = generate_latest(registry)
    for value in (20, 100, 180):
        times.labels("first").observe(value)
    failures.labels("first", "refused").inc()
    found = series_of(before, generate_latest(registry)).time_series
    assert {name: track.values for name, track in found.items()} == {
        "rpc.first.failures_per_s": (1.0,),
        "rpc.first.mean_ms": (100.0,),
        "rpc.first.requests_per_s": (3.0,),
        "rpc.first.slow_share": (1 / 3,),
    }
    assert found["rpc.first.mean_ms"].limit == 100


@given(st.dictionaries(LABELS, st.floats(allow_nan=True), max_size=5))
def test_any_label_and_value(figures: dict[str, float]) -> None:
    """What the official client writes is read, whatever stands in a label."""
    registry = CollectorRegistry()
    gauge = Gauge("defi_any", "x", ["of"], registry=registry)
    for label, value in figures.items():
        gauge.labels(label).set(value)
    found = series_of(generate_latest(registry))
    finite = sorted(value for value in figures.values() if abs(value) < float("inf"))
    assert sorted(track.values[0] for track in found.time_series.values()) == finite
    assert found.invalid_lines == 0
