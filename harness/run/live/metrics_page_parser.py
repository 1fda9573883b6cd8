"""From a metrics page back to the picture it was made of, as far as the page tells; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from prometheus_client.parser import text_string_to_metric_families

from harness.clock import NS_PER_S
from harness.run.live.metrics_page import PREFIX
from harness.run.live.summary import LiveSummary, Percentiles, ServiceUsage
from harness.run.parts import Progress, RunEvent

_MODES = ("lite", "full")
_SERVICE = {
    "service_cpu_cores": "cpu_cores",
    "service_cpu_limit_cores": "cpu_limit_cores",
    "service_memory_bytes": "memory_bytes",
    "service_memory_limit_bytes": "memory_limit_bytes",
}
_Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """What a page tells.

    Attributes:
        progress: without events; None before the first picture.
        events: how many of each kind.
    """

    run_id: str
    progress: Progress | None = None
    events: Counter[str] = field(default_factory=Counter)

    def with_events(self, events: tuple[RunEvent, ...]) -> Progress | None:
        """The picture with what happened."""
        return None if self.progress is None else replace(self.progress, events=events)


def parse_page(text: str) -> ParsedPage:
    """Read a page.

    Raises:
        ValueError: it is no page of ours.
    """
    values: dict[str, dict[_Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith(PREFIX):
                own = values.setdefault(sample.name.removeprefix(PREFIX), {})
                own[tuple(sorted(sample.labels.items()))] = sample.value
    if not values:
        raise ValueError(f"no metric begins with {PREFIX}")
    try:
        return _page(values)
    except (KeyError, OverflowError) as error:
        raise ValueError(f"a label is missing, or a figure has no end: {error}") from error


def _page(values: Mapping[str, Mapping[_Labels, float]]) -> ParsedPage:
    run_id = next((dict(labels)["run_id"] for labels in values.get("run_info", {})), "")
    events = {dict(labels)["kind"]: int(n) for labels, n in values.get("events_total", {}).items()}
    progress = _progress(values) if "phase" in values else None
    return ParsedPage(run_id, progress, Counter(events))


def _progress(values: Mapping[str, Mapping[_Labels, float]]) -> Progress:
    def plain(name: str) -> float:
        return values.get(name, {}).get((), 0.0)

    def count(name: str) -> int:
        return round(plain(f"signals_{name}_total"))

    oldest_ns = round(plain("oldest_open_seconds") * NS_PER_S)
    quantiles = values.get("latency_quantile_seconds", {})
    modes = [mode for mode in _MODES if any(("mode", mode) in labels for labels in quantiles)]
    restarts = values.get("service_restarts_total", {})
    return Progress(
        phase=next(
            (dict(labels)["phase"] for labels, on in values["phase"].items() if on), "start"
        ),
        elapsed_ns=round(plain("elapsed_seconds") * NS_PER_S),
        total_ns=round(plain("load_seconds") * NS_PER_S),
        due=count("due"),
        sent=count("sent"),
        accepted=count("accepted"),
        refused=count("refused"),
        unknown=count("unknown"),
        backlog=round(plain("backlog_signals")),
        agents=round(plain("agents")),
        rate_intended=plain("intended_per_second"),
        rate_sent=plain("sent_per_second"),
        lateness_max_ns=round(plain("lateness_max_seconds") * NS_PER_S),
        summary=LiveSummary(
            simulated=count("simulated"),
            final=count("final"),
            oldest_open_ns=oldest_ns or None,
            latency=_percentiles(quantiles, "all"),
            by_mode=tuple((mode, _percentiles(quantiles, mode)) for mode in modes),
        ),
        restarts=tuple((dict(labels)["service"], round(n)) for labels, n in restarts.items()),
        usage=_usage(values),
    )


def _percentiles(quantiles: Mapping[_Labels, float], mode: str) -> Percentiles:
    def found(quantile: str) -> int | None:
        value = quantiles.get((("mode", mode), ("quantile", quantile)))
        return None if value is None else round(value * NS_PER_S)

    return Percentiles(found("0.5"), found("0.99"))


def _usage(values: Mapping[str, Mapping[_Labels, float]]) -> tuple[ServiceUsage, ...]:
    services: dict[str, dict[str, float]] = {}
    for name, attribute in _SERVICE.items():
        for labels, value in values.get(name, {}).items():
            services.setdefault(dict(labels)["service"], {})[attribute] = value
    return tuple(ServiceUsage(name, **figures) for name, figures in services.items())
