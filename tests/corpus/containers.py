"""Real runs in containers; they need a Docker engine and the offline images (`make images`)."""

from __future__ import annotations

from pathlib import Path

from tests.corpus.commands import harness
from tests.corpus.entries import Entry

_STACK = ("--stack", "docker", "--images", "offline", "--set", "load.drain_s=15")
_AGENT = ("--agent-containers", "1")
_LIMITS = 'objectives=["recovery < 15 s", "rejected < 30 %", "p90 < 2 s outside faults"]'


def _run(name: str, shows: str, *words: str) -> Entry:
    return Entry(name, shows, lambda place: _recorded(place, *words), on_demand=True)


def _recorded(place: Path, *words: str) -> Path:
    return harness(place, *_STACK, *words)


def _faulty(name: str, shows: str, fault: str, duration: int) -> Entry:
    given = ("--set", f"fault=[{fault}]", "--set", _LIMITS, "--duration", str(duration))
    return _run(name, shows, *_AGENT, *given)


ENTRIES: tuple[Entry, ...] = (
    _run("docker-pass", "all containers, each quota verified in its live control group", *_AGENT),
    _faulty(
        "docker-oom-agent",
        "an agent's container runs out of memory, and nobody else",
        '{kind = "memory_hog", target = "python-agent-1", at_s = 2}',
        10,
    ),
    _faulty(
        "docker-cpu-hog",
        "processes that only compute inside an agent's container",
        '{kind = "cpu_hog", target = "python-agent-1", at_s = 2, for_s = 4, processes = 4}',
        9,
    ),
)
