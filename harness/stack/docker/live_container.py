"""A container as it is in force now, by the engine and by the kernel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StackError
from harness.process.cgroup import Limits, read_limits
from harness.stack.compose_file import size_bytes
from harness.stack.docker.client import Client, engine_errors
from harness.stack.docker.container_config import ContainerConfig, config_of_inspect

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class LiveMount:
    """A mount that the container's process sees; `size_bytes` of a tmpfs with a limit, else 0."""

    target: str
    kind: str
    read_only: bool
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LiveContainer:
    """A container at one moment.

    Attributes:
        pid: its first process on this host; 0 when it does not run.
        status: as the engine calls it: `running`, `restarting`, `exited`.
        health: `healthy`, `starting`, `unhealthy`; empty without a health check.
        facts: what the engine says of it.
        limits: its control group; None when it does not run.
        core_limit: soft limit of a core file in bytes as text, `unlimited` or a number.
        mounts: by target.
        image_id: digest of the image's configuration.
        repo_digests: digests under which registries know the image.
    """

    pid: int
    status: str
    health: str
    config: ContainerConfig
    limits: Limits | None
    core_limit: str
    mounts: Mapping[str, LiveMount]
    image_id: str
    repo_digests: tuple[str, ...]


def read_live(
    client: Client,
    container: str,
    service: str,
    names: Mapping[str, str],
    proc: Path = Path("/proc"),
) -> LiveContainer:
    """A container by name or id.

    Args:
        client: the engine.
        container: its name or id.
        service: its service.
        names: see `config_of_inspect`.
        proc: of the host that the engine runs on.

    Raises:
        StackError: there is no such container, or the host's files cannot be read.
    """
    with engine_errors(service):
        document = client.api.inspect_container(container)
        image = client.api.inspect_image(document["Image"])
    state = document["State"]
    pid = int(state["Pid"])
    limits, core, mounts = _of_process(pid, proc) if pid else (None, "", {})
    return LiveContainer(
        pid=pid,
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        config=config_of_inspect(document, names, service),
        limits=limits,
        core_limit=core,
        mounts=mounts,
        image_id=document["Image"],
        repo_digests=tuple(image.get("RepoDigests") or ()),
    )


def parse_core_limit(text: str) -> str:
    """Soft limit of a core file in a process's `limits` (proc(5))."""
    for line in text.splitlines():
        if line.startswith("Max core file size"):
            return line.removeprefix("Max core file size").split()[0]
    return ""


def parse_mounts(text: str) -> dict[str, LiveMount]:
    """Mounts by target, from a process's `mountinfo` (proc(5)); the last one at a place counts."""
    mounts = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        target = _OCTAL.sub(lambda match: chr(int(match[1], 8)), before.split()[4])
        options = before.split()[5].split(",")
        kind, _, super_options = after.split(" ", 2)
        sizes = [o.removeprefix("size=") for o in super_options.split(",") if o.startswith("size=")]
        mounts[target] = LiveMount(
            target=target,
            kind=kind,
            read_only="ro" in options,
            size_bytes=size_bytes(sizes[0]) if kind == "tmpfs" and sizes else 0,
        )
    return mounts


def _of_process(pid: int, proc: Path) -> tuple[Limits, str, dict[str, LiveMount]]:
    limits = read_limits(pid, proc=proc)
    try:
        core = parse_core_limit((proc / str(pid) / "limits").read_text(encoding="ascii"))
        mounts = parse_mounts((proc / str(pid) / "mountinfo").read_text(encoding="utf-8"))
    except OSError as error:
        raise StackError(
            f"process {pid} cannot be read: {error}",
            where=str(proc),
            hint="run the harness as root, or as the user that the engine runs as",
        ) from error
    return limits, core, mounts


def names_of(networks: Mapping[str, str], volumes: Mapping[str, str]) -> dict[str, str]:
    """Keys in the Compose files by name in the engine."""
    return {name: key for key, name in (*networks.items(), *volumes.items())}
