"""Counters of the services on their Prometheus pages: signals by status and mode.

Writes `metrics.json`: the counts before the load, and after the drain.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.evidence.atomic_files import write_json
from harness.http_client import HttpClient
from harness.telemetry.prometheus_page import parse_families, read_page

FAMILY = "defi_signals_total"
_LABELS = ("status", "mode")
_TIMEOUT_S = 2.0
_PAGE_BYTES_MAX = 8 << 20
# A page of that size takes about a second.
_PARSE_MAX_S = 10.0
# A service counts a signal after its commit, so a count may come later than what it counts.
_SETTLE_NS = NS_PER_S
_AGAIN_NS = 100 * NS_PER_MS

PageCounters = dict[str, Any]


class ServiceCountersReader:
    """The pages of all services, before and after the load.

    A page that cannot be read is written as an error and ends nothing.

    Args:
        urls: pages by service.
        path: where `metrics.json` goes.
        clock: for the time between two reads.
    """

    def __init__(self, urls: Mapping[str, str], path: Path, clock: Clock) -> None:
        self._urls = urls
        self._path = path
        self._clock = clock
        self._before: dict[str, PageCounters] = {}

    def begin(self) -> None:
        """Read all pages before the load."""
        self._before = {name: scrape_counters(url) for name, url in self._urls.items()}

    def end(self, final: int) -> None:
        """Read all pages after the load until they count every final signal; write both reads.

        Args:
            final: signals that the observer saw in a final state.

        Raises:
            EvidenceError: the file cannot be written.
        """
        after = {name: scrape_counters(url) for name, url in self._urls.items()}
        counting = [name for name, page in after.items() if page.get("signals")]
        deadline_ns = self._clock.now_ns() + _SETTLE_NS
        while (
            counting
            and _total(after) - _total(self._before) < final
            and self._clock.now_ns() < deadline_ns
        ):
            self._clock.sleep_ns(_AGAIN_NS)
            after |= {name: scrape_counters(self._urls[name]) for name in counting}
        write_json(self._path, {"before": self._before, "after": after})


def scrape_counters(url: str) -> PageCounters:
    """The counts of one page.

    Returns:
        `signals`, a list of `status`, `mode` and `count`, or None if the page has no such counts;
        or `error`, why it cannot be read.
    """
    try:
        with HttpClient(url, _TIMEOUT_S, _PAGE_BYTES_MAX) as client:
            return {"signals": parse_signal_counts(read_page(client))}
    except (OSError, ValueError) as error:
        return {"error": str(error) or type(error).__name__}


def parse_signal_counts(text: str) -> list[dict[str, Any]] | None:
    """Signals by status and mode on a page; None if it has no such counts.

    Raises:
        ValueError: it is no Prometheus page.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for family in parse_families(text.split("\n"), cpu_max_s=_PARSE_MAX_S):
        for sample in family.samples:
            if sample.name == FAMILY and all(label in sample.labels for label in _LABELS):
                if not math.isfinite(sample.value):
                    raise ValueError(f"{FAMILY} counts {sample.value} signals")
                counts[sample.labels["status"], sample.labels["mode"]] += int(sample.value)
    if not counts:
        return None
    return [
        {"status": status, "mode": mode, "count": count}
        for (status, mode), count in sorted(counts.items())
    ]


def _total(pages: Mapping[str, PageCounters]) -> int:
    return sum(row["count"] for page in pages.values() for row in page.get("signals") or ())
