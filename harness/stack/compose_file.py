"""Reading Compose files: the one place where a quota is written.

Only what the project's own files use of the Compose specification
(https://github.com/compose-spec/compose-spec/blob/main/spec.md) is read; an unknown key is an
error, so that nothing written there is silently not in force.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.errors import EvidenceError, UsageError
from harness.safe_open import CONFIG_BYTES_MAX, read_regular

_NODES_MAX = 20_000
VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<op>:[-?])(?P<rest>[^}]*))?\})")
_SIZE = re.compile(r"^(\d+)([bkmg]?)b?$")
_FACTOR = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_DURATION = re.compile(r"^(\d+)(ms|s|m)$")
_NS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000}
_KNOWN = frozenset(
    [
        "image",
        # How an image is built or pulled: `harness.stack.docker.images` does that.
        "build",
        "pull_policy",
        "command",
        "entrypoint",
        "environment",
        "user",
        "cap_drop",
        "cap_add",
        "security_opt",
        "cpu_period",
        "cpu_quota",
        "cpu_shares",
        "mem_limit",
        "memswap_limit",
        "shm_size",
        "restart",
        "ulimits",
        "volumes",
        "tmpfs",
        "networks",
        "ports",
        "depends_on",
        "healthcheck",
        "init",
        "profiles",
    ]
)


@dataclass(frozen=True, slots=True)
class RestartSpec:
    """A restart policy; `retries` of zero means without end (`always`) or unlimited."""

    name: str
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume or a folder mounted into a container."""

    source: str
    target: str
    read_only: bool

    @property
    def is_folder(self) -> bool:
        """Whether the source is a folder of the host and not a named volume."""
        return self.source.startswith((".", "/", "~"))


