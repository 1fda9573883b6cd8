"""A service of a Compose file as the options of a container; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from docker.types import (  # type: ignore[import-untyped] # the package publishes no types
    EndpointConfig,
    Ulimit,
)

from harness.stack.compose_file import ContainerSpec
from harness.stack.docker.labels import RunIdentity
from harness.stack.ports import LOOPBACK

# Endpoint settings have been the same since 1.22; any later version does.
_API_VERSION = "1.41"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where in the engine the containers of one stack go.

    Attributes:
        mark: their labels and names.
        networks: name in the engine by key in the Compose files.
        volumes: the same for volumes.
        folder: folder of the Compose files, which relative folders start from.
        publish: loopback port by service and container port.
    """

    mark: RunIdentity
    networks: Mapping[str, str]
    volumes: Mapping[str, str]
    folder: Path
    publish: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def source(self, source: str) -> str:
        """The engine's name of a volume, or the absolute path of a folder."""
        if source in self.volumes:
            return self.volumes[source]
        return str((self.folder / Path(source).expanduser()).resolve())


def run_options(spec: ContainerSpec, place: Placement, instance: int = 0) -> dict[str, Any]:
    """Keyword arguments of docker-py's `containers.create` beyond image, command and environment.

    The first network only: the others are joined afterwards, because the engine takes one at
    creation.

    Args:
        spec: the service.
        place: the stack it belongs to.
        instance: number of the instance of a service that is scaled; 0 for the only one.
    """
    options: dict[str, Any] = {
        "name": instance_name(spec, place, instance),
        "labels": place.mark.labels(spec.name),
        "cpu_period": spec.cpu_period_us,
        "cpu_quota": spec.cpu_quota_us,
        "mem_limit": spec.memory_bytes,
        "memswap_limit": spec.memory_swap_bytes,
        "restart_policy": {
            "Name": spec.restart.name,
            "MaximumRetryCount": spec.restart.retries,
        },
        "volumes": {
            place.source(mount.source): {
                "bind": mount.target,
                "mode": "ro" if mount.read_only else "rw",
            }
            for mount in spec.mounts
        },
        "tmpfs": dict(spec.tmpfs),
        "ports": _ports(spec, place),
        **_network(spec, place),
    }
    if spec.cpu_shares:
        options["cpu_shares"] = spec.cpu_shares
    if spec.shm_bytes:
        options["shm_size"] = spec.shm_bytes
    if spec.core_unlimited:
        options["ulimits"] = [Ulimit(name="core", soft=-1, hard=-1)]
    if spec.entrypoint:
        options["entrypoint"] = list(spec.entrypoint)
    if spec.init:
        options["init"] = True
    options |= {key: value for key, value in _rights(spec).items() if value}
    if spec.health is not None:
        options["healthcheck"] = {
            "test": list(spec.health.test),
            "interval": spec.health.interval_ns,
            "timeout": spec.health.timeout_ns,
            "retries": spec.health.retries,
        }
    return options


def _rights(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "user": spec.user,
        "cap_drop": list(spec.cap_drop),
        "cap_add": list(spec.cap_add),
        "security_opt": list(spec.security_opt),
    }


def without_limits(spec: ContainerSpec) -> ContainerSpec:
    """The same service without any limit of its own; 0 means none to the engine."""
    return replace(spec, cpu_quota_us=0, cpu_shares=0, memory_bytes=0, memory_swap_bytes=0)


def instance_name(spec: ContainerSpec, place: Placement, instance: int = 0) -> str:
    """Name of a container in the engine."""
    return place.mark.name(f"{spec.name}-{instance}" if instance else spec.name)


def _network(spec: ContainerSpec, place: Placement) -> dict[str, Any]:
    if not spec.networks:
        return {}
    name = place.networks[spec.networks[0]]
    return {
        "network": name,
        "networking_config": {name: EndpointConfig(_API_VERSION, aliases=[spec.name])},
    }


def _ports(spec: ContainerSpec, place: Placement) -> dict[str, tuple[str, int]]:
    """Ports on loopback: those of the Compose file and those that the harness needs.

    Fixed ones, since a port that the engine chooses changes when the container restarts.
    """
    published = {f"{port}/tcp": (LOOPBACK, host) for port, host in _of_file(spec).items()}
    asked = place.publish.get(spec.name, {})
    return {**published, **{f"{port}/tcp": (LOOPBACK, host) for port, host in asked.items()}}


def _of_file(spec: ContainerSpec) -> dict[int, int]:
    ports = {}
    for text in spec.ports:
        *_, host, port = text.split(":")
        ports[int(port)] = int(host)
    return ports
