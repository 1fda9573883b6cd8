"""A stack that Docker Compose started: found by Compose's labels, held against the specification.

Compose keeps none of the variables that its files were filled in with. They are read back from the
containers: where a file says `${IMAGE_REDIS:-redis:7.2-alpine}`, the container's image is what the
variable was. What a file leaves open thus counts as chosen, and must be the same wherever the
variable stands; quotas, policies and networks are no variables.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.clock import Clock
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.stack.compose_file import VARIABLE
from harness.stack.docker.client import Client, connect, engine_errors, need_this_host
from harness.stack.docker.containers import Containers
from harness.stack.docker.database import Database
from harness.stack.docker.existing_stack import published
from harness.stack.docker.images import OURS
from harness.stack.docker.labels import Kind, Owner, RunIdentity
from harness.stack.docker.options import Placement
from harness.stack.docker.settings import (
    ENGINE,
    POSTGRES,
    REDIS,
    StackPasswords,
    read_zones,
    redis_url,
)
from harness.stack.docker.specification import read_specification
from harness.stack.docker.sweep import existing_stacks
from harness.stack.docker.verification_rows import VerificationRow
from harness.stack.docker.verifier import StackSelector, Verifier

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
_ONE_OFF = "com.docker.compose.oneoff"
_KEYS = ("com.docker.compose.network", "com.docker.compose.volume")
_FILES = ("zone-b.yaml", "zone-a.yaml")
_SANDBOX = "sandbox_net"
# No host has this name (RFC 6761), so that a container without an address is not found elsewhere.
_NOWHERE = "none.invalid"


def verify_project(folder: Path, name: str, clock: Clock) -> tuple[VerificationRow, ...] | None:
    """Every row of a stack that Compose started; None where there is none.

    Args:
        folder: of the Compose files, which are read anew.
        name: of the project; empty for the only one, unless the harness has a stack running.
        clock: for containers that are being restarted.

    Raises:
        UsageError: no such project, or several and none is named.
        StackError: the engine does not answer.
    """
    client = connect()
    try:
        found = () if existing_stacks(client) and not name else projects(client)
        project = _choose(found, name)
        if project is None:
            return None
        need_this_host(client)  # quotas are read from the control groups of this kernel
        return _verifier(client, project, folder, clock).verify("now")
    finally:
        client.close()


def projects(client: Client) -> tuple[str, ...]:
    """The Compose projects of this host that have an execution engine."""
    with engine_errors("compose"):
        labels = [f"{SERVICE}={ENGINE}", f"{_ONE_OFF}=False"]
        listed = client.api.containers(all=True, filters={"label": labels})
    return tuple(sorted({entry["Labels"][PROJECT] for entry in listed}))


def _choose(found: tuple[str, ...], name: str) -> str | None:
    where = "--compose-project"
    if name and name not in found:
        near = difflib.get_close_matches(name, found, 1)
        nearest = f"did you mean {near[0]}?" if near else "`docker compose ls --all` lists projects"
        raise UsageError(
            f"no project {name!r} with the service {ENGINE}", where=where, hint=nearest
        )
    if not name and len(found) > 1:
        what = f"{len(found)} Compose projects have the service {ENGINE}: {', '.join(found)}"
        raise UsageError(what, where=where, hint=f"choose one: {where} {found[0]}")
    return name or (found[0] if found else None)


def _verifier(client: Client, project: str, folder: Path, clock: Clock) -> Verifier:
    documents = _inspected(client, project)
    variables = read_variables(folder, documents)
    zones = read_zones(folder, variables)
    files = (zones.a, zones.b)
    networks = {key for file in files for key, _, _ in file.networks}
    volumes = {key for file in files for key in file.volumes}
    names = engine_names(client, project, networks | volumes)
    place = Placement(
        mark=RunIdentity(project, Kind.UP, Owner.this_process()),
        networks={key: names.get(key, key) for key in networks},
        volumes={key: names.get(key, key) for key in volumes},
        folder=folder,
    )
    passwords = StackPasswords.of(
        variables.get("REDIS_PASSWORD", ""), variables.get("POSTGRES_PASSWORD", "")
    )
    hosts = {name: _address(documents.get(name), place) for name in (POSTGRES, REDIS)}
    database = Database(published(zones, POSTGRES), passwords, Contract(), hosts[POSTGRES])
    return Verifier(
        client,
        Containers(client, place, passwords.texts(), clock),
        zones,
        read_specification(folder),
        database.admin_dsn,
        redis_url(published(zones, REDIS), passwords, hosts[REDIS]),
        clock,
        StackSelector(f"{PROJECT}={project}", SERVICE, f"{project}-"),
    )


def engine_names(client: Client, project: str, keys: Iterable[str]) -> dict[str, str]:
    """The engine's names of a project's networks and volumes, by key in the Compose files.

    Version 1 labels a network with its name where the file gives one; each ends with its key.
    """
    filters = {"label": f"{PROJECT}={project}"}
    with engine_errors(project):
        listed = (
            *client.api.networks(filters=filters),
            *(client.api.volumes(filters=filters)["Volumes"] or ()),
        )
    found: dict[str, str] = {}
    for entry in listed:
        label = next((entry["Labels"][key] for key in _KEYS if key in entry["Labels"]), "")
        found |= {key: entry["Name"] for key in keys if label.endswith(key)}
    return found


def _inspected(client: Client, project: str) -> dict[str, dict[str, Any]]:
    """One container of each service."""
    labels = [f"{PROJECT}={project}", f"{_ONE_OFF}=False"]
    with engine_errors(project):
        listed = client.api.containers(all=True, filters={"label": labels})
        return {e["Labels"][SERVICE]: client.api.inspect_container(e["Id"]) for e in listed}


def _address(document: Mapping[str, Any] | None, place: Placement) -> str:
    """Where this host reaches a server that publishes no port."""
    networks = document["NetworkSettings"]["Networks"] if document else {}
    return networks.get(place.networks[_SANDBOX], {}).get("IPAddress") or _NOWHERE


def read_variables(folder: Path, documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What the variables of the Compose files were, from containers that were made of them.

    Args:
        folder: of the Compose files.
        documents: answer of `GET /containers/{id}/json` by service.

    Raises:
        UsageError: a file cannot be read.
    """
    variables = {"REDIS_PASSWORD": "-", "POSTGRES_PASSWORD": "-"}  # of services that are not there
    for file in _FILES:
        path = folder / file
        try:
            services = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise UsageError(f"cannot be read: {error}", where=str(path)) from error
        for name in services.keys() & documents.keys():
            for text, found in _texts(services[name], documents[name]):
                variables |= variables_of(text, found)
    return variables


