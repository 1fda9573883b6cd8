"""One stack of containers for the whole session, from images that hold the code under test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.errors import StackError
from harness.stack.base import Endpoints, ServiceState
from harness.stack.docker.client import Client, connect
from harness.stack.docker.commands import build_images
from harness.stack.docker.offline_images import BASE
from harness.stack.docker.settings import AGENT
from harness.stack.docker.stack import DockerStack
from harness.stack.settings import ROOT
from tests.docker.interrupted import settings

_POLL_NS = 50_000_000
_PATIENCE_NS = 20_000_000_000


@dataclass(frozen=True, slots=True)
class Running:
    """The session's stack."""

    stack: DockerStack
    endpoints: Endpoints
    client: Client

    def name(self, service: str) -> str:
        """A container's name."""
        return f"harness-{self.stack.token}-{service}"

    def state(self, service: str) -> ServiceState:
        """A service now."""
        return next(state for state in self.stack.services() if state.name == service)

    def execute(self, service: str, *command: str) -> tuple[int, str]:
        """Run a command inside a container; exit code and output."""
        job = self.client.api.exec_create(self.name(service), list(command))
        output = self.client.api.exec_start(job["Id"]).decode()
        return self.client.api.exec_inspect(job["Id"])["ExitCode"], output

    def agent(self) -> str:
        """A container of Zone A."""
        if not any(state.name.startswith(AGENT) for state in self.stack.services()):
            self.stack.scale(1)
        return f"{AGENT}-1"


def eventually(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so; bounded."""
    clock = SystemClock()
    deadline_ns = clock.now_ns() + _PATIENCE_NS
    while not is_so():
        if clock.now_ns() > deadline_ns:
            pytest.fail(f"not within {_PATIENCE_NS / 1e9:.0f} s: {what}")
        clock.sleep_ns(_POLL_NS)


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """The container engine; tests are skipped where none answers."""
    try:
        made = connect()
    except StackError as error:
        pytest.skip(f"no container engine: {error.what}")
    if not made.api.images(name=BASE):
        made.close()
        pytest.skip("the offline images are not built: `harness images build offline`")
    yield made
    made.close()


@pytest.fixture(scope="session")
def images(client: Client) -> None:
    """Images that hold the code under test."""
    del client
    try:
        build_images(ROOT, "offline", lambda _: None)
    except StackError as error:
        # A tool that is not here is a reason to skip; an image that does not build is not.
        if "is not installed" not in error.what:
            raise
        pytest.skip(f"the images cannot be brought up to date: {error.what} ({error.hint})")


@pytest.fixture(scope="session")
def running(
    client: Client, images: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A whole Zone B."""
    del images
    logs: Path = tmp_path_factory.mktemp("docker-logs")
    stack = DockerStack(settings(), logs, SystemClock())
    endpoints = stack.start()
    yield Running(stack, endpoints, client)
    stack.stop()
