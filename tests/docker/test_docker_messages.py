"""A start reports its progress; one that fails says why, and leaves nothing."""

from __future__ import annotations

import io
import socket
import struct
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.errors import Exit, HarnessError
from harness.stack.docker.client import Client, need_this_host
from harness.stack.docker.labels import RUN
from harness.stack.docker.offline_images import BASE
from harness.stack.docker.provenance import cpu_shortage
from harness.stack.docker.stack import DockerStack
from harness.stack.docker.sweep import labelled_resources
from harness.stack.startup import StartupEvent, StartupStep
from tests.docker.interrupted import settings

pytestmark = pytest.mark.docker

# Grows until the kernel ends it.
_HUNGRY = 'CMD ["python3", "-c", "x = []\\nwhile True: x.append(bytearray(1 << 24))"]'
# An ELF file for a machine that nobody has: exec format error.
_ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 9999, 1, *[0] * 10)


@pytest.fixture
def image(client: Client) -> Iterator[Callable[[str, dict[str, bytes]], str]]:
    """Builds an image from a Dockerfile's lines and files; it is removed afterwards."""
    made: list[str] = []

    def build(recipe: str, files: dict[str, bytes]) -> str:
        name = f"harness-test/message-{len(made)}:1"
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            for path, content in {"Dockerfile": recipe.encode(), **files}.items():
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(content), 0o755
                tar.addfile(entry, io.BytesIO(content))
        context.seek(0)
        made.append(name)
        client.images.build(fileobj=context, custom_context=True, tag=name, rm=True, forcerm=True)
        return name

    yield build
    for name in made:
        client.images.remove(name, force=True)


class Start:
    """A start that fails: its events, and the error."""

    def __init__(self, client: Client, logs: Path, **images: str) -> None:
        wanted = settings()
        changed = {f"IMAGE_{role.upper()}": image for role, image in images.items()}
        wanted = replace(wanted, images={**wanted.images, **changed}, own_disks=frozenset())
        self.events: list[StartupEvent] = []
        self.stack = DockerStack(wanted, logs, SystemClock(), self.events.append)
        with pytest.raises(HarnessError) as raised:
            self.stack.start()
        self.error = raised.value
        label = f"{RUN}={self.stack.token}"
        assert not labelled_resources(client, self.stack.token)
        assert client.api.containers(all=True, filters={"label": label}) == []

    def steps(self, subject: str) -> list[StartupStep]:
        """The steps of one image or service."""
        return [event.step for event in self.events if event.subject == subject]


def test_an_image_that_cannot_be_pulled(client: Client, images: None, tmp_path: Path) -> None:
    """A registry that nobody serves; nothing was started for it."""
    del images
    start = Start(client, tmp_path, mev_router="127.0.0.1:1/nosuch:1")
    assert start.error.exit_code is Exit.STACK
    assert start.error.where == "127.0.0.1:1/nosuch:1"
    assert start.error.what.startswith("the registry cannot be reached")
    assert "--images offline" in start.error.hint
    assert start.steps("127.0.0.1:1/nosuch:1") == [StartupStep.PULLING]
    assert not any(event.step is StartupStep.STARTED for event in start.events)


def test_a_name_that_is_none(client: Client, images: None, tmp_path: Path) -> None:
    """Wrong usage."""
    del images
    start = Start(client, tmp_path, redis="No Such Image")
    assert start.error.exit_code is Exit.USAGE
    assert "full name of an image" in start.error.what


def test_an_image_without_the_command(
    client: Client, images: None, image: Callable[[str, dict[str, bytes]], str], tmp_path: Path
) -> None:
    """The engine's own words are kept."""
    del images
    empty = image("FROM scratch\nCOPY x /x\n", {"x": b""})
    start = Start(client, tmp_path, redis=empty)
    assert (start.error.where, start.error.exit_code) == ("redis", Exit.STACK)
    assert start.error.what.startswith("the image has no such command")
    assert '"sh"' in start.error.what


def test_an_image_of_another_architecture(
    client: Client, images: None, image: Callable[[str, dict[str, bytes]], str], tmp_path: Path
) -> None:
    """Only the container's log tells it."""
    del images
    other = image(f"FROM {BASE}\nCOPY sh /usr/local/bin/sh\n", {"sh": _ELF})
    start = Start(client, tmp_path, redis=other)
    assert "exec format error" in start.error.what
    assert "uname -m" in start.error.hint


def test_a_service_that_is_killed_for_memory(
    client: Client, images: None, image: Callable[[str, dict[str, bytes]], str], tmp_path: Path
) -> None:
    """At its limit, before it was ready; the others reported their steps."""
    del images
    start = Start(client, tmp_path, mev_router=image(f"FROM {BASE}\n{_HUNGRY}\n", {}))
    assert start.error.where == "mev-router"
    assert "killed by the kernel at its memory limit of 512 MiB" in start.error.what
    assert (
        start.steps("redis") == start.steps("postgres") == [StartupStep.STARTED, StartupStep.READY]
    )
    assert StartupStep.READY not in start.steps("mev-router")
    ready = [event for event in start.events if event.step is StartupStep.READY]
    assert all(event.elapsed_ns > 0 for event in ready)
    cpus = int(need_this_host(client)["NCPU"])
    notes = [event.subject for event in start.events if event.step is StartupStep.NOTE]
    expected = cpu_shortage(start.stack._zones.b.services, cpus)
    assert notes == ([expected] if expected else [])


def test_a_chosen_port_that_is_in_use(client: Client, images: None, tmp_path: Path) -> None:
    """Wrong usage, with who has it."""
    del images
    wanted = settings()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        stack = replace(wanted.stack, ports={"redis": port})
        made = DockerStack(
            replace(wanted, stack=stack, own_disks=frozenset()), tmp_path, SystemClock()
        )
        with pytest.raises(HarnessError, match=f"port {port} is already in use by") as raised:
            made.start()
    assert raised.value.exit_code is Exit.USAGE
    assert not labelled_resources(client, made.token)
