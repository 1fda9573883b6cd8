"""What a stack offers, however it was started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the system under test is reached.

    Attributes:
        redis_url: URL with password.
        observer_dsn: libpq conninfo of the read-only role.
        admin_dsn: libpq conninfo of a superuser; for reading the server's own figures.
        metrics_urls: Prometheus pages by service name.
        anvil_url: the Anvil node, when the scenario needs one.
        rpc_urls: RPC nodes by name, the primary first, when the scenario has some.
    """

    redis_url: SecretStr
    observer_dsn: SecretStr
    admin_dsn: SecretStr
    metrics_urls: Mapping[str, str] = field(default_factory=dict)
    anvil_url: str | None = None
    rpc_urls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service at one moment.

    Attributes:
        last_exit: exit code of its last end, negative for a signal; None if it never ended.
        out_of_pool: whether its restart policy has no retry left, so that it stays away.
    """

    name: str
    pid: int
    alive: bool
    restarts: int
    last_exit: int | None
    out_of_pool: bool = False


class Stack(Protocol):
    """The system under test, from the run's point of view."""

    def start(self) -> Endpoints:
        """Start everything and wait until it is ready.

        Raises:
            UsageError: something that the scenario needs is missing, or a port is in use.
            StackError: a service did not become ready; the message ends with its last log lines.
        """
        ...

    def services(self) -> tuple[ServiceState, ...]:
        """Every service now.

        Raises:
            StackError: a service is lost: it ended and is not restarted any more.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """What ran, for `stack.json`: versions, settings, ports, restarts. No secrets."""
        ...

    def stop(self) -> None:
        """End everything and leave nothing. May be called at any time, and twice."""
        ...
