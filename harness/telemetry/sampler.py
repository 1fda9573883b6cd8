"""Sampling one source at a fixed interval."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import IO

from harness.clock import NS_PER_S, Clock
from harness.errors import error_text
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.source import Source


class LockedWriter:
    """The file, for several threads."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._lock = threading.Lock()

    def write(self, lines: str) -> None:
        """Append whole lines.

        Raises:
            OSError: the disk is full.
        """
        with self._lock:
            self._file.write(lines)
            self._file.flush()


class SourceSampler(threading.Thread):
    """Samples one source at a fixed interval, and a last time at its end.

    A source that raises costs its own figures only: the reason is written in their place.

    Args:
        name: of the source.
        source: what to sample.
        batch: receives the figures.
        every_ns: interval between two samples.
        steps: equal parts of the interval; the source is polled at those between two samples.
        offset_ns: of the grid, so that not all sources are sampled at the same moment.
        ended: set to end it; set by itself when it cannot go on.
        clock: the host's clocks.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        batch: SampleBatch,
        *,
        every_ns: int,
        steps: int,
        offset_ns: int,
        ended: threading.Event,
        clock: Clock,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._source = source
        self._batch = batch
        self._step_ns = every_ns // steps
        self._steps = steps
        self._offset_ns = offset_ns
        self._ended = ended
        self._clock = clock
        self.failure: str | None = None

    def run(self) -> None:
        try:
            self._run()
        except OSError as error:
            self.failure = f"its lines cannot be written: {error.strerror or error}"
            self._ended.set()
        finally:
            self._source.close()

    def _run(self) -> None:
        due_ns = self._clock.now_ns()
        number = 0
        while not self._ended.is_set():
            if number % self._steps:
                self._call(self._source.poll)
            else:
                self._sample()
            if number == 0:
                due_ns += self._offset_ns
            number += 1
            due_ns += self._step_ns
            overdue_ns = self._clock.now_ns() - due_ns
            if overdue_ns > 0:  # steps that were missed are skipped, not caught up
                due_ns += overdue_ns - overdue_ns % self._step_ns
            self._ended.wait((due_ns - self._clock.now_ns()) / NS_PER_S)
        self._sample()

    def _sample(self) -> None:
        before_ns = self._clock.now_ns()
        self._call(self._source.sample)
        self._batch.end((before_ns + self._clock.now_ns()) // 2)

    def _call(self, method: Callable[[SampleBatch], None]) -> None:
        try:
            method(self._batch)
        except Exception as error:  # a defect of one source must not end the others
            self._batch.unread(f"source.{self.name}", error_text(error))
        else:
            self._batch.unread(f"source.{self.name}", None)
