"""`docker compose up --scale python-agent=3`: in force as specified, scaled, and gone again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from harness.clock import SystemClock
from harness.errors import Exit
from harness.stack.docker.client import Client
from harness.stack.docker.compose_project import PROJECT, SERVICE, verify_project
from harness.stack.docker.settings import (
    AGENT,
    ENGINE,
    StackPasswords,
    open_variables,
    secret_variables,
)
from harness.stack.docker.verification_rows import VerificationRow
from harness.stack.ports import free_port
from harness.stack.settings import ROOT
from tests.compose_client import CURRENT, Compose, client
from tests.docker.conftest import eventually
from tests.docker.interrupted import settings

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]

COMPOSE = ROOT / "compose"
NAME = "harness-scale"
ZONE_A = {AGENT, "ai-feedback-service", "admin-portal"}
# What a user types at the root of a checkout, if its compose.yaml joins the zones; else each zone.
_ZONES = [("--file", str(COMPOSE / file)) for file in ("zone-b.yaml", "zone-a.yaml")]
PARTS: list[tuple[str, ...]] = [()] if (ROOT / "compose.yaml").is_file() else [*_ZONES]


@pytest.fixture(scope="module")
def compose(client_of_engine: Client) -> Iterator[Compose]:
    """Both zones, started by Compose with three agents."""
    variables = {
        **open_variables(settings()),
        **secret_variables(StackPasswords.random()),
        "NETWORK_PREFIX": f"{NAME}-",
        "PORTAL_PORT": str(free_port()),
    }
    made = client(CURRENT, NAME, variables)
    try:
        up(made, 3)
        yield made
    finally:
        end(made)


@pytest.fixture(scope="module")
def client_of_engine(client: Client, images: None) -> Client:
    """The engine, with the images."""
    del images
    return client


def up(compose: Compose, agents: int) -> None:
    """Bring the project to so many agents."""
    for part in PARTS:
        scale = () if part == _ZONES[0] else ("--scale", f"{AGENT}={agents}")
        compose.done(*part, "up", "--detach", *scale)


def end(compose: Compose) -> None:
    """Take the project down."""
    for part in reversed(PARTS):
        compose.run(*part, "--profile", "gate", "down", "--volumes", "--timeout", "2")


def containers(engine: Client) -> dict[str, tuple[str, str, str, int]]:
    """Service, id, start and restarts of each running container of the project, by name."""
    found = {}
    for entry in engine.api.containers(filters={"label": f"{PROJECT}={NAME}"}):
        document = engine.api.inspect_container(entry["Id"])
        state, service = document["State"], document["Config"]["Labels"][SERVICE]
        begin = (service, document["Id"], state["StartedAt"], document["RestartCount"])
        found[document["Name"].removeprefix("/")] = begin
    return found


def zone_b(engine: Client) -> dict[str, tuple[str, str, str, int]]:
    """The containers of Zone B alone."""
    return {
        name: reported for name, reported in containers(engine).items() if reported[0] not in ZONE_A
    }


def rows() -> tuple[VerificationRow, ...]:
    """Specified against live."""
    found = verify_project(COMPOSE, NAME, SystemClock())
    assert found is not None
    return found


def harness_verify() -> subprocess.CompletedProcess[str]:
    """The command as a user gives it."""
    return subprocess.run(
        [*(sys.executable, "-m", "harness", "stack", "verify"), "--compose-project", NAME],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_quota_is_in_force(compose: Compose, client_of_engine: Client) -> None:
    """Every row that the harness has for its own stack, for the one that Compose started."""
    found = rows()
    assert [str(row) for row in found if not row.ok] == []
    agents = {f"{AGENT}-{number}" for number in (1, 2, 3)}
    of_zone_b = {reported[0] for reported in zone_b(client_of_engine).values()}
    assert len(of_zone_b) == 7
    assert {row.container for row in found} == agents | of_zone_b | ZONE_A - {AGENT} | {"anvil"}
    settings_read = {row.setting for row in found if row.container == ENGINE}
    assert {"CPU", "CPU shares", "memory", "swap", "restart", "core file"} <= settings_read
    servers = {row.setting for row in found if row.container in {"redis", "postgres"}}
    assert {"SHOW shared_buffers", "CONFIG GET appendonly"} <= servers
    done = harness_verify()
    assert done.returncode == Exit.PASS, done.stdout + done.stderr
    assert f"{len(found)} of {len(found)} as specified" in done.stdout


def test_a_changed_quota_is_named(compose: Compose, client_of_engine: Client) -> None:
    """By the command, with the exit code of evidence that does not hold."""
    api, size = client_of_engine.api, 1024**3
    (name,) = (
        name for name, reported in containers(client_of_engine).items() if reported[0] == ENGINE
    )
    api.update_container(name, mem_limit=7 * size, memswap_limit=7 * size)
    try:
        found = [str(row) for row in rows() if not row.ok]
        done = harness_verify()
    finally:
        api.update_container(name, mem_limit=8 * size, memswap_limit=8 * size)
    assert f"{ENGINE}: memory is 7 GiB, specified is 8 GiB" in found
    assert done.returncode == Exit.INVALID


def test_agents_are_scaled_and_zone_b_is_not_touched(
    compose: Compose, client_of_engine: Client
) -> None:
    """Three, six, two: the same processes of Zone B all the time, and every quota in force."""
    before = zone_b(client_of_engine)
    for agents in (6, 2):
        up(compose, agents)
        running = [
            reported for reported in containers(client_of_engine).values() if reported[0] == AGENT
        ]
        assert len(running) == agents
        found = rows()
        assert sum(name.startswith(AGENT) for name in {row.container for row in found}) == agents
        assert [str(row) for row in found if not row.ok] == []
    assert zone_b(client_of_engine) == before


def test_nothing_is_left(compose: Compose, client_of_engine: Client) -> None:
    """`down --volumes` removes containers, networks and volumes; then no project is found."""
    end(compose)
    api, filters = client_of_engine.api, {"label": f"{PROJECT}={NAME}"}

    def left() -> list[object]:
        return [
            *api.containers(all=True, filters=filters),
            *api.networks(filters=filters),
            *(api.volumes(filters=filters)["Volumes"] or ()),
        ]

    eventually(lambda: not left(), "everything of the project is gone")
    done = harness_verify()
    assert done.returncode == Exit.USAGE
    assert f"no project {NAME!r}" in done.stderr + done.stdout
