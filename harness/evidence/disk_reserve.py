"""Reserves disk space for the final files of a run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType

from harness.evidence.atomic_files import io_error

# Final state, result and histogram logs of a run of some minutes.
RESERVE_BYTES = 8 * 1024 * 1024


class DiskReserve:
    """Reserves disk space until `release`, or until the process ends.

    Args:
        folder: on the disk.

    Raises:
        EvidenceError: the disk has less free space.
    """

    def __init__(self, folder: Path) -> None:
        self._fd = -1
        try:
            # Without a name, so that it need not be deleted.
            with tempfile.TemporaryFile(dir=folder) as file:
                self._fd = os.dup(file.fileno())
            os.posix_fallocate(self._fd, 0, RESERVE_BYTES)
        except OSError as error:
            self.release()
            raise io_error("reserve space", folder, error) from error

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
        """Free the space for the final files; calling it twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