@dataclass(frozen=True, slots=True)
class HealthCheckSpec:
    """A health check; times in nanoseconds, as the engine takes them."""

    test: tuple[str, ...]
    interval_ns: int
    timeout_ns: int
    retries: int


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One service of a Compose file. Sizes in bytes, CPU period and quota in microseconds."""

    name: str
    image: str
    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    cpu_period_us: int
    cpu_quota_us: int
    cpu_shares: int
    memory_bytes: int
    memory_swap_bytes: int
    shm_bytes: int
    restart: RestartSpec
    core_unlimited: bool
    mounts: tuple[Mount, ...]
    tmpfs: tuple[tuple[str, str], ...]
    networks: tuple[str, ...]
    ports: tuple[str, ...]
    needs: tuple[str, ...]
    health: HealthCheckSpec | None
    profiles: tuple[str, ...]
    init: bool
    user: str = ""
    cap_drop: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()

    @property
    def cpus(self) -> float:
        """The CPU quota in cores."""
        return self.cpu_quota_us / self.cpu_period_us

    @property
    def on_demand(self) -> bool:
        """Whether it is started for a gate only."""
        return bool(self.profiles)


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """A Compose file: its services in the order of the file, its volumes and networks."""

    path: Path
    services: tuple[ContainerSpec, ...]
    volumes: tuple[str, ...]
    networks: tuple[tuple[str, str, bool], ...]

    def service(self, name: str) -> ContainerSpec:
        """The service of this name.

        Raises:
            UsageError: there is none.
        """
        for service in self.services:
            if service.name == name:
                return service
        names = ", ".join(service.name for service in self.services)
        raise UsageError(f"no service {name!r}", where=str(self.path), hint=f"it has {names}")


def read_compose(path: Path, variables: Mapping[str, str]) -> ComposeFile:
    """Read a Compose file with its variables filled in.

    Raises:
        UsageError: unreadable, a required variable is missing, or a key is not known here.
    """
    try:
        document = yaml.safe_load(read_regular(path, CONFIG_BYTES_MAX, by_user=True))
    except (OSError, EvidenceError, RecursionError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path)) from error
    try:
        _count_nodes(document)
        return _compose_file(_fill(document, variables, path), path)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"cannot be understood: {type(error).__name__}: {error}",
            where=str(path),
            hint="a service needs image, mem_limit, cpu_period and cpu_quota",
        ) from error


def _count_nodes(document: Any) -> None:
    """Aliases make a small file a document without end, since each is filled in for itself."""
    left = [document]
    for _ in range(_NODES_MAX):
        if not left:
            return
        node = left.pop()
        left += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    raise ValueError(f"more than {_NODES_MAX:,} values")


def _compose_file(filled: Any, path: Path) -> ComposeFile:
    return ComposeFile(
        path=path,
        services=tuple(
            _service(name, dict(body), path) for name, body in filled["services"].items()
        ),
        volumes=tuple(filled.get("volumes") or ()),
        networks=tuple(
            (name, str((body or {}).get("name", name)), bool((body or {}).get("internal", False)))
            for name, body in (filled.get("networks") or {}).items()
        ),
    )


def _fill(node: Any, variables: Mapping[str, str], path: Path) -> Any:
    if isinstance(node, dict):
        return {key: _fill(value, variables, path) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, variables, path) for value in node]
    if isinstance(node, str):
        return VARIABLE.sub(lambda match: _value(match, variables, path), node)
    return node


def _value(match: re.Match[str], variables: Mapping[str, str], path: Path) -> str:
    if match["escaped"]:
        return "$"
    value = variables.get(match["name"], "")
    if value or match["op"] is None:
        return value
    if match["op"] == ":-":
        return match["rest"]
    raise UsageError(f"variable {match['name']} is not set", where=str(path), hint=match["rest"])


def _service(name: str, body: dict[str, Any], path: Path) -> ContainerSpec:
    if unknown := sorted(set(body) - _KNOWN):
        raise UsageError(f"keys not supported: {', '.join(unknown)}", where=f"{path}: {name}")
    memory = size_bytes(body["mem_limit"])
    return ContainerSpec(
        name=name,
        image=body["image"],
        command=tuple(body.get("command", ())),
        entrypoint=tuple(body.get("entrypoint", ())),
        environment=tuple(
            (key, str(value)) for key, value in (body.get("environment") or {}).items()
        ),
        cpu_period_us=int(body["cpu_period"]),
        cpu_quota_us=int(body["cpu_quota"]),
        cpu_shares=int(body.get("cpu_shares", 0)),
        memory_bytes=memory,
        memory_swap_bytes=size_bytes(body.get("memswap_limit", body["mem_limit"])),
        shm_bytes=size_bytes(body.get("shm_size", 0)),
        restart=parse_restart(str(body.get("restart", "no"))),
        core_unlimited=(body.get("ulimits") or {}).get("core") == -1,
        mounts=tuple(_mount(text) for text in body.get("volumes", ())),
        tmpfs=tuple(_tmpfs(text) for text in body.get("tmpfs", ())),
        networks=tuple(body.get("networks", ())),
        ports=tuple(str(port) for port in body.get("ports", ())),
        needs=tuple(body.get("depends_on", ())),
        health=_health(body.get("healthcheck")),
        profiles=tuple(body.get("profiles", ())),
        init=bool(body.get("init", False)),
        user=str(body.get("user", "")),
        cap_drop=tuple(body.get("cap_drop", ())),
        cap_add=tuple(body.get("cap_add", ())),
        security_opt=tuple(body.get("security_opt", ())),
    )


def size_bytes(value: str | int) -> int:
    """Bytes of a Compose size: `512m`, `4g`, `1048576`.

    Raises:
        ValueError: not a size.
    """
    match = _SIZE.match(str(value).lower())
    if match is None:
        raise ValueError(f"not a size: {value!r}")
    return int(match[1]) * _FACTOR[match[2]]


def parse_restart(text: str) -> RestartSpec:
    """A policy as Compose writes it: `always`, `on-failure:3`."""
    name, _, retries = text.partition(":")
    return RestartSpec(name, int(retries or 0))


def _mount(text: str) -> Mount:
    source, target, *options = text.split(":")
    return Mount(source, target, read_only="ro" in options)


def _tmpfs(text: str) -> tuple[str, str]:
    target, _, options = text.partition(":")
    return target, options


def _health(body: Mapping[str, Any] | None) -> HealthCheckSpec | None:
    if body is None:
        return None
    return HealthCheckSpec(
        test=tuple(body["test"]),
        interval_ns=_duration_ns(body["interval"]),
        timeout_ns=_duration_ns(body["timeout"]),
        retries=int(body["retries"]),
    )


def _duration_ns(text: str) -> int:
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"not a duration: {text!r}")
    return int(match[1]) * _NS[match[2]]
