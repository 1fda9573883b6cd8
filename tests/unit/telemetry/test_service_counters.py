"""Pages of services: what is read of them, when again, and what of a page that is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from harness.clock import NS_PER_S, ManualClock
from harness.telemetry.service_counters import (
    ServiceCountersReader,
    parse_signal_counts,
    scrape_counters,
)


def text_of(lite: int, full: int = 0) -> str:
    """A page with these counts, and another metric."""
    return (
        "# HELP defi_signals_total Signals\n# TYPE defi_signals_total counter\n"
        f'defi_signals_total{{mode="lite",status="SIMULATED"}} {lite}.0\n'
        f'defi_signals_total{{mode="full",status="SIMULATED"}} {full}.0\n'
        "# TYPE up gauge\nup 1.0\n"
    )


@contextmanager
def service(*pages: str, code: int = 200) -> Iterator[tuple[str, list[str]]]:
    """Serves the pages one after the other, the last one for ever; yields URL and paths asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages[min(len(asked), len(pages) - 1)].encode()
            asked.append(self.path)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden name
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/metrics", asked
        finally:
            server.shutdown()
            thread.join()


def written(path: Path) -> dict[str, dict[str, dict[str, object]]]:
    """The file."""
    found: dict[str, dict[str, dict[str, object]]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_counts_that_come_late_are_waited_for(tmp_path: Path) -> None:
    """The page is read until it counts what was seen final, and what was before is subtracted."""
    clock, path = ManualClock(), tmp_path / "metrics.json"
    with service(text_of(5), text_of(8), text_of(9, 1), text_of(99)) as (url, asked):
        pages = ServiceCountersReader({"engine": url}, path, clock)
        pages.begin()
        pages.end(5)
    assert asked == ["/metrics"] * 3
    after = written(path)["after"]["engine"]["signals"]
    assert after == [
        {"status": "SIMULATED", "mode": "full", "count": 1},
        {"status": "SIMULATED", "mode": "lite", "count": 9},
    ]


def test_counts_that_never_come_are_not_waited_for_longer(tmp_path: Path) -> None:
    """A second; then the counts are written as they are."""
    clock, path = ManualClock(), tmp_path / "metrics.json"
    with service(text_of(5)) as (url, _):
        pages = ServiceCountersReader({"engine": url}, path, clock)
        pages.begin()
        pages.end(1)
    assert clock.now_ns() == NS_PER_S
    assert written(path)["before"] == written(path)["after"]


def test_services_that_do_not_count_cost_no_time(tmp_path: Path) -> None:
    """A page without such counts, one that is no page, and one that does not exist."""
    clock, path = ManualClock(), tmp_path / "metrics.json"
    with service("up 1\n") as (countless, _), service("<html>{", code=404) as (none, _):
        urls = {"countless": countless, "none": none, "gone": "http://127.0.0.1:9/metrics"}
        pages = ServiceCountersReader(urls, path, clock)
        pages.begin()
        pages.end(3)
    assert clock.now_ns() == 0
    found = written(path)["after"]
    assert found["countless"] == {"signals": None}
    assert found["none"] == {"error": "HTTP 404"}
    assert set(found["gone"]) == {"error"}


@pytest.mark.parametrize("text", ["<html>{", 'defi_signals_total{status="a",mode="b"} NaN\n'])
def test_a_page_that_is_none_is_an_error(text: str) -> None:
    """It ends nothing, and has a reason."""
    with service(text) as (url, _):
        assert set(scrape_counters(url)) == {"error"}


def test_replicas_of_a_label_set_add_up_and_other_labels_do_not_count() -> None:
    """Counts may have more labels; without status and mode they do not count."""
    assert parse_signal_counts("defi_signals_total 4\n") is None
    text = "".join(
        f'defi_signals_total{{status="SIMULATED",mode="lite",worker="{n}"}} 2\n' for n in (1, 2)
    )
    assert parse_signal_counts(text) == [{"status": "SIMULATED", "mode": "lite", "count": 4}]
