"""What Compose makes of the same files is what the harness makes of them, field by field."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.docker.client import Client
from harness.docker.facts import Facts, differences, facts_of_inspect
from harness.docker.labels import RUN
from harness.docker.settings import open_variables
from harness.stack.composefile import ComposeFile, read_compose
from harness.stack.settings import ROOT
from tests.docker.conftest import Running
from tests.docker.interrupted import settings

pytestmark = pytest.mark.docker

COMPOSE = ROOT / "compose"
PROJECT = "harness-compare"
VARIABLES = {
    **open_variables(settings()),
    "REDIS_PASSWORD": "r",
    "POSTGRES_PASSWORD": "p",
    "NETWORK_PREFIX": f"{PROJECT}-",
    "PORTAL_PORT": "18443",
}
FILES = ("zone-b.yaml", "zone-a.yaml")


def compose(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Compose on the project's files; version 2 if it is there, else version 1."""
    docker, v1 = shutil.which("docker"), shutil.which("docker-compose")
    ask = [docker or "", "compose", "version"]
    if docker and subprocess.run(ask, capture_output=True, check=False).returncode == 0:
        program = ask[:2]
    elif v1:
        program = [v1]
    else:
        pytest.skip("neither `docker compose` nor `docker-compose` is installed")
    return subprocess.run(
        [*program, "--project-name", PROJECT, *words],
        env={**os.environ, **VARIABLES},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def as_made_by_compose(client: Client, file: ComposeFile) -> dict[str, Facts]:
    """Facts of every container of the project, by service."""
    names = {name: key for key, name, _ in file.networks}
    names |= {f"{PROJECT}_{key}": key for key in file.volumes}
    filters = {"label": f"com.docker.compose.project={PROJECT}"}
    found = {}
    for entry in client.api.containers(all=True, filters=filters):
        service = entry["Labels"]["com.docker.compose.service"]
        document = client.api.inspect_container(entry["Id"])
        found[service] = facts_of_inspect(document, names, service)
    return found


@pytest.fixture
def project(images: None) -> Iterator[None]:
    """A Compose project that is gone afterwards."""
    del images
    yield
    for file in reversed(FILES):
        compose("--file", str(COMPOSE / file), "--profile", "gate", "down", "--volumes")


@pytest.mark.parametrize("file", FILES)
def test_compose_accepts_the_files(client: Client, file: str) -> None:
    """`config` finds nothing to object to."""
    del client
    done = compose("--file", str(COMPOSE / file), "--profile", "gate", "config")
    assert done.returncode == 0, done.stderr
    assert "ignored" not in done.stderr


def test_compose_and_the_harness_make_the_same(running: Running, project: None) -> None:
    """Every setting of every container, as the engine tells it of either."""
    del project
    running.stack.scale(1)
    running.stack.open_gate()
    ours = as_made_by_the_harness(running)
    running.stack.close_gate()
    compared = set()
    for name in FILES:
        done = compose("--file", str(COMPOSE / name), "--profile", "gate", "up", "--no-start")
        assert done.returncode == 0, done.stderr
        if name == "zone-b.yaml":  # version 1 joins a second network only at the start
            compose("--file", str(COMPOSE / name), "up", "--detach", "--no-deps", "redis")
        file = read_compose(COMPOSE / name, VARIABLES)
        for service, theirs in as_made_by_compose(running.client, file).items():
            if service in ours and service not in compared:
                # Ports that the harness alone needs; and passwords are each stack's own.
                mine = replace(ours[service], ports=theirs.ports, environment=theirs.environment)
                assert differences(theirs, mine) == (), service
                assert _names(theirs) == _names(ours[service]), service
                compared.add(service)
    assert len(compared) == 9


def as_made_by_the_harness(running: Running) -> dict[str, Facts]:
    """Facts of every container of the session's stack, by service."""
    crew = running.stack._crew
    assert crew is not None
    filters = {"label": f"{RUN}={running.stack.token}"}
    found = {}
    for entry in running.client.api.containers(all=True, filters=filters):
        service = entry["Labels"]["signal-harness.service"]
        document = running.client.api.inspect_container(entry["Id"])
        found[service] = facts_of_inspect(document, crew.containers.names, service)
    return found


def _names(facts: Facts) -> set[str]:
    return {name for name, _ in facts.environment}
