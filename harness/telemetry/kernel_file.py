"""A small file of the kernel's that is read again and again."""

from __future__ import annotations

import os

_BYTES_MAX = 1 << 16


class KernelFile:
    """Kept open between reads, which halves what one costs.

    The file of a process or a group that is gone cannot be read any more, even where another one
    has its name by now.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    __slots__ = ("_fd",)

    def __init__(self, path: str) -> None:
        self._fd = -1
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> bytes:
        """What it says now.

        Raises:
            OSError: what it belonged to is gone.
        """
        return os.pread(self._fd, _BYTES_MAX, 0)

    def close(self) -> None:
        """Let go of it; harmless when called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()
