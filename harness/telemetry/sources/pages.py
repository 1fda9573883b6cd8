"""The Prometheus pages of all services, over connections that stay open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from prometheus_client import Metric
from prometheus_client.samples import Sample

from harness.clock import NS_PER_S, Clock
from harness.http_client import HttpClient
from harness.telemetry.prometheus_page import parse_families, read_page
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.source import Source, SourceContext, telemetry_source

PREFIX = "defi_"
RPC_TIMES = "defi_rpc_request_duration_ms"
RPC_FAILURES = "defi_rpc_failures"
# Specified: a node that has not answered by then is passed over for the next one.
RPC_LIMIT_MS = 100.0

_TIMEOUT_S = 0.5
_PAGE_BYTES_MAX = 4 << 20
# The page of an engine with 450 lines takes about 2 ms; a larger one must not use up the host.
_PARSE_MAX_S = 0.1
# A page that could not be read is skipped for this long: waiting for it delays the others.
_RETRY_NS = 5 * NS_PER_S
_TYPE = "# TYPE "
_OF_SUMS = ("histogram", "summary")

NodeName = Callable[[str], str]


class PageSampler(Source):
    """Samples every page.

    Args:
        urls: pages by service.
        clock: when to try again.
    """

    def __init__(self, urls: Mapping[str, str], clock: Clock) -> None:
        # A node belongs to the service that names it first: each service asks it from its place.
        self._owners: dict[str, str] = {}
        self._pages = [
            _Page(name, url, PageParser(name, partial(self._node_name, name)))
            for name, url in urls.items()
        ]
        self._clock = clock

    def sample(self, batch: SampleBatch) -> None:
        """Each page now."""
        batch.unread("pages", None if self._pages else "no page of a service is known")
        for page in self._pages:
            if self._clock.now_ns() < page.retry_ns:
                continue
            try:
                page.parser.parse_into(page.read(), batch)
            except (OSError, ValueError) as error:
                page.close()
                page.retry_ns = self._clock.now_ns() + _RETRY_NS
                batch.unread(f"page.{page.service}", str(error) or type(error).__name__)
            else:
                batch.unread(f"page.{page.service}", None)

    def close(self) -> None:
        """Release all connections."""
        for page in self._pages:
            page.close()

    def _node_name(self, service: str, node: str) -> str:
        is_owner = self._owners.setdefault(node, service) == service
        return node if is_owner else f"{node}@{service}"


@telemetry_source("pages")
def make_pages(context: SourceContext) -> PageSampler:
    """The pages of the plan."""
    return PageSampler(context.plan.metrics_urls, context.clock)


@dataclass(slots=True)
class _Page:
    service: str
    url: str
    parser: PageParser
    retry_ns: int = 0
    _client: HttpClient | None = None

    def read(self) -> str:
        if self._client is None:
            self._client = HttpClient(self.url, _TIMEOUT_S, _PAGE_BYTES_MAX)
        return read_page(self._client)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _figures() -> dict[str, float]:
    return defaultdict(float)


@dataclass(slots=True)
class _Figures:
    """The figures of one page, by name; `fast` counts the answers within `RPC_LIMIT_MS`."""

    sums: dict[str, float] = field(default_factory=_figures)
    counts: dict[str, float] = field(default_factory=_figures)
    fast: dict[str, float] = field(default_factory=_figures)
    gauges: dict[str, float] = field(default_factory=dict)
    counters: dict[str, float] = field(default_factory=_figures)

    def write_to(self, batch: SampleBatch) -> None:
        for name, value in self.gauges.items():
            batch.gauge(name, value)
        for name, value in self.counters.items():
            batch.total(name, value)
        for name, count in self.counts.items():
            is_node = name.startswith("rpc.")
            if name in self.sums:
                batch.mean(f"{name}.mean_ms" if is_node else f"{name}.mean", self.sums[name], count)
            batch.total(f"{name}.requests_per_s" if is_node else f"{name}.per_s", count)
            if is_node:
                batch.limit(f"{name}.mean_ms", RPC_LIMIT_MS, "specified")
            if name in self.fast:
                batch.share(f"{name}.slow_share", count - self.fast[name], count)
                batch.limit(f"{name}.slow_share", 1, "")


class PageParser:
    """Parses the pages of one service.

    Args:
        service: its name.
        node_name: name of a node in time series, by its label.
    """

    def __init__(self, service: str, node_name: NodeName = str) -> None:
        self._prefix = f"page.{service}"
        self._node_name = node_name

    def parse_into(self, page: str, batch: SampleBatch) -> None:
        """Put every figure whose name begins with `PREFIX` into the batch.

        Raises:
            ValueError: see `parse_families`.
        """
        figures = _Figures()
        try:
            for family in parse_families(_wanted_lines(page), cpu_max_s=_PARSE_MAX_S):
                for sample in family.samples:
                    self._add(figures, family, sample)
        except OverflowError as error:
            raise ValueError("a figure is too large") from error
        figures.write_to(batch)

    def _add(self, figures: _Figures, family: Metric, sample: Sample) -> None:
        value, labels = float(sample.value), dict(sample.labels)
        if family.type in _OF_SUMS:
            self._add_sum(figures, family.name, sample.name, labels, value)
        elif sample.name.endswith("_created"):
            return
        elif family.type == "counter":
            name = f"{self._prefix}.{_labelled(family.name, labels)}.per_s"
            if family.name == RPC_FAILURES and "node" in labels:
                name = f"rpc.{self._node_name(labels['node'])}.failures_per_s"
            figures.counters[name] += value
        else:
            figures.gauges[f"{self._prefix}.{_labelled(sample.name, labels)}"] = value

    def _add_sum(
        self, figures: _Figures, family: str, line: str, labels: dict[str, str], value: float
    ) -> None:
        bound = labels.pop("le", "")
        is_node = family == RPC_TIMES and "node" in labels
        if is_node:
            name = f"rpc.{self._node_name(labels['node'])}"
        else:
            name = f"{self._prefix}.{_labelled(family, labels)}"
        match line.removeprefix(family):
            case "_sum":
                figures.sums[name] += value
            case "_count":
                figures.counts[name] += value
            case "_bucket" if is_node and float(bound) == RPC_LIMIT_MS:
                figures.fast[name] += value


def _wanted_lines(page: str) -> Iterator[str]:
    """The lines with figures that are kept: buckets are most of a page, and only one counts."""
    bucket, limit = "", ""
    for line in page.split("\n"):
        if line.startswith(_TYPE + PREFIX):
            name, _, kind = line.removeprefix(_TYPE).strip().partition(" ")
            bucket = f"{name}_bucket{{" if kind.strip() == "histogram" else ""
            limit = f'le="{RPC_LIMIT_MS:g}' if name == RPC_TIMES else ""
            yield line
        elif line.startswith(PREFIX):
            is_bucket = bucket != "" and line.startswith(bucket)
            if not is_bucket or (limit and limit in line):
                yield line


def _labelled(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
