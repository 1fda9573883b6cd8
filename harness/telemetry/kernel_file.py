"""A small file of the kernel that is read repeatedly."""

from __future__ import annotations

import os

_BYTES_MAX = 1 << 16


class KernelFile:
    """A file that stays open between reads, which halves the cost of one.

    The file of a process or group that has ended cannot be read any more, even where another one
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
        """The content now.

        Raises:
            OSError: the process or group has ended.
        """
        return os.pread(self._fd, _BYTES_MAX, 0)

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()
