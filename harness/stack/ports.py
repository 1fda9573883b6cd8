"""Ports on loopback."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

from harness.errors import StackError, UsageError
from harness.process.reservation import release, reserve

LOOPBACK = "127.0.0.1"
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 15_000
_TRIES_MAX = 200
# The kernel keeps lower ones for root (ip_unprivileged_port_start).
_UNPRIVILEGED = 1024


def below_ephemeral() -> range:
    """Ports that the kernel does not give to outgoing connections.

    A server whose port came from the ephemeral range may lose it in a restart: to some program's
    outgoing connection, even to a client that connects to itself while trying to reach it.
    """
    try:
        first = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first = 32_768
    return range(_LOWEST, first) if first > _LOWEST + 1000 else range(_LOWEST, 32_768)


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection of the last server that lingers is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _may_listen(port: int) -> bool:
    """Whether the kernel lets this user listen there, whoever does so already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            return False
        except OSError:
            return True
    return True


def free_port(claimed: frozenset[int] = frozenset(), second_offset: int = 0) -> int:
    """A port that is free now, kept from other runs of this host until `release_ports`.

    A program that is no harness may still take it before it is used.

    Args:
        claimed: ports that are claimed already.
        second_offset: from the port to another one that its server opens too, and that is kept
            likewise; 0 if there is none.

    Raises:
        StackError: none was found in a bounded number of tries.
    """
    candidates = below_ephemeral()
    candidates = range(candidates.start, candidates.stop - second_offset)
    for _ in range(_TRIES_MAX):
        port = random.choice(candidates)  # noqa: S311 - spread, not secrecy
        ports = {port, port + second_offset}
        reserved = set() if ports & claimed else {one for one in ports if reserve(_name(one))}
        if reserved == ports and all(is_free(one) for one in ports):
            return port
        release_ports(reserved)
    raise StackError(
        f"no free port found in {_TRIES_MAX} tries between {candidates[0]} and {candidates[-1]}",
        where=LOOPBACK,
    )


def release_ports(ports: Iterable[int]) -> None:
    """Let other runs have these ports."""
    for port in ports:
        release(_name(port))


def _name(port: int) -> str:
    return f"port/{port}"


def holder(port: int) -> str:
    """Who listens on a port, as `program (pid n)`; empty when that cannot be read."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return ""
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.laddr.port != port:
            continue
        if connection.pid is None:
            continue
        try:
            return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
        except psutil.Error:
            return f"pid {connection.pid}"
    return ""


def claim(port: int | None, name: str, claimed: frozenset[int] = frozenset()) -> int:
    """The port to use for a server: the configured one if it is free, else any free one.

    Raises:
        UsageError: the configured port is in use, or this user may not have it.
    """
    if port is None:
        return free_port(claimed)
    if port < _UNPRIVILEGED and not _may_listen(port):
        raise UsageError(
            f"this user may not listen on port {port}",
            where=f"{name} on {LOOPBACK}",
            hint=f"choose one from {_UNPRIVILEGED} on, or leave it out to take a free one",
        )
    if port in claimed or not is_free(port):
        who = holder(port)
        raise UsageError(
            f"port {port} is already in use" + (f" by {who}" if who else ""),
            where=f"{name} on {LOOPBACK}",
            hint="choose another port, or leave it out to take a free one",
        )
    return port
