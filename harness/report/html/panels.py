"""Which telemetry series share a chart, under which question, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.formatting import format_bytes, format_number, format_share_fixed
from harness.report.html.formatting import format_duration_html

PANELS_MAX = 12
LINES_MAX = 6


@dataclass(frozen=True, slots=True)
class Panel:
    """Series that share one small plot."""

    title: str
    series: tuple[TimeSeries, ...]


@dataclass(frozen=True, slots=True)
class PanelGroup:
    """A chart of small plots.

    Attributes:
        rules: title of a panel, and a pattern for the names of its series; a title with `{}`
            makes a panel for each match.
    """

    key: str
    title: str
    shows: str
    good: str
    rules: tuple[tuple[str, str], ...]


_EACH = "Each plot is one {what} over time; the red dashed line is its {limit}."
GROUPS: tuple[PanelGroup, ...] = (
    PanelGroup(
        "cpu",
        "Does a service run out of CPU?",
        _EACH.format(what="service's CPU time in cores", limit="quota, where one is set"),
        "Good: well below the red line. At the line a service is throttled even on an idle host;"
        " the host at its line means that every process waits for cores.",
        (
            ("{}: CPU", r"service\.(engine[^.]*)\.cpu_cores"),
            ("{}: CPU", r"service\.(redis[^.]*)\.cpu_cores"),
            ("{}: CPU", r"service\.(postgres[^.]*)\.cpu_cores"),
            ("whole host: CPU", r"host\.busy_cores"),
            ("{}: CPU", r"service\.([^.]+)\.cpu_cores"),
        ),
    ),
    PanelGroup(
        "throttling",
        "Was a service throttled by its CPU quota?",
        _EACH.format(what="service's share of throttled CPU periods", limit="maximum"),
        "Good: zero. Otherwise a service was runnable and did not run.",
        (("{}: throttled periods", r"service\.([^.]+)\.throttled_share"),),
    ),
    PanelGroup(
        "memory",
        "Does a service run out of memory?",
        _EACH.format(what="service's memory", limit="limit, where one is set"),
        "Good: level, and well below the red line. A steady increase is a leak, or a queue.",
        (
            ("{}: memory", r"service\.(engine[^.]*)\.memory_bytes"),
            ("{}: memory", r"service\.([^.]+)\.memory_bytes"),
        ),
    ),
    PanelGroup(
        "redis",
        "How is Redis doing?",
        "Memory against its limit, entries of each stream, entries that each consumer group has not"
        " read or not acknowledged, commands, and rewrites of the append-only file.",
        "Good: memory below the red line, lag and pending close to zero. A growing lag means that a"
        " group reads more slowly than entries are written.",
        (
            ("memory", r"redis\.memory_bytes"),
            ("stream {}: entries", r"redis\.stream\.(.+)\.length_count"),
            ("not read yet (lag)", r"redis\.group\..+\.lag_count"),
            ("read, not acknowledged (pending)", r"redis\.group\..+\.pending_count"),
            ("commands", r"redis\.commands_per_s"),
            ("append-only file: rewriting", r"redis\.aof_rewrite_count"),
            ("append-only file: delayed writes", r"redis\.aof_delayed_per_s"),
        ),
    ),
    PanelGroup(
        "postgres",
        "How is PostgreSQL doing?",
        "Active sessions against their limit, sessions that wait for a lock, the longest wait for a"
        " nonce row, mean statement times, WAL written, and checkpoints.",
        "Good: few active sessions and short waits. Waits for nonce rows come from addresses that"
        " many signals share, or from a lock that is held for too long.",
        (
            ("active sessions", r"postgres\.connections_active_count"),
            ("waiting for a lock", r"postgres\.(?:lock|nonce)_waiters_count"),
            ("longest wait for a nonce row", r"postgres\.nonce_wait_ms"),
            ("mean statement time", r"postgres\.statement_ms\..+"),
            ("WAL written", r"postgres\.wal_bytes_per_s"),
            ("completed checkpoints", r"postgres\.checkpoint_count"),
        ),
    ),
    PanelGroup(
        "rpc",
        "How fast do the RPC nodes answer?",
        "Mean response time of each RPC node against the limit for falling back to another, and the"
        " number of answered and failed requests.",
        "Good: below the red line and no failures. A slow primary node makes data stale and full"
        " simulations slow: switch nodes.",
        (
            ("response time", r"rpc\..+\.mean_ms"),
            ("requests", r"rpc\..+\.requests_per_s"),
            ("failures", r"rpc\..+\.failures_per_s"),
        ),
    ),
    PanelGroup(
        "host",
        "Did the host limit the run?",
        "Cores that the hypervisor gave to other guests (steal), cores that waited for storage,"
        " time in which a task was stalled by a resource (pressure), and the cost of telemetry.",
        "Good: all of them near zero.",
        (
            ("steal", r"host\.steal_cores"),
            ("waiting for storage", r"host\.iowait_cores"),
            ("pressure", r"host\.pressure_[a-z]+_share"),
            ("cost of telemetry", r"sampler\.cost_cores"),
        ),
    ),
)


def panels_of(group: PanelGroup, telemetry: Telemetry, drawn: set[str]) -> list[Panel]:
    """The panels of a group; the names of their series are added to `drawn`."""
    panels: list[Panel] = []
    for title, pattern in group.rules:
        found: dict[str, list[TimeSeries]] = {}
        for name in sorted(telemetry.time_series):
            match = re.fullmatch(pattern, name)
            if match is None or name in drawn or not telemetry.time_series[name].values:
                continue
            key = title.format(*match.groups()) if match.groups() else title
            found.setdefault(key, []).append(telemetry.time_series[name])
        for key, series in found.items():
            if len(panels) < PANELS_MAX:
                shown = tuple(series[:LINES_MAX])
                panels.append(Panel(key, shown))
                drawn.update(one.name for one in shown)
    return panels


def unassigned_series(telemetry: Telemetry, drawn: set[str]) -> list[TimeSeries]:
    """Series that no group has drawn and that are not constant, in order of their names."""
    return [
        one
        for name, one in sorted(telemetry.time_series.items())
        if name not in drawn and one.values and min(one.values) != max(one.values)
    ]


def line_names(series: Sequence[TimeSeries]) -> list[str]:
    """Names of the lines of a panel, without their common parts."""
    if len(series) == 1:
        return [series[0].name]
    split = [one.name.split(".") for one in series]
    names = [
        ".".join(part for part in parts if not all(part in other for other in split))
        for parts in split
    ]
    return [name or one.name for name, one in zip(names, series, strict=True)]


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a plot.

    Attributes:
        name: title of the axis.
        scale: divisor of a value to be drawn.
        text: formats a value of the series with its unit.
    """

    name: str
    scale: float
    text: Callable[[float], str]


