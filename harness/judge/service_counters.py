"""`metrics.json`: signals by status and mode, as the services count them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import EvidenceError
from harness.evidence.run_folder import RunFolder
from harness.evidence.strict_json import MALFORMED

SignalCounts = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class CounterPage:
    """The counts of one service at one time.

    Attributes:
        signals: so many by status and mode; None if it has no such counter.
        error: why its page could not be read; empty if it could.
    """

    signals: SignalCounts | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class ServiceCounters:
    """Pages by service: before the load, and after the drain."""

    before: Mapping[str, CounterPage]
    after: Mapping[str, CounterPage]


def read_service_counters(folder: RunFolder) -> ServiceCounters | None:
    """Read `metrics.json`; None where there is none.

    Raises:
        EvidenceError: it is there and cannot be understood.
    """
    if not folder.metrics.exists():
        return None
    document = folder.read_json(folder.metrics)
    try:
        return ServiceCounters(_pages(document["before"]), _pages(document["after"]))
    except MALFORMED as error:
        raise EvidenceError(
            f"cannot be understood: {error!r}", where=str(folder.metrics)
        ) from error


def _pages(document: Mapping[str, Mapping[str, Any]]) -> dict[str, CounterPage]:
    return {name: _page(page) for name, page in document.items()}


def _page(page: Mapping[str, Any]) -> CounterPage:
    if "error" in page:
        return CounterPage(error=str(page["error"]))
    rows = page["signals"]
    if rows is None:
        return CounterPage()
    return CounterPage({(str(row["status"]), str(row["mode"])): int(row["count"]) for row in rows})
