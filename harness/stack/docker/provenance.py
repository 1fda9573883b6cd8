"""What ran, for `stack.json`: engine, images, servers, and what keeps a run from a sign-off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import redis
from pydantic import SecretStr

from harness.errors import StackError
from harness.stack.compose_file import ContainerSpec
from harness.stack.docker.client import Client, engine_errors
from harness.stack.docker.database import Database
from harness.stack.docker.images import OURS
from harness.stack.docker.server_settings import CONFIG_GET, SHOW
from harness.stack.docker.settings import POSTGRES, REDIS, DockerSettings, Zones, always_on_services
from harness.stack.docker.specification import Quota
from harness.stack.docker.verification_rows import VerificationRow
from harness.stack.postgres_roles import settings_in_force

# A relative pattern: the working directory, where the engine's volume is.
CORES_TO_VOLUME = "the engine's volume"
_CRASHES = "/var/crash/"
_CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
_LAG_VERSION_MIN = 7
_TIMEOUT_S = 5


def start_provenance(
    client: Client,
    settings: DockerSettings,
    zones: Zones,
    quotas: Mapping[str, Quota],
    rows: Iterable[VerificationRow],
    database: Database,
    redis_url: SecretStr,
) -> dict[str, Any]:
    """What was started, where, and what keeps a run on it from a sign-off.

    Raises:
        StackError: engine or servers do not report them.
    """
    images = image_facts(client, always_on_services(zones.b), quotas)
    engine = engine_facts(client)
    goes_to = engine["core_pattern"]["goes_to"]
    return {
        "agents_limited": not settings.free_agents,
        "image_set": settings.image_set,
        "engine": engine,
        "images": images,
        "grade_reasons": grade_reasons(zones.b.services, images, engine["cpus"], goes_to),
        **server_facts(rows, database.admin_dsn, redis_url),
    }


def engine_facts(client: Client) -> dict[str, Any]:
    """The container engine and its host."""
    with engine_errors("docker"):
        info, version = client.api.info(), client.api.version()
    return {
        "version": version["Version"],
        "api_version": client.api._version,  # noqa: SLF001 - it has no public name
        "cgroup_version": info.get("CgroupVersion", ""),
        "cgroup_driver": info.get("CgroupDriver", ""),
        "storage_driver": info.get("Driver", ""),
        "kernel": info.get("KernelVersion", ""),
        "cpus": info.get("NCPU", 0),
        "memory_bytes": info.get("MemTotal", 0),
        "warnings": info.get("Warnings") or [],
        "core_pattern": core_pattern(),
    }


def core_pattern(path: Path = _CORE_PATTERN) -> dict[str, str]:
    """Where the kernel puts core files; the pattern is the host's, for every container."""
    try:
        pattern = path.read_text(encoding="ascii").strip()
    except OSError:
        return {"pattern": "", "goes_to": "unknown"}
    if pattern.startswith("|"):
        goes_to = "a program of the host"
    elif pattern.startswith("/") and not pattern.startswith(_CRASHES):
        goes_to = f"{pattern} in the container"
    else:
        goes_to = CORES_TO_VOLUME
    return {"pattern": pattern, "goes_to": goes_to}


def image_facts(
    client: Client, specs: Iterable[ContainerSpec], quotas: Mapping[str, Quota]
) -> dict[str, Any]:
    """The image of each service, by name and digest, and whether it is the specified one.

    The specification names base images, so one that is built on it is as specified too; that can
    be known only where the base image is present.
    """
    facts = {}
    for spec in specs:
        with engine_errors(spec.name):
            document = client.api.inspect_image(spec.image)
        wanted = quotas[spec.name].image if spec.name in quotas else None
        is_built_on = wanted is not None and starts_with(_layers(document), _base(client, wanted))
        facts[spec.name] = {
            "image": spec.image,
            "id": document["Id"],
            "repo_digests": document.get("RepoDigests") or [],
            "specified": wanted,
            "as_specified": spec.image == wanted or is_built_on,
        }
    return facts


def starts_with(layers: tuple[str, ...], base: tuple[str, ...]) -> bool:
    """Whether an image's layers begin with those of a base, of which there is at least one."""
    return bool(base) and layers[: len(base)] == base


def _base(client: Client, image: str) -> tuple[str, ...]:
    with engine_errors(image):
        if not client.api.images(name=image):
            return ()
        return _layers(client.api.inspect_image(image))


def _layers(document: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple((document.get("RootFS") or {}).get("Layers") or ())


def server_facts(
    rows: Iterable[VerificationRow], admin_dsn: SecretStr, redis_url: SecretStr
) -> dict[str, dict[str, Any]]:
    """Versions and settings of PostgreSQL and Redis, as every kind of stack reports them."""
    rows = tuple(rows)
    version = settings_in_force(admin_dsn.get_secret_value(), ("server_version",))
    redis_version = _redis_version(redis_url)
    has_lag = int(redis_version.partition(".")[0] or 0) >= _LAG_VERSION_MIN
    return {
        "postgres": {
            "version": version["server_version"],
            "settings": _settings(rows, POSTGRES, SHOW),
        },
        "redis": {
            "version": redis_version,
            "group_lag": has_lag,
            "settings": _settings(rows, REDIS, CONFIG_GET),
        },
    }


def grade_reasons(
    specs: Iterable[ContainerSpec],
    images: Mapping[str, Mapping[str, Any]],
    cpus: int,
    core_goes_to: str,
) -> list[str]:
    """What keeps a run on this stack from a sign-off, one sentence each.

    Args:
        specs: every service of Zone B.
        images: see `image_facts`.
        cpus: of the engine's host.
        core_goes_to: see `core_pattern`.
    """
    specs = tuple(specs)
    reasons = [
        f"{name} runs {facts['image']}, specified is {facts['specified']} or an image built on it"
        for name, facts in images.items()
        if facts["specified"] and not facts["as_specified"]
    ]
    reasons += [
        f"{name} is a reference service of the harness, not the real one"
        for name, facts in images.items()
        if facts["image"].startswith(f"{OURS}reference")
    ]
    if shortage := cpu_shortage(specs, cpus):
        reasons.append(shortage)
    if core_goes_to != CORES_TO_VOLUME:
        reasons.append(f"the host's core_pattern sends core files to {core_goes_to}")
    return reasons


def cpu_shortage(specs: Iterable[ContainerSpec], cpus: int) -> str:
    """What it means that a host has fewer CPUs than the quotas add up to; empty where it has not.

    Args:
        specs: every service of Zone B.
        cpus: of the engine's host.
    """
    quota = sum(spec.cpus for spec in specs)
    if quota <= cpus:
        return ""
    return (
        f"the host has {cpus} CPUs and the quotas of Zone B add up to {quota:g}: containers compete"
        " before they reach their quotas, so a PASS holds for this slower host, a FAIL may be the"
        " host's, and no run here is a sign-off"
    )


def _settings(
    rows: tuple[VerificationRow, ...], container: str, question: str
) -> dict[str, dict[str, str]]:
    return {
        row.setting.removeprefix(f"{question} "): {"specified": row.specified, "applied": row.live}
        for row in rows
        if row.container == container and row.setting.startswith(question)
    }


def _redis_version(url: SecretStr) -> str:
    try:
        with redis.Redis.from_url(url.get_secret_value(), socket_timeout=_TIMEOUT_S) as client:
            return str(client.info("server")["redis_version"])
    except redis.RedisError as error:
        raise StackError(f"does not report its version: {error}", where=REDIS) from error
