"""Reads files of JSON lines as they grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.evidence.strict_json import loads
from harness.safe_open import TELEMETRY_BYTES_MAX, open_regular

# Read at once from a file that has grown: some thousands of lines.
_READ_MAX = 4 * 1024 * 1024


class JsonLinesTail:
    """The lines of one file, each once.

    Args:
        path: need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read_new(self) -> list[dict[str, Any]]:
        """Whole lines since the last call, at most some megabytes of them.

        Raises:
            RefusedError: no regular file, or beyond a limit.
        """
        try:
            with open_regular(self._path, TELEMETRY_BYTES_MAX) as file:
                file.seek(self._offset)
                data = file.read(_READ_MAX)
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        # A line longer than one read is malformed; do not wait for its end forever.
        self._offset += len(whole) if whole or len(data) < _READ_MAX else len(data)
        documents = []
        for line in whole.splitlines():
            try:
                document = loads(line.decode())
            except ValueError:
                continue
            if isinstance(document, dict):
                documents.append(document)
        return documents
