"""Room on the disk for a run's last words, set aside while there is some."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType

from harness.evidence.atomic_files import io_error

# Final state, result and histogram logs of a run of some minutes.
RESERVE_BYTES = 8 * 1024 * 1024


class DiskReserve:
    """Holds disk space until it is given back, or until the process ends, however it does.

    Args:
        folder: on the disk in question.

    Raises:
        EvidenceError: there is not even that much room.
    """

    def __init__(self, folder: Path) -> None:
        self._fd = -1
        try:
            # Without a name, so that nobody has to remove it.
            with tempfile.TemporaryFile(dir=folder) as file:
                self._fd = os.dup(file.fileno())
            os.posix_fallocate(self._fd, 0, RESERVE_BYTES)
        except OSError as error:
            self.release()
            raise io_error("set room aside", folder, error) from error

    def __enter__(self) -> DiskReserve:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let others, and the last words themselves, have the room; harmless when called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
