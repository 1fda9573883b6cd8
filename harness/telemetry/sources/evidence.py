"""The size of the run's folder, which the harness itself fills."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from harness.clock import NS_PER_S, Clock
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.source import Source, SourceContext, telemetry_source

EVERY_NS = 10 * NS_PER_S
# A run has some dozens of files, in folders of one level.
_FILES_MAX = 10_000


class EvidenceSize(Source):
    """Sums up the files of a folder and of the folders in it; follows no link.

    Args:
        folder: of the run.
        clock: when to sum up again.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._due_ns = 0

    def sample(self, batch: SampleBatch) -> None:
        """The size, at most every ten seconds."""
        now_ns = self._clock.now_ns()
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + EVERY_NS
            batch.gauge("harness.evidence_bytes", sum(_sizes(self._folder)))


@telemetry_source("evidence")
def make_evidence(context: SourceContext) -> EvidenceSize:
    """The folder that the telemetry itself is written to."""
    return EvidenceSize(context.plan.path.parent, context.clock)


def _sizes(folder: Path) -> Iterator[int]:
    number, folders = 0, [folder]
    while folders:
        own = folders.pop()
        with suppress(OSError), os.scandir(own) as entries:
            for entry in entries:
                number += 1
                if number > _FILES_MAX:
                    return
                with suppress(OSError):  # it was renamed meanwhile
                    if entry.is_dir(follow_symlinks=False):
                        folders += [folder / entry.name] if own == folder else []
                    else:
                        yield entry.stat(follow_symlinks=False).st_size
