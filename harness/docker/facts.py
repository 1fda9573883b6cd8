"""What a container is, in a form in which a wish and an engine's answer can be compared; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from harness.docker.options import Placement, run_options
from harness.stack.composefile import ContainerSpec, Health, Restart

# The engine's own, https://docs.docker.com/reference/cli/docker/container/run/#runtime-options
_SHM_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Facts:
    """Settings of a container that do not change by themselves.

    Networks and volumes go by their keys in the Compose files. Sizes in bytes, period and quota
    in microseconds; shares of 0 are the engine's default.

    Attributes:
        mounts: source, target, whether read-only.
        tmpfs: target and options.
        networks: network and the names that the container has there.
        ports: container port, address and port of the host.
    """

    image: str
    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    environment: frozenset[tuple[str, str]]
    cpu_period_us: int
    cpu_quota_us: int
    cpu_shares: int
    memory_bytes: int
    memory_swap_bytes: int
    shm_bytes: int
    restart: Restart
    core_unlimited: bool
    init: bool
    mounts: frozenset[tuple[str, str, bool]]
    tmpfs: frozenset[tuple[str, str]]
    networks: frozenset[tuple[str, tuple[str, ...]]]
    ports: frozenset[tuple[str, str, str]]
    health: Health | None


def facts_of_spec(spec: ContainerSpec, place: Placement) -> Facts:
    """What a container of this service is to be."""
    published = run_options(spec, place)["ports"]
    return Facts(
        image=spec.image,
        command=spec.command,
        entrypoint=spec.entrypoint,
        environment=frozenset(spec.environment),
        cpu_period_us=spec.cpu_period_us,
        cpu_quota_us=spec.cpu_quota_us,
        cpu_shares=spec.cpu_shares,
        memory_bytes=spec.memory_bytes,
        memory_swap_bytes=spec.memory_swap_bytes,
        shm_bytes=spec.shm_bytes or _SHM_BYTES,
        restart=spec.restart,
        core_unlimited=spec.core_unlimited,
        init=spec.init,
        mounts=frozenset(
            (
                m.source if m.source in place.volumes else place.source(m.source),
                m.target,
                m.read_only,
            )
            for m in spec.mounts
        ),
        tmpfs=frozenset(spec.tmpfs),
        networks=frozenset((network, (spec.name,)) for network in spec.networks),
        ports=frozenset((port, host, str(number)) for port, (host, number) in published.items()),
        health=spec.health,
    )


def facts_of_inspect(document: Mapping[str, Any], names: Mapping[str, str], service: str) -> Facts:
    """What the engine says a container is.

    Args:
        document: answer of `GET /containers/{id}/json`.
        names: key in the Compose files by name in the engine, of networks and volumes.
        service: service of the container; other aliases, such as its id, are left out.
    """
    config, host = document["Config"], document["HostConfig"]
    restart = host["RestartPolicy"]
    return Facts(
        image=config["Image"],
        command=tuple(config["Cmd"] or ()),
        entrypoint=tuple(config["Entrypoint"] or ()),
        environment=frozenset(_pair(text) for text in config["Env"] or ()),
        cpu_period_us=host["CpuPeriod"],
        cpu_quota_us=host["CpuQuota"],
        cpu_shares=host["CpuShares"],
        memory_bytes=host["Memory"],
        memory_swap_bytes=host["MemorySwap"],
        shm_bytes=host["ShmSize"],
        restart=Restart(restart["Name"] or "no", restart["MaximumRetryCount"]),
        core_unlimited=any(
            limit["Name"] == "core" and limit["Soft"] == limit["Hard"] == -1
            for limit in host["Ulimits"] or ()
        ),
        init=bool(host.get("Init")),
        mounts=frozenset(_mounts(document["Mounts"], names)),
        tmpfs=frozenset((host.get("Tmpfs") or {}).items()),
        networks=frozenset(_networks(document["NetworkSettings"], names, service)),
        ports=frozenset(_ports(host["PortBindings"] or {})),
        health=_health(config.get("Healthcheck")),
    )


def differences(wanted: Facts, found: Facts) -> tuple[tuple[str, Any, Any], ...]:
    """Fields in which two containers differ: name, wanted, found.

    The image adds variables, an entrypoint, a command and a health check of its own, so these
    count only where something was wanted.
    """
    different = []
    for item in fields(Facts):
        left, right = getattr(wanted, item.name), getattr(found, item.name)
        if item.name == "environment":
            right = right & left
        elif item.name in {"entrypoint", "command", "health"} and not left:
            continue
        if left != right:
            different.append((item.name, left, right))
    return tuple(different)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _mounts(
    mounts: Iterable[Mapping[str, Any]], names: Mapping[str, str]
) -> Iterable[tuple[str, str, bool]]:
    for mount in mounts:
        if mount["Type"] == "tmpfs":
            continue
        source = mount["Name"] if mount["Type"] == "volume" else mount["Source"]
        yield names.get(source, source), mount["Destination"], not mount["RW"]


def _networks(
    settings: Mapping[str, Any], names: Mapping[str, str], service: str
) -> Iterable[tuple[str, tuple[str, ...]]]:
    for name, endpoint in settings["Networks"].items():
        aliases = tuple(alias for alias in endpoint["Aliases"] or () if alias == service)
        yield names.get(name, name), tuple(dict.fromkeys(aliases))


def _ports(bindings: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    for port, hosts in bindings.items():
        for host in hosts or ():
            yield port, host["HostIp"], host["HostPort"]


def _health(body: Mapping[str, Any] | None) -> Health | None:
    if not body:
        return None
    return Health(
        test=tuple(body["Test"]),
        interval_ns=body.get("Interval", 0),
        timeout_ns=body.get("Timeout", 0),
        retries=body.get("Retries", 0),
    )
