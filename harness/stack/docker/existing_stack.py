"""A stack that another process started and left running: found by its labels."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.clock import Clock
from harness.contract.names import Contract
from harness.errors import StackError, UsageError
from harness.stack.docker.client import Client, connect, engine_errors, need_this_host
from harness.stack.docker.container_supervisor import ContainerSupervisor
from harness.stack.docker.containers import Containers
from harness.stack.docker.database import Database
from harness.stack.docker.labels import SETTINGS, Kind, Owner, RunIdentity
from harness.stack.docker.settings import (
    AGENT,
    POSTGRES,
    READY_NS,
    REDIS,
    StackPasswords,
    Zones,
    make_placement,
    published_port,
    read_zones,
    redis_url,
    secret_variables,
)
from harness.stack.docker.specification import read_specification
from harness.stack.docker.sweep import existing_stacks
from harness.stack.docker.verification_rows import VerificationRow
from harness.stack.docker.verifier import Verifier

_HOW = "`harness stack up` starts one"


@dataclass(frozen=True, slots=True)
class ExistingStack:
    """What can be done with a stack that stands already."""

    client: Client
    containers: Containers
    zones: Zones
    verifier: Verifier
    clock: Clock

    @classmethod
    def find(cls, folder: Path, clock: Clock) -> ExistingStack:
        """The one that stands on this host.

        Args:
            folder: folder of the Compose files, which are read anew.
            clock: time of readiness.

        Raises:
            UsageError: there is none, or more than one.
            StackError: the engine does not answer, or is on another machine.
        """
        client = connect()
        try:
            need_this_host(client)
        except StackError:
            client.close()
            raise
        tokens = existing_stacks(client)
        if len(tokens) != 1:
            client.close()
            raise UsageError(
                f"{len(tokens)} stacks stand on this host, and one is meant",
                where="stack",
                hint="`harness stack down` ends them all" if tokens else _HOW,
            )
        return cls._of(client, tokens[0], folder, clock)

    def __enter__(self) -> ExistingStack:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()

    def verify(self) -> tuple[VerificationRow, ...]:
        """Every row, with the Compose files as they are now."""
        return self.verifier.verify("now")

    def scale(self, agents: int) -> None:
        """Start or end agents until there are so many.

        Raises:
            StackError: one cannot be started.
        """
        supervisor = ContainerSupervisor(self.client, self.containers, {}, READY_NS, self.clock)
        supervisor.scale(self.zones.a.service(AGENT), agents)

    @classmethod
    def _of(cls, client: Client, token: str, folder: Path, clock: Clock) -> ExistingStack:
        mark = RunIdentity(token, Kind.UP, Owner.this_process())
        with engine_errors("stack"):
            network = client.api.inspect_network(mark.name("sandbox_net"))
            inspected = {n: client.api.inspect_container(mark.name(n)) for n in (REDIS, POSTGRES)}
        note = json.loads(network["Labels"][SETTINGS])
        passwords = StackPasswords.of(
            _variable(inspected[REDIS], "REDIS_PASSWORD"),
            _variable(inspected[POSTGRES], "POSTGRES_PASSWORD"),
        )
        zones = read_zones(folder, {**note["variables"], **secret_variables(passwords)})
        place = make_placement(mark, zones, folder)
        publish = {}
        for spec in zones.b.services:
            port = published_port(spec)
            if port is not None and not spec.on_demand:
                with engine_errors(spec.name):
                    document = client.api.inspect_container(mark.name(spec.name))
                publish[spec.name] = {port: _host_port(document, port)}
        containers = Containers(client, replace(place, publish=publish), passwords.texts(), clock)
        database = Database(publish[POSTGRES][published(zones, POSTGRES)], passwords, Contract())
        verifier = Verifier(
            client,
            containers,
            zones,
            read_specification(folder),
            database.admin_dsn,
            redis_url(publish[REDIS][published(zones, REDIS)], passwords),
            clock,
        )
        return cls(client, containers, zones, verifier, clock)


def published(zones: Zones, service: str) -> int:
    """The container's port of a server that is always published."""
    port = published_port(zones.service(service))
    assert port is not None  # noqa: S101 - it is one of the servers
    return port


def _variable(document: dict[str, Any], name: str) -> str:
    for text in document["Config"]["Env"] or ():
        if text.startswith(f"{name}="):
            return str(text.partition("=")[2])
    return ""


def _host_port(document: dict[str, Any], port: int) -> int:
    bindings = document["HostConfig"]["PortBindings"].get(f"{port}/tcp") or [{"HostPort": "0"}]
    return int(bindings[0]["HostPort"])
