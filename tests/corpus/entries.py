"""What the corpus is made of: named runs, each with what it shows and how it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.scenario import Load
from tests.unit.analysis import evidence
from tests.unit.analysis.evidence import World, healthy, load_of
from tests.unit.judge import spoilers, test_unreadable, violations

Change = Callable[[World], object]
# A signal in the middle of a small world, which the changes of one signal change.
_NUMBER = 120


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of the corpus.

    Attributes:
        name: of its files.
        shows: what it is there for.
        record: leaves the run below an empty place, and says in which folder.
        on_demand: whether its diagnosis is asked for, however good the latency was.
    """

    name: str
    shows: str
    record: Callable[[Path], Path]
    on_demand: bool = False


def small_load() -> Load:
    """The load of a world that says nothing else: 420 signals."""
    return load_of(agents=4, rate=20.0, duration_s=20.0)


def tiny() -> World:
    """A healthy run of 210 signals for one check, with an objective that they can meet."""
    return healthy(load_of(agents=4, rate=10.0, duration_s=20.0), "p90 < 500 ms")


@contextmanager
def small_worlds() -> Iterator[None]:
    """Within this, worlds that ask for no load are small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "load_of", small_load)
        patch.setattr(violations, "N", _NUMBER)
        patch.setattr(spoilers, "N", _NUMBER)
        patch.setattr(test_unreadable, "N", _NUMBER)
        yield


def of_world(name: str, shows: str, build: Callable[[], World], *changes: Change) -> Entry:
    """A run that never was.

    Args:
        name: of the run.
        shows: what it is there for.
        build: makes its evidence.
        changes: what is then done to it, in order.
    """

    def record(place: Path) -> Path:
        world = build()
        for change in changes:
            change(world)
        return world.write(place).path

    return Entry(name, shows, record)
