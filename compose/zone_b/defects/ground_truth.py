"""The ground truth: what the defects did, one JSON line for each act."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from zone_b.settings import SettingsError


class GroundTruth:
    """A log that a crash cannot shorten and that several processes share.

    A line is written with one call before or at the act it records, and appended as a whole.

    Args:
        path: file, made if it is missing.

    Raises:
        SettingsError: it cannot be written.
    """

    def __init__(self, path: str) -> None:
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        except OSError as error:
            raise SettingsError(f"DEFI_DEFECT_LOG cannot be written: {error.strerror}") from error
        self._path = Path(path)

    def note(self, defect: str, trace_id: str | None = None) -> None:
        """A defect acts now, on this signal or on none in particular."""
        line = {"defect": defect, "trace_id": trace_id, "mono_ns": time.monotonic_ns()}
        os.write(self._file, (json.dumps(line) + "\n").encode())

    def count(self, defect: str) -> int:
        """How often it has acted, in this life of the engine and in former ones."""
        lines = self._path.read_text(encoding="utf-8").splitlines()
        return sum(json.loads(line)["defect"] == defect for line in lines)
