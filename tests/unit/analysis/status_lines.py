"""Self-monitoring and status lines of a healthy run, one a second."""

from __future__ import annotations

from typing import Any

MS = 1_000_000
S = 1_000 * MS
# Unix time at monotonic zero.
WALL_NS = 1_800_000_000 * S


def self_monitoring_line(mono_ns: int, processes: int = 1) -> dict[str, Any]:
    """Two cores that are busy for a third of the time, with little of it for the harness."""
    own = {"main": 20, "observer": 50, **{f"swarm-{n}": 100 for n in range(processes)}}
    return {
        "mono_ns": mono_ns,
        "wall_ns": WALL_NS + mono_ns,
        "read_ns": 500,
        "late_ns": 200_000,
        "load_1min": 0.7,
        "cores": [
            {
                "busy_ns": mono_ns * 32 // 100,
                "iowait_ns": mono_ns // 100,
                "idle_ns": mono_ns * 66 // 100,
                "steal_ns": mono_ns // 100,
            }
        ]
        * 2,
        "pressure_us": {"cpu": mono_ns // 20_000, "io": 0, "memory": 0},
        "processes": {
            name: {
                "state": "S",
                "cpu_ns": mono_ns * used // 1_000,
                "wait_ns": mono_ns // 100,
                "total_ns": mono_ns * used // 1_000,
                "rss_bytes": 90_000_000,
            }
            for name, used in own.items()
        },
        "cost_ns": 500_000,
    }


def swarm_status(process: int, mono_ns: int) -> dict[str, Any]:
    """A status line of a swarm process; without the fields that the judge does not read."""
    return {
        "kind": "status",
        "process": process,
        "mono_ns": mono_ns,
        "stall_max_ns": 200_000,
        "wake_late_max_ns": 1_200_000,
        "stalled_ns": 0,
    }


def observer_status(mono_ns: int) -> dict[str, Any]:
    """A status line of the observer."""
    return {
        "kind": "status",
        "mono_ns": mono_ns,
        "behind_bytes": 4_096,
        "gaps": 0,
        "in_gap": False,
    }
