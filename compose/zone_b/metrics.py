"""The engine's metrics.

Workers write to files of a shared folder, the main process adds them up. Import this module only
after `PROMETHEUS_MULTIPROC_DIR` is set, or where there is one process only.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_MS_BUCKETS = (
    0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000,
    2000, 5000, 10000,
)  # fmt: skip
_NS_PER_MS = 1e6

# Nothing is served from here; the main process collects from the files.
_REGISTRY = CollectorRegistry()

TRANSITION = Histogram(
    "defi_fsm_transition_duration_ms",
    "Time from one step of a signal to the next, in ms",
    ["transition", "mode"],
    buckets=_MS_BUCKETS,
    registry=_REGISTRY,
)
RPC = Histogram(
    "defi_rpc_request_duration_ms",
    "Time that a node took to answer, in ms",
    ["node"],
    buckets=_MS_BUCKETS,
    registry=_REGISTRY,
)
LAG = Gauge(
    "defi_watermark_lag_blocks",
    "Blocks that the head was past the signal read last",
    registry=_REGISTRY,
    multiprocess_mode="livemostrecent",
)
POOL = Gauge(
    "defi_db_pool_active_connections",
    "Connections to PostgreSQL that are in use",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
STATEDB = Counter(
    "defi_statedb_lookups",
    "Lite simulations by whether the state of their block was loaded",
    ["outcome"],
    registry=_REGISTRY,
)
SIGNALS = Counter(
    "defi_signals",
    "Signals that reached their end, by status and mode",
    ["status", "mode"],
    registry=_REGISTRY,
)
REJECTIONS = Counter(
    "defi_rejections",
    "Rejected signals by status and detail",
    ["status", "detail"],
    registry=_REGISTRY,
)
DUPLICATES = Counter(
    "defi_duplicates", "Signals delivered again after their end", registry=_REGISTRY
)
RECOVERED = Counter(
    "defi_recovered", "Pending entries claimed from dead or stuck workers", registry=_REGISTRY
)
TRIMMED = Counter(
    "defi_trimmed", "Pending entries that were trimmed from the stream unread", registry=_REGISTRY
)
UNREADABLE = Counter(
    "defi_unnamed", "Entries without a readable trace id; acknowledged, no row", registry=_REGISTRY
)
BATCH = Histogram(
    "defi_batch_signals",
    "Signals that a worker took at once",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
    registry=_REGISTRY,
)


def observe_transition(transition: str, mode: str, duration_ns: int) -> None:
    """Record how long a step took."""
    child = _CHILDREN.get((transition, mode))
    if child is None:  # labels() costs more than observe()
        child = _CHILDREN.setdefault((transition, mode), TRANSITION.labels(transition, mode))
    child.observe(duration_ns / _NS_PER_MS)


_CHILDREN: dict[tuple[str, str], Histogram] = {}


class _HitRatio(Collector):
    """Hits over lookups of all workers: a ratio cannot be added up from files."""

    def __init__(self, counters: MultiProcessCollector) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        counts = {
            sample.labels["outcome"]: sample.value
            for metric in self._counters.collect()  # type: ignore[no-untyped-call] # the package's own gap
            if metric.name == "defi_statedb_lookups"
            for sample in metric.samples
            if sample.name.endswith("_total")
        }
        total = sum(counts.values())
        yield GaugeMetricFamily(
            "defi_statedb_cache_hit_ratio",
            "Share of lite simulations that found the state of their block loaded",
            value=counts.get("hit", 0.0) / total if total else 0.0,
        )


def shared_registry(folder: str) -> CollectorRegistry:
    """The sum of all workers, read anew at each collection.

    Args:
        folder: value of `PROMETHEUS_MULTIPROC_DIR`.
    """
    registry = CollectorRegistry()
    # It registers itself.
    counters = MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call] # its gap
    registry.register(_HitRatio(counters))
    return registry
