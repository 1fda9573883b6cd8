"""The registry of telemetry sources, and what a source that fails costs."""

from __future__ import annotations

import threading
from io import StringIO

import pytest

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_MS, NS_PER_S, SystemClock
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.sampler import LockedWriter, SourceSampler
from harness.telemetry.source import (
    RegisteredSource,
    Source,
    SourceContext,
    all_sources,
    telemetry_source,
)


class BrokenSource(Source):
    """Fails at its first sample only."""

    def __init__(self) -> None:
        self.samples = 0
        self.is_closed = False

    def sample(self, batch: SampleBatch) -> None:
        self.samples += 1
        if self.samples == 1:
            raise OSError("made up")
        batch.gauge("broken.count", self.samples)

    def close(self) -> None:
        self.is_closed = True


def test_sources_are_found_by_their_modules() -> None:
    """Every module of the package is imported; nothing else lists them."""
    assert set(all_sources()) >= {"evidence", "kernel", "pages", "postgres", "redis"}


def test_two_sources_of_one_name_are_refused() -> None:
    """The name identifies the columns in the file."""

    def make(context: SourceContext) -> Source:
        raise NotImplementedError

    all_sources()
    with pytest.raises(ValueError, match="kernel"):
        telemetry_source("kernel")(make)


@pytest.mark.parametrize(
    ("poll_every_ns", "every_ns", "steps"),
    [(None, NS_PER_S, 1), (200, 1_000, 5), (300, 1_000, 4), (2_000, 1_000, 1)],
)
def test_polls_between_two_samples(poll_every_ns: int | None, every_ns: int, steps: int) -> None:
    """At least as often as a source asks for."""

    def make(context: SourceContext) -> Source:
        raise NotImplementedError

    assert RegisteredSource("x", make, poll_every_ns).steps(every_ns) == steps


def test_a_source_that_raises_is_sampled_again() -> None:
    """Its error stands in place of the figures until it works, and the file stays open."""
    file, source, ended = StringIO(), BrokenSource(), threading.Event()
    batch = SampleBatch("broken", LockedWriter(file).write)
    sampler = SourceSampler(
        "broken",
        source,
        batch,
        every_ns=NS_PER_MS,
        steps=1,
        offset_ns=0,
        ended=ended,
        clock=SystemClock(),
    )
    sampler.start()
    for _ in range(1_000):
        if source.samples >= 3:
            break
        ended.wait(0.005)
    ended.set()
    sampler.join(5)
    found = read_telemetry(file.getvalue(), 0)
    assert sampler.failure is None
    assert source.is_closed
    assert '"subject":"source.broken","why":"OSError: made up"' in file.getvalue()
    assert found.unread == {}
    assert found.time_series["broken.count"].values[0] == 2
