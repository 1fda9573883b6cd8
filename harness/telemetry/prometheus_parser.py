"""The figures of one service's Prometheus page.

Read line by line and by hand, since the same few hundred lines come each second: a name with its
labels is understood once. The format is that of
https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.telemetry.sample_batch import SampleBatch

PREFIX = b"defi_"
RPC_TIMES = "defi_rpc_request_duration_ms"
RPC_FAILURES = "defi_rpc_failures"
# Specified: a node that has not answered by then is passed over for the next one.
RPC_LIMIT_MS = 100.0

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_OF_SUMS = ("histogram", "summary")
_MISSING = object()

Put = Callable[["_Sums", float], None]
NodeName = Callable[[str], str]


@dataclass(slots=True)
class _Sums:
    """What belongs together and lies on several lines of a page."""

    total: dict[str, float] = field(default_factory=dict)
    count: dict[str, float] = field(default_factory=dict)
    fast: dict[str, float] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)
    counters: dict[str, float] = field(default_factory=dict)


class PageParser:
    """Reads the pages of one service.

    Args:
        service: whose.
        node_name: what a node is called in tracks, by its label.
    """

    def __init__(self, service: str, node_name: NodeName = str) -> None:
        self._of = f"page.{service}"
        self._node_name = node_name
        self._known: dict[bytes, Put | None] = {}

    def parse_into(self, text: bytes, sheet: SampleBatch) -> None:
        """Every figure whose name begins with `PREFIX`.

        Raises:
            ValueError: it is no such page.
        """
        sums = _Sums()
        types: Mapping[str, str] | None = None
        for line in text.split(b"\n"):
            if not line.startswith(PREFIX):
                continue
            at = line.rfind(b"}") + 1 or line.find(b" ")
            key = line[:at]
            put: object = self._known.get(key, _MISSING)
            if put is _MISSING:
                types = types or types_of(text)
                put = self._known[key] = self._understood(key.decode(), types)
            if callable(put):
                put(sums, float(line[at:].split(None, 1)[0]))
        _write(sums, sheet)

    def _understood(self, key: str, types: Mapping[str, str]) -> Put | None:
        """What to do with the value of a line; None to leave it."""
        name, _, rest = key.partition("{")
        labels = dict(_LABEL.findall(rest))
        family, suffix = _family(name, types)
        kind = types.get(family, types.get(name, "untyped"))
        if kind in _OF_SUMS:
            return self._of_sums(family, suffix, labels)
        if name.endswith("_created"):
            return None
        if kind == "counter":
            return self._counter(name.removesuffix("_total"), labels)
        place = f"{self._of}.{_named(name, labels)}"
        return lambda sums, value: sums.levels.__setitem__(place, value)

    def _counter(self, family: str, labels: Mapping[str, str]) -> Put:
        place = f"{self._of}.{_named(family, labels)}.per_s"
        if family == RPC_FAILURES and "node" in labels:
            place = f"rpc.{self._node_name(labels['node'])}.failures_per_s"
        return lambda sums, value: _add(sums.counters, place, value)

    def _of_sums(self, family: str, suffix: str, labels: dict[str, str]) -> Put | None:
        bound = labels.pop("le", "")
        of_node = family == RPC_TIMES and "node" in labels
        place = f"{self._of}.{_named(family, labels)}"
        if of_node:
            place = f"rpc.{self._node_name(labels['node'])}"
        if suffix == "_sum":
            return lambda sums, value: _add(sums.total, place, value)
        if suffix == "_count":
            return lambda sums, value: _add(sums.count, place, value)
        if suffix == "_bucket" and of_node and bound != "+Inf" and float(bound) == RPC_LIMIT_MS:
            return lambda sums, value: _add(sums.fast, place, value)
        return None


def types_of(text: bytes) -> dict[str, str]:
    """Types by name, as a page declares them."""
    words = (line.split() for line in text.decode().splitlines() if line.startswith("# TYPE "))
    return {word[2]: word[3] for word in words if len(word) == 4}


def _family(name: str, types: Mapping[str, str]) -> tuple[str, str]:
    for suffix in ("_sum", "_count", "_bucket"):
        family = name.removesuffix(suffix)
        if family != name and types.get(family) in _OF_SUMS:
            return family, suffix
    return name, ""


def _named(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name


def _add(figures: dict[str, float], place: str, value: float) -> None:
    figures[place] = figures.get(place, 0.0) + value


def _write(sums: _Sums, sheet: SampleBatch) -> None:
    for place, value in sums.levels.items():
        sheet.gauge(place, value)
    for place, value in sums.counters.items():
        sheet.total(place, value)
    for place, count in sums.count.items():
        is_node = place.startswith("rpc.")
        sheet.mean(f"{place}.mean_ms" if is_node else f"{place}.mean", sums.total[place], count)
        sheet.total(f"{place}.requests_per_s" if is_node else f"{place}.per_s", count)
        if is_node:
            sheet.limit(f"{place}.mean_ms", RPC_LIMIT_MS, "specified")
        if place in sums.fast:
            sheet.share(f"{place}.slow_share", count - sums.fast[place], count)
            sheet.limit(f"{place}.slow_share", 1, "")
