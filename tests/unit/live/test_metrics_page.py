"""The Prometheus page, read back by Prometheus's own parser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.clock import ManualClock
from harness.run.live.exporter import Exporter
from harness.run.parts import Progress
from tests.unit.live.snapshots import RUN_INFO, full_snapshot

Labels = Mapping[str, str]


def body(exporter: Exporter) -> str:
    """The page as a reader gets it."""
    statuses: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics"}
    parts = exporter.app(environ, lambda status, _: statuses.append(status))
    assert statuses == ["200 OK"]
    return b"".join(parts).decode()


def samples(exporter: Exporter) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by name and labels; each may be there once only."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(body(exporter)):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(exporter: Exporter, name: str, **labels: str) -> float:
    """One sample."""
    return samples(exporter)[f"harness_{name}", frozenset(labels.items())]


@pytest.fixture
def exporter() -> Exporter:
    """A page in the middle of a run."""
    made = Exporter(ManualClock(wall_ns=1_700_000_000_250_000_000))
    made.begin(RUN_INFO)
    made.show(full_snapshot())
    return made


def test_page_has_every_figure_of_the_snapshot(exporter: Exporter) -> None:
    """In seconds, distinguished by labels."""
    assert value(exporter, "phase", phase="measure") == 1
    assert value(exporter, "phase", phase="warmup") == 0
    assert value(exporter, "elapsed_seconds") == 12
    assert value(exporter, "load_seconds") == 35
    assert value(exporter, "intended_per_second") == 100
    assert value(exporter, "sent_per_second") == 98.5
    counts = {
        name: value(exporter, f"signals_{name}_total")
        for name in (
            *("due", "sent", "accepted", "refused", "unknown"),
            *("simulated", "rejected", "final"),
        )
    }
    assert counts == {
        "due": 415,
        "sent": 412,
        "accepted": 409,
        "refused": 2,
        "unknown": 1,
        "simulated": 401,
        "rejected": 3,
        "final": 404,
    }
    assert value(exporter, "backlog_signals") == 6
    assert value(exporter, "oldest_open_seconds") == 0.25
    assert value(exporter, "lateness_max_seconds") == 0.003
    assert value(exporter, "latency_quantile_seconds", mode="all", quantile="0.99") == 0.594
    assert value(exporter, "service_restarts_total", service="engine") == 2
    assert value(exporter, "events_total", kind="service_restarted") == 2
    assert value(exporter, "service_cpu_cores", service="engine") == 3.5
    assert value(exporter, "service_cpu_limit_cores", service="engine") == 4
    assert value(exporter, "snapshot_timestamp_seconds") == 1_700_000_000.25


def test_histogram_is_cumulative_and_has_the_limit_as_a_bound(exporter: Exporter) -> None:
    """The share of signals within 500 ms is exact, per mode and phase."""
    lite = {"phase": "measure", "mode": "lite"}
    bounds = {
        dict(labels)["le"]: number
        for (name, labels), number in samples(exporter).items()
        if name == "harness_latency_seconds_bucket" and dict(labels)["mode"] == "lite"
    }
    counts = [bounds[bound] for bound in sorted(bounds, key=float)]
    assert counts == sorted(counts)
    within = sum(1 <= latency <= 500 for latency in (1 + 599 * n / 399 for n in range(400)))
    assert bounds["0.5"] == within
    assert bounds["+Inf"] == value(exporter, "latency_seconds_count", **lite) == 400
    assert value(exporter, "latency_seconds_sum", **lite) == pytest.approx(400 * 0.3005, rel=0.01)
    assert value(exporter, "latency_seconds_count", phase="measure", mode="full") == 1


def test_run_and_its_objectives_are_named(exporter: Exporter) -> None:
    """The objective's limit is there to draw a line at."""
    assert value(
        exporter,
        "objective_limit_seconds",
        objective="p99 < 500 ms",
        metric="latency",
        mode="all",
        quantile="0.99",
    ) == pytest.approx(0.5)
    assert value(
        exporter, "objective_limit_ratio", objective="rejected < 1 %", metric="rejected"
    ) == pytest.approx(0.01)
    info = next(dict(labels) for name, labels in samples(exporter) if name == "harness_run_info")
    assert (info["run_id"], info["scenario"]) == (RUN_INFO.run_id, "smoke")
    assert (info["seed"], info["stack"]) == ("7", "process")


def test_before_the_first_snapshot_there_is_a_page(exporter: Exporter) -> None:
    """A stack needs time to start; unknown figures are not shown."""
    fresh = Exporter(ManualClock())
    assert "harness_phase" not in body(fresh)
    fresh.begin(RUN_INFO)
    assert "harness_run_info" in body(fresh)
    assert "harness_signals" not in body(fresh)


def test_next_run_begins_anew_and_verdicts_add_up(exporter: Exporter) -> None:
    """`--repeat` has one page; figures of a run are not shown as those of the next."""
    exporter.judged("PASS")
    exporter.begin(RUN_INFO)
    assert "harness_signals_sent_total" not in body(exporter)
    exporter.show(Progress(phase="start", elapsed_ns=0, total_ns=1))
    exporter.judged("FAIL")
    exporter.begin(RUN_INFO)
    exporter.judged("PASS")
    assert value(exporter, "runs_judged_total", verdict="PASS") == 2
    assert value(exporter, "runs_judged_total", verdict="FAIL") == 1


def test_the_page_states_its_cost() -> None:
    """Processor time of its own threads, counted from the second reading on."""
    now_ns = iter(range(0, 10**12, 3_000_000))
    exporter = Exporter(ManualClock(), spent_ns=lambda: next(now_ns))
    body(exporter)
    body(exporter)
    assert value(exporter, "scrapes_total") == 2
    assert exporter.cost.cpu_ns == 9_000_000


def test_the_docs_list_every_metric(exporter: Exporter) -> None:
    """And no other."""
    root = Path(__file__).resolve().parents[3]
    rows = [
        row.split("|")[1]
        for row in (root / "docs" / "live.md").read_text(encoding="utf-8").splitlines()
        if row.startswith("| `harness_")
    ]
    documented: set[str] = set()
    for row in rows:
        names = re.findall(r"`(\w+)`", row)
        documented |= {
            name if name.startswith("harness_") else f"harness_signals{name}" for name in names
        }
    exporter.judged("PASS")
    served = {
        re.sub(r"_(bucket|sum|count)$", "", name) if "latency" in name else name
        for name, _ in samples(exporter)
    }
    assert documented == served
