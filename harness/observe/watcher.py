"""The seam between the observer and the ways of seeing a committed row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.observe.decoder import RowVersion

Versions = Sequence[RowVersion]


class WatcherLost(Exception):  # noqa: N818 - what became of it, not who is to blame
    """The server ended the connection; whatever was committed since must be read by query."""


class Watcher(Protocol):
    """A way to see row versions after their commit."""

    @property
    def seen_ns(self) -> int:
        """Monotonic time of the last `take`, when its row versions had just been received."""
        ...

    @property
    def covered_ns(self) -> int:
        """Monotonic time at which nothing was there that has not been taken; 0 when not known."""
        ...

    @property
    def received_lsn(self) -> int:
        """WAL position up to which everything has been received; 0 when not known."""
        ...

    @property
    def unreadable(self) -> int:
        """Row versions that could not be told, for instance for want of a UUID."""
        ...

    def open(self, deadline_ns: int) -> None:
        """Connect and begin: whatever is committed after the return will be seen.

        Raises:
            StackError: the server cannot be watched this way, or not before `deadline_ns`.
            WatcherLost: the connection failed; another try may succeed.
        """
        ...

    def poll(self, timeout_ns: int) -> Versions:
        """Row versions received since the last call; waits at most `timeout_ns` for the first.

        Raises:
            WatcherLost: the connection is gone.
        """
        ...

    def has_all(self, lsn: int) -> bool:
        """Whether everything committed up to a WAL position has been taken.

        Asks the server for its position when it is not known, so call it repeatedly.
        """
        ...

    def close(self) -> None:
        """Let go of connection and server resources; harmless when called twice."""
        ...