def unit_of(name: str, top: float) -> Unit:
    """The unit of a series, by the end of its name.

    Args:
        name: of the series.
        top: the largest value, or limit, that is drawn; in the unit of the series.
    """
    end = name.rpartition(".")[2] if not name.startswith("postgres.statement_ms.") else "_ms"
    if end.endswith("bytes_per_s"):
        unit_name, scale = _size(top)
        return Unit(f"{unit_name}/s", scale, lambda value: f"{format_bytes(value)}/s")
    if end.endswith("bytes"):
        return Unit(*_size(top), format_bytes)
    for ending, unit in _FIXED.items():
        if end.endswith(ending):
            return unit
    return Unit("", 1.0, format_number)


def _size(top: float) -> tuple[str, float]:
    for name, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if top >= size:
            return name, float(size)
    return "bytes", 1.0


_FIXED = {
    "_cores": Unit("cores", 1.0, lambda value: f"{format_number(value)} cores"),
    "_share": Unit("%", 0.01, format_share_fixed),
    "_per_s": Unit("1/s", 1.0, lambda value: f"{format_number(value)}/s"),
    "_ms": Unit("ms", 1.0, lambda value: format_duration_html(value * 1e6)),
    "_count": Unit("count", 1.0, format_number),
}


def axis_max(series: Sequence[TimeSeries]) -> float:
    """The largest value or limit of some series."""
    return max((max([*one.values, one.limit or 0.0]) for one in series), default=0.0)
