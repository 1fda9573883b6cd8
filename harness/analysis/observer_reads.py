"""A lower bound of the truth where no commit time is known: the observer's read before.

A signal that a read shows final, and that the read before would have shown if it had been, became
final after the read before was asked for. Nor does a signal become final before it is sent.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.analysis.samples import Samples, column
from harness.evidence.records import READ, read_records


class ObserverReads:
    """The reads of a run.

    Args:
        path: `reads.bin`; a run of an earlier version has none.

    Attributes:
        torn: bytes of a record cut short at its end.

    Raises:
        EvidenceError: the file is there and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        records, self.torn = read_records(path, READ) if path.exists() else (np.zeros(0, READ), 0)
        records = np.sort(records, order="seen_ns")
        # An end that no sighting has; each search finds a place then.
        self._seen_ns = np.append(records["seen_ns"], np.iinfo(np.int64).max)
        self._since_ns = np.append(records["since_ns"], 0)

    def annotate(self, samples: Samples) -> None:
        """Write into each sample when it was certainly not final yet: at its sending at least."""
        seen_ns = column(samples, "seen_ns")
        at = np.searchsorted(self._seen_ns, seen_ns)
        since_ns = np.where(self._seen_ns[at] == seen_ns, self._since_ns[at], 0)
        samples["since_ns"] = np.maximum(since_ns, column(samples, "sent_ns"))
