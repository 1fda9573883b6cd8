"""Which telemetry tracks are drawn together, and under which question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.resources.telemetry import Telemetry, TimeSeries

PANELS_MAX = 12
LINES_MAX = 6


@dataclass(frozen=True, slots=True)
class Panel:
    """Tracks that share one small drawing."""

    title: str
    tracks: tuple[TimeSeries, ...]


@dataclass(frozen=True, slots=True)
class PanelGroup:
    """A figure of small drawings.

    Attributes:
        rules: title of a panel, and what the names of its tracks are like; a title with a place
            for a name makes a panel for each name.
    """

    key: str
    title: str
    shows: str
    good: str
    rules: tuple[tuple[str, str], ...]


_EACH = "Each drawing is one {what} on the run's time; the red dashed line is its {limit}."
GROUPS: tuple[PanelGroup, ...] = (
    PanelGroup(
        "cpu",
        "Does a service run out of CPU?",
        _EACH.format(what="service's computing in cores", limit="quota, where one is in force"),
        "Good: well below the red line. At the line a service is held back however idle the host"
        " is; the host at its line means that everybody waits for cores.",
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
        "Was a service held back by its CPU quota?",
        _EACH.format(what="service's share of scheduling periods cut short", limit="most"),
        "Good: zero. Anything else is time in which a service was ready to run and was not let.",
        (("{}: throttled periods", r"service\.([^.]+)\.throttled_share"),),
    ),
    PanelGroup(
        "memory",
        "Does a service run out of memory?",
        _EACH.format(what="service's memory", limit="limit, where one is in force"),
        "Good: level, and well below the red line. A steady climb is a leak, or a queue.",
        (
            ("{}: memory", r"service\.(engine[^.]*)\.memory_bytes"),
            ("{}: memory", r"service\.([^.]+)\.memory_bytes"),
        ),
    ),
    PanelGroup(
        "redis",
        "How is Redis doing?",
        "Redis's memory against its limit, entries held by each stream, what each consumer group"
        " has not read or not acknowledged, commands, and rewrites of its append-only file.",
        "Good: memory below the red line, lag and pending close to zero. Lag that grows means that"
        " a group reads more slowly than others write.",
        (
            ("memory", r"redis\.memory_bytes"),
            ("stream {}: entries", r"redis\.stream\.(.+)\.length_count"),
            ("not read yet (lag)", r"redis\.group\..+\.lag_count"),
            ("read, not acknowledged (pending)", r"redis\.group\..+\.pending_count"),
            ("commands", r"redis\.commands_per_s"),
            ("append-only file: rewriting", r"redis\.aof_rewrite_count"),
            ("append-only file: writes held up", r"redis\.aof_delayed_per_s"),
        ),
    ),
    PanelGroup(
        "postgres",
        "How is PostgreSQL doing?",
        "Sessions at work against their limit, sessions that wait for a lock, the longest wait for"
        " a nonce row, mean statement times, log written, and checkpoints.",
        "Good: few sessions at work, nobody waits for long. Waits for nonce rows are the price of"
        " addresses that many signals share, or of a lock that is held for too long.",
        (
            ("sessions at work", r"postgres\.connections_active_count"),
            ("waiting for a lock", r"postgres\.(?:lock|nonce)_waiters_count"),
            ("longest wait for a nonce row", r"postgres\.nonce_wait_ms"),
            ("mean statement time", r"postgres\.statement_ms\..+"),
            ("log written", r"postgres\.wal_bytes_per_s"),
            ("checkpoints ended", r"postgres\.checkpoint_count"),
        ),
    ),
    PanelGroup(
        "rpc",
        "How fast do the chain's nodes answer?",
        "Mean time to an answer of each RPC node against the limit for falling back to another,"
        " and how many requests were answered or failed.",
        "Good: below the red line and no failures. A slow primary node makes data stale and full"
        " simulations slow: switch nodes.",
        (
            ("time to an answer", r"rpc\..+\.mean_ms"),
            ("requests", r"rpc\..+\.requests_per_s"),
            ("failures", r"rpc\..+\.failures_per_s"),
        ),
    ),
    PanelGroup(
        "host",
        "Did the host itself get in the way?",
        "Cores taken by other guests (steal), cores that waited for storage, time in which some"
        " task stood still for want of a resource (pressure), and what taking telemetry cost.",
        "Good: near zero, all of them.",
        (
            ("taken by other guests", r"host\.steal_cores"),
            ("waiting for storage", r"host\.iowait_cores"),
            ("pressure", r"host\.pressure_[a-z]+_share"),
            ("telemetry's own cost", r"sampler\.cost_cores"),
        ),
    ),
)


def panels_of(group: PanelGroup, telemetry: Telemetry, taken: set[str]) -> list[Panel]:
    """The panels of a group; names that were drawn are added to `taken`."""
    panels: list[Panel] = []
    for title, pattern in group.rules:
        found: dict[str, list[TimeSeries]] = {}
        for name in sorted(telemetry.time_series):
            match = re.fullmatch(pattern, name)
            if match is None or name in taken or not telemetry.time_series[name].values:
                continue
            key = title.format(*match.groups()) if match.groups() else title
            found.setdefault(key, []).append(telemetry.time_series[name])
        for key, tracks in found.items():
            if len(panels) < PANELS_MAX:
                shown = tuple(tracks[:LINES_MAX])
                panels.append(Panel(key, shown))
                taken.update(track.name for track in shown)
    return panels


def unassigned_series(telemetry: Telemetry, taken: set[str]) -> list[TimeSeries]:
    """Tracks that no group has drawn and that ever changed, in order of their names."""
    return [
        track
        for name, track in sorted(telemetry.time_series.items())
        if name not in taken and track.values and min(track.values) != max(track.values)
    ]


def line_names(tracks: Sequence[TimeSeries]) -> list[str]:
    """Names of the lines of a panel: what tells them apart."""
    if len(tracks) == 1:
        return [tracks[0].name]
    split = [track.name.split(".") for track in tracks]
    names = [
        ".".join(part for part in parts if not all(part in other for other in split))
        for parts in split
    ]
    return [name or track.name for name, track in zip(names, tracks, strict=True)]
