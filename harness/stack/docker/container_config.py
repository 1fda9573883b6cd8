"""What a container is, in a form in which a wish and an engine's answer can be compared; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from harness.stack.compose_file import ContainerSpec, HealthCheckSpec, RestartSpec
from harness.stack.docker.options import Placement, run_options

# Where an engine keeps an image whose name has no registry; Podman reports the whole name.
_REGISTRIES = ("", "localhost/", "docker.io/", "docker.io/library/")
# An image's own VOLUME, to which the engine gives a random name.
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
# Labels of whoever started the container: by design other ones with Compose and with the harness.
_STARTERS = ("com.docker.compose.", "signal-harness.", "org.testcontainers")
# Further settings, which our Compose files leave at their default: one that is not changes what is
# measured, or who is isolated from whom.
_HOST = """
    AutoRemove BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps
    BlkioWeight BlkioWeightDevice CpuCount CpuPercent CpuRealtimePeriod CpuRealtimeRuntime
    CpusetCpus CpusetMems DeviceCgroupRules DeviceRequests Devices ExtraHosts GroupAdd Links
    MemoryReservation MemorySwappiness OomKillDisable PidMode Privileged PublishAllPorts
    ReadonlyRootfs StorageOpt Sysctls UTSMode UsernsMode VolumesFrom
"""
# The same, but the image or the engine's own configuration may give them, so that they count only
# where something was wanted.
_HOST_OR_ENGINE = """
    CgroupParent CgroupnsMode Dns DnsOptions DnsSearch IpcMode LogConfig NanoCpus OomScoreAdj
    PidsLimit Runtime SecurityOpt
"""
_CONFIG = "User WorkingDir StopSignal StopTimeout Tty OpenStdin Domainname"
_HEALTH = "StartPeriod StartInterval"
_CAPABILITIES = "capabilities"
_OWN = frozenset(f"{_CAPABILITIES} {_HOST_OR_ENGINE} {_CONFIG} {_HEALTH}".split())
# https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
_DEFAULT_CAPABILITIES = """
    AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID
    SETPCAP SETUID SYS_CHROOT
"""
# How engines write that nothing was set; Podman calls a private namespace `private`.
_UNSET: tuple[Any, ...] = (None, False, 0, -1, "", "private", [], {})


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """Settings of a container that do not change by themselves.

    Networks and volumes go by their keys in the Compose files. Sizes in bytes, period and quota
    in microseconds; shares and shared memory of 0 are the engine's default.

    Attributes:
        ulimits: name, soft and hard limit; -1 is unlimited.
        mounts: source, target, whether read-only.
        tmpfs: target and options.
        networks: network and the names that the container has there.
        ports: container port, address and port of the host.
        labels: but those of whoever started it.
        others: the engine's name of a further setting, and its value as JSON; absent where unset.
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
    restart: RestartSpec
    ulimits: frozenset[tuple[str, int, int]]
    init: bool
    mounts: frozenset[tuple[str, str, bool]]
    tmpfs: frozenset[tuple[str, str]]
    networks: frozenset[tuple[str, tuple[str, ...]]]
    ports: frozenset[tuple[str, str, str]]
    health: HealthCheckSpec | None
    labels: frozenset[tuple[str, str]] = frozenset()
    others: frozenset[tuple[str, str]] = frozenset()


def config_of_spec(spec: ContainerSpec, place: Placement) -> ContainerConfig:
    """What a container of this service is to be."""
    published = run_options(spec, place)["ports"]
    return ContainerConfig(
        image=spec.image,
        command=spec.command,
        entrypoint=spec.entrypoint,
        environment=frozenset(spec.environment),
        cpu_period_us=spec.cpu_period_us,
        cpu_quota_us=spec.cpu_quota_us,
        cpu_shares=spec.cpu_shares,
        memory_bytes=spec.memory_bytes,
        memory_swap_bytes=spec.memory_swap_bytes,
        shm_bytes=spec.shm_bytes,
        restart=spec.restart,
        ulimits=frozenset({("core", -1, -1)} if spec.core_unlimited else ()),
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
        others=frozenset(_others(*_rights(spec))),
    )


