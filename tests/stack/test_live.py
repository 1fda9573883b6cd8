"""One real run that is looked at while it is under way: by Prometheus, and from other shells."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.clock import NS_PER_S
from harness.errors import Exit
from harness.evidence.run_folder import RunFolder
from harness.stack.ports import free_port
from tests.stack.running import ROOT, RUN_MAX_S, Started, start

pytestmark = pytest.mark.stack
RATE, SECONDS = 50, 8


@dataclass
class Watched:
    """What was seen of one run.

    Attributes:
        pages: its metrics page, as often as it was read.
        exit_code: of the run.
        result: its `result.json`.
        watchers: exit code and output of each `harness watch`.
    """

    pages: list[str]
    exit_code: int
    result: dict[str, Any]
    watchers: dict[str, tuple[int, str]] = field(default_factory=dict)

    def values(self, number: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Counters of a page, and what else only ever grows."""
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.pages[number])
            if family.type in {"counter", "histogram"}
            for sample in family.samples
        }


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A short run with a metrics page, and two processes that watch it."""
    reports = tmp_path_factory.mktemp("reports")
    port = free_port()
    options = ("--metrics-port", str(port))
    run = start(reports, SECONDS, agents=10, rate=RATE, options=options)
    watchers: dict[str, subprocess.Popen[str]] = {}
    try:
        await_folder(run)
        watchers["folder"] = watch("latest", reports)
        watchers["interrupted"] = watch(run.folder().name, reports)
        interrupt = threading.Thread(
            target=interrupt_once_it_watches, args=(watchers["interrupted"],)
        )
        interrupt.start()
        pages = read_until_the_end(run, port)
        run.process.communicate(timeout=RUN_MAX_S)
        folder = RunFolder.open(run.folder())
        found = Watched(
            pages, run.process.returncode, json.loads(folder.result.read_text(encoding="utf-8"))
        )
        interrupt.join(RUN_MAX_S)
        for name, watcher in watchers.items():
            output, _ = watcher.communicate(timeout=30)
            found.watchers[name] = (watcher.returncode, output)
        yield found
    finally:
        for process in (run.process, *watchers.values()):
            process.kill()
            process.wait()


def await_folder(run: Started) -> None:
    """Wait until there is a run to be watched; its stack is about to start."""
    deadline = time.monotonic() + RUN_MAX_S
    while not list(run.reports.glob("*/journal")):
        assert run.process.poll() is None, run.process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def watch(target: str, reports: Path) -> subprocess.Popen[str]:
    """`harness watch` in another shell."""
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "watch", target, "--reports", str(reports)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


def interrupt_once_it_watches(watcher: subprocess.Popen[str]) -> None:
    """Ctrl-C, some time after its first words."""
    assert watcher.stdout is not None
    if watcher.stdout.readline():
        time.sleep(1)
        watcher.send_signal(signal.SIGINT)


def read_until_the_end(run: Started, port: int) -> list[str]:
    """The page four times a second."""
    pages: list[str] = []
    deadline = time.monotonic() + RUN_MAX_S
    while run.process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/metrics")
            pages.append(connection.getresponse().read().decode())
        except (OSError, http.client.HTTPException):
            continue  # the process is about to end
        finally:
            connection.close()
        time.sleep(0.25)
    return pages


def test_what_only_grows_grows(watched: Watched) -> None:
    """Counters and buckets of every page are at least those of the page before."""
    assert len(watched.pages) > SECONDS
    pages = [watched.values(number) for number in range(len(watched.pages))]
    for before, after in pairwise(pages):
        assert before.keys() <= after.keys()
        for name, value in before.items():
            assert after[name] >= value, name


def test_phases_come_in_order(watched: Watched) -> None:
    """And the page is there until the run is judged."""
    found = [re.search(r'harness_phase{phase="(\w+)"} 1', page) for page in watched.pages]
    phases = list(dict.fromkeys(phase[1] for phase in found if phase is not None))
    order = ["start", "warmup", "measure", "drain", "finish"]
    assert phases == [phase for phase in order if phase in phases]
    assert {"measure", "finish"} <= set(phases)


def test_last_page_is_the_account(watched: Watched) -> None:
    """What was shown last is what is judged: all counts, and the latencies that are measured."""
    account = watched.result["measurement"]["account"]
    values = {
        (name, *sorted(dict(labels).values())): value
        for (name, labels), value in watched.values(-1).items()
    }
    attempted = values["harness_signals_sent_total",]
    assert attempted == account["attempted"] == values["harness_signals_due_total",]
    assert values["harness_signals_simulated_total",] == account["simulated"] > 0
    assert values["harness_signals_rejected_total",] == account["rejected"]
    assert values["harness_signals_refused_total",] == account["refused"]
    assert values["harness_signals_accepted_total",] == attempted - account["refused"]
    measured = next(
        figures
        for figures in watched.result["measurement"]["figures"]
        if (figures["metric"], figures["phase"]) == ("latency", "measure")
    )
    assert values["harness_latency_seconds_count", "lite", "measure"] == measured["count"]
    gauges = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(watched.pages[-1])
        for sample in family.samples
    }
    assert gauges["harness_backlog_signals",] == 0
    p50_s = gauges["harness_latency_quantile_seconds", "0.5", "all"]
    assert p50_s == pytest.approx(measured["percentiles_ns"]["p50"] / NS_PER_S, rel=0.02)


def test_who_watches_sees_the_run_and_its_verdict(watched: Watched) -> None:
    """It shows the run's figures and ends as the run did."""
    exit_code, output = watched.watchers["folder"]
    assert exit_code == watched.exit_code, output
    assert f" {watched.result['verdict']} " in output
    assert re.search(r"sent \d.* P50 \d", output), output


def test_who_stops_to_watch_stops_nothing_else(watched: Watched) -> None:
    """Ctrl-C ends it without a failure; the run has its verdict all the same."""
    exit_code, output = watched.watchers["interrupted"]
    assert exit_code == Exit.PASS, output
    assert "the run goes on" in output
    assert "Traceback" not in output
    checks = {check["id"]: check for check in watched.result["judgement"]["checks"]}
    assert checks["unplanned_events"]["status"] == "PASS"
