"""Looking at one source again and again, on a grid in time."""

from __future__ import annotations

import threading
from typing import IO, Protocol

from harness.clock import NS_PER_S, Clock
from harness.telemetry.sample_batch import SampleBatch


class Source(Protocol):
    """Something that is looked at."""

    def sample(self, sheet: SampleBatch) -> None:
        """Put what there is now on the sheet; never raises for what is looked at."""
        ...

    def poll(self, sheet: SampleBatch) -> None:
        """Note what would be over by the next look."""
        ...

    def close(self) -> None: ...


class LockedWriter:
    """The file, for several threads."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._lock = threading.Lock()

    def write(self, lines: str) -> None:
        """Append whole lines.

        Raises:
            OSError: the disk takes nothing more.
        """
        with self._lock:
            self._file.write(lines)
            self._file.flush()


class SourceSampler(threading.Thread):
    """Looks at one source on a grid in time, and a last time at its end.

    Args:
        name: of the source.
        source: what to look at.
        sheet: where it is put.
        every_ns: distance of two looks.
        glances: parts that the distance is cut into.
        offset_ns: of the grid, so that not everything is looked at in the same moment.
        ended: set to end it; set by itself when it cannot go on.
        clock: the host's clocks.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        sheet: SampleBatch,
        *,
        every_ns: int,
        glances: int,
        offset_ns: int,
        ended: threading.Event,
        clock: Clock,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._source = source
        self._sheet = sheet
        self._step_ns = every_ns // glances
        self._glances = glances
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
            if number % self._glances:
                self._source.poll(self._sheet)
            else:
                self._look()
            if number == 0:
                due_ns += self._offset_ns
            number += 1
            due_ns += self._step_ns
            behind = self._clock.now_ns() - due_ns
            if behind > 0:  # a look that took too long is not made up for
                due_ns += behind - behind % self._step_ns
            self._ended.wait((due_ns - self._clock.now_ns()) / NS_PER_S)
        self._look()

    def _look(self) -> None:
        before_ns = self._clock.now_ns()
        self._source.sample(self._sheet)
        self._sheet.end((before_ns + self._clock.now_ns()) // 2)