def _rights(spec: ContainerSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """User and capabilities, as the engine writes them in `Config` and `HostConfig`."""
    host = {"CapAdd": spec.cap_add, "CapDrop": spec.cap_drop, "SecurityOpt": spec.security_opt}
    return {"User": spec.user}, {key: list(value) for key, value in host.items()}


def config_of_inspect(
    document: Mapping[str, Any], names: Mapping[str, str], service: str
) -> ContainerConfig:
    """What the engine says a container is.

    Args:
        document: answer of `GET /containers/{id}/json`.
        names: key in the Compose files by name in the engine, of networks and volumes.
        service: service of the container; other aliases, such as its id, are left out.
    """
    config, host = document["Config"], document["HostConfig"]
    restart = host["RestartPolicy"]
    return ContainerConfig(
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
        restart=RestartSpec(restart["Name"] or "no", restart["MaximumRetryCount"]),
        ulimits=frozenset(
            (limit["Name"].removeprefix("RLIMIT_").lower(), limit["Soft"], limit["Hard"])
            for limit in host.get("Ulimits") or ()
        ),
        init=bool(host.get("Init")),
        mounts=frozenset(_mounts(document["Mounts"], names)),
        tmpfs=frozenset((host.get("Tmpfs") or {}).items()),
        networks=frozenset(_networks(document["NetworkSettings"], names, service)),
        ports=frozenset(_ports(host["PortBindings"] or {})),
        health=_health(config.get("Healthcheck")),
        labels=frozenset(
            label
            for label in (config.get("Labels") or {}).items()
            if not label[0].startswith(_STARTERS)
        ),
        others=frozenset(_others(config, host)),
    )


def differences(
    wanted: ContainerConfig, found: ContainerConfig
) -> tuple[tuple[str, Any, Any], ...]:
    """Fields in which two containers differ: name, wanted, found.

    The image adds variables, labels, an entrypoint, a command and a health check of its own, and
    the engine limits and mount options, so these count only where something was wanted.
    """
    different: list[tuple[str, Any, Any]] = []
    for item in fields(ContainerConfig):
        left, right = getattr(wanted, item.name), getattr(found, item.name)
        if item.name == "others":
            different += _other_differences(dict(left), dict(right))
        elif not _as_wanted(item.name, left, right):
            different.append((item.name, left, right))
    return tuple(different)


def same_image(wanted: str, found: str) -> bool:
    """Whether an engine's name of an image, which may be the full one, is the name given."""
    tag = "" if ":" in wanted.rpartition("/")[2] else ":latest"
    return found in {f"{host}{name}" for host in _REGISTRIES for name in (wanted, wanted + tag)}


def _as_wanted(name: str, wanted: Any, found: Any) -> bool:
    if name == "image":
        return same_image(wanted, found)
    if name in {"environment", "labels", "ulimits"}:
        return bool(wanted <= found)
    if name in {"entrypoint", "command", "health", "shm_bytes"} and not wanted:
        return True
    if name == "tmpfs":
        options = {target: set(given.split(",")) for target, given in found}
        return {target for target, _ in wanted} == set(options) and all(
            set(filter(None, given.split(","))) <= options[target] for target, given in wanted
        )
    return bool(wanted == found)


def _other_differences(
    wanted: Mapping[str, str], found: Mapping[str, str]
) -> Iterable[tuple[str, str, str]]:
    for name in sorted(wanted.keys() | found.keys()):
        left, right = wanted.get(name, "unset"), found.get(name, "unset")
        if left != right and (name in wanted or name not in _OWN):
            yield name, left, right


def _others(config: Mapping[str, Any], host: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    health = config.get("Healthcheck") or {}
    yield from _capabilities(host.get("CapAdd") or (), host.get("CapDrop") or ())
    for source, names in ((host, _HOST + _HOST_OR_ENGINE), (config, _CONFIG), (health, _HEALTH)):
        for name in names.split():
            value = source.get(name)
            if name == "SecurityOpt":  # Podman leaves out that a switch is on
                value = sorted(re.sub("[:=]true$", "", option) for option in value or ())
            if value not in _UNSET:
                yield name, json.dumps(value, sort_keys=True)


def _capabilities(add: Iterable[str], drop: Iterable[str]) -> Iterable[tuple[str, str]]:
    """What a container may do; Podman lists each that was dropped, where Docker lists ALL."""
    added, dropped = ({cap.upper().removeprefix("CAP_") for cap in caps} for caps in (add, drop))
    if added or dropped:
        kept = set() if "ALL" in dropped else set(_DEFAULT_CAPABILITIES.split()) - dropped
        yield _CAPABILITIES, json.dumps(sorted(kept | added))


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
        if mount["Type"] == "volume" and source not in names and _ANONYMOUS.fullmatch(source):
            continue
        yield names.get(source, source), mount["Destination"], not mount["RW"]


def _networks(
    settings: Mapping[str, Any], names: Mapping[str, str], service: str
) -> Iterable[tuple[str, tuple[str, ...]]]:
    for name, endpoint in settings["Networks"].items():
        aliases = tuple(alias for alias in endpoint.get("Aliases") or () if alias == service)
        yield names.get(name, name), tuple(dict.fromkeys(aliases))


def _ports(bindings: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    for port, hosts in bindings.items():
        for host in hosts or ():
            yield port, host["HostIp"], host["HostPort"]


def _health(body: Mapping[str, Any] | None) -> HealthCheckSpec | None:
    if not body:
        return None
    return HealthCheckSpec(
        test=tuple(body["Test"]),
        interval_ns=body.get("Interval", 0),
        timeout_ns=body.get("Timeout", 0),
        retries=body.get("Retries", 0),
    )
