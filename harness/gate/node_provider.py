"""The protocol for starting and releasing the gate's node, and for proving both."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

_CONNECT_MAX_S = 0.5


@dataclass(frozen=True, slots=True)
class OpenNode:
    """A node that answers.

    Attributes:
        name: its process or container.
        url: `http://host:port`.
        seen: evidence that it runs.
    """

    name: str
    url: str
    seen: str


class NodeProvider(Protocol):
    """Provides one node for one gate."""

    def open(self) -> OpenNode:
        """Start it and wait until it answers.

        Raises:
            HarnessError: it does not.
        """
        ...

    def close(self) -> None:
        """End it, if there is one.

        Raises:
            HarnessError: it cannot be ended.
        """
        ...

    def gone(self) -> str:
        """Evidence that it has ended, from a new check; empty without evidence."""
        ...


def is_closed(url: str) -> bool:
    """Whether connections to this address are refused."""
    place = urlsplit(url)
    try:
        with socket.create_connection((place.hostname or "", place.port or 0), _CONNECT_MAX_S):
            return False
    except OSError:
        return True