def _texts(body: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Texts of a service in its file, and what may have become of each."""
    config = document["Config"]
    image = config["Image"].removeprefix(
        "localhost/"
    )  # Podman's prefix for an image of no registry
    yield body["image"], image if image.startswith(OURS) else config["Image"]
    environment = dict(text.partition("=")[::2] for text in config["Env"] or ())
    for key, text in (body.get("environment") or {}).items():
        if key in environment:
            yield str(text), environment[key]
    yield from zip(map(str, body.get("command", ())), config["Cmd"] or (), strict=False)
    mounts = [
        f"{mount['Source']}:{mount['Destination']}{'' if mount['RW'] else ':ro'}"
        for mount in document["Mounts"]
    ]
    ports = [
        f"{host['HostIp']}:{host['HostPort']}:{port.removesuffix('/tcp')}"
        for port, hosts in (document["HostConfig"]["PortBindings"] or {}).items()
        for host in hosts or ()
    ]
    for text in (*body.get("volumes", ()), *body.get("ports", ())):
        yield from ((text, found) for found in (*mounts, *ports))


def variables_of(text: str, found: str) -> dict[str, str]:
    """What the variables of a text were, if `found` is what became of it; else none."""
    pattern, begin = "", 0
    names: set[str] = set()
    for match in VARIABLE.finditer(text):
        pattern += re.escape(text[begin : match.start()])
        name, begin = match["name"], match.end()
        if match["escaped"]:
            pattern += re.escape("$")
        else:
            pattern += f"(?P={name})" if name in names else f"(?P<{name}>.*)"
            names.add(name)
    became = re.fullmatch(pattern + re.escape(text[begin:]), found, re.DOTALL)
    return became.groupdict() if became else {}
