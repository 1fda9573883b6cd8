"""A lower bound of the time at which a signal became final, where no commit time is known.

A signal that is final in one read and was not in the read before became final after the start of
that earlier read. It cannot become final before it is sent either.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.analysis.samples import Samples, column
from harness.evidence.records import READ, read_records


class ObserverReads:
    """The reads of a run.

    Args:
        path: `reads.bin`; runs of earlier versions have none.

    Attributes:
        torn: bytes of an incomplete record at its end.

    Raises:
        EvidenceError: the file exists and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        records, self.torn = read_records(path, READ) if path.exists() else (np.zeros(0, READ), 0)
        records = np.sort(records, order="seen_ns")
        # A sentinel that no sighting reaches, so that each search finds an index.
        self._seen_ns = np.append(records["seen_ns"], np.iinfo(np.int64).max)
        self._since_ns = np.append(records["since_ns"], 0)

    def annotate(self, samples: Samples) -> None:
        """Set `since_ns` of each sample: a time at which it was certainly not final yet."""
        seen_ns = column(samples, "seen_ns")
        at = np.searchsorted(self._seen_ns, seen_ns)
        since_ns = np.where(self._seen_ns[at] == seen_ns, self._since_ns[at], 0)
        samples["since_ns"] = np.maximum(since_ns, column(samples, "sent_ns"))
