"""The protocol of an observation method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.observe.decoder import RowVersion

Versions = Sequence[RowVersion]


class WatcherLost(Exception):  # noqa: N818 - a state of the connection, not an error of the caller
    """The server ended the connection; later commits must be read by query."""


class Watcher(Protocol):
    """Observes row versions after their commit."""

    @property
    def seen_ns(self) -> int:
        """Monotonic time of the newest `poll`, when its row versions had just been received."""
        ...

    @property
    def covered_ns(self) -> int:
        """Monotonic time up to which everything has been read; 0 when not known."""
        ...

    @property
    def received_lsn(self) -> int:
        """WAL position up to which everything has been received; 0 when not known."""
        ...

    @property
    def unreadable(self) -> int:
        """Row versions that could not be parsed, for example without a UUID."""
        ...

    def open(self, deadline_ns: int) -> None:
        """Connect and begin: everything committed after the return will be seen.

        Raises:
            StackError: the server does not support this method, or not before `deadline_ns`.
            WatcherLost: the connection failed; another try may succeed.
        """
        ...

    def poll(self, timeout_ns: int) -> Versions:
        """Row versions received since the last call; waits at most `timeout_ns` for the first.

        Raises:
            WatcherLost: the connection is lost.
        """
        ...

    def has_all(self, lsn: int) -> bool:
        """Whether everything committed up to a WAL position has been read.

        Asks the server for its position when it is not known, so call it repeatedly.
        """
        ...

    def close(self) -> None:
        """Release connection and server resources; may be called twice."""
        ...
