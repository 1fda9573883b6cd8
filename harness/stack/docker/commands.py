"""What the command line does with containers and images; it returns values and prints nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.clock import Clock
from harness.scenario.file import read_toml
from harness.stack.base import Endpoints
from harness.stack.docker import harness_image
from harness.stack.docker.client import Client, connect, engine_errors
from harness.stack.docker.existing_stack import ExistingStack
from harness.stack.docker.images import REFERENCE, image_variables
from harness.stack.docker.labels import Kind
from harness.stack.docker.offline_images import Built, build_offline
from harness.stack.docker.reference_image import build_reference
from harness.stack.docker.settings import DockerSettings
from harness.stack.docker.stack import DockerStack
from harness.stack.docker.sweep import existing_stacks, sweep
from harness.stack.docker.verification_rows import VerificationRow
from harness.stack.startup import StartupEvent, StartupSink, StartupStep, ignore_event


@dataclass(frozen=True, slots=True)
class SetImage:
    """An image of a set; `size_bytes` is None where the engine does not hold it."""

    set_name: str
    image: str
    size_bytes: int | None


def build_images(
    root: Path, name: str, on_event: StartupSink, *, force: bool = False
) -> tuple[Built, ...]:
    """Build what is missing or out of date of an image set.

    Args:
        root: folder that holds `compose/`.
        name: of the set.
        on_event: receives the steps.
        force: build also what is up to date.

    Raises:
        UsageError: no such set.
        StackError: a program is missing or a step failed.
    """
    if name in harness_image.SETS:
        with _work_folder() as work:
            step = partial(_note, on_event)
            return (harness_image.build_harness(name, work, step, force=force),)
    images = image_variables(root / "compose" / "images", name).values()
    if REFERENCE in images:
        client = connect()
        try:
            return (build_reference(client, root / "compose", on_event, force=force),)
        finally:
            client.close()

    with _work_folder() as work:
        return build_offline(root, work, partial(_note, on_event), force=force)


def _note(on_event: StartupSink, line: str) -> None:
    on_event(StartupEvent(StartupStep.NOTE, f"  {line}"))


@contextmanager
def _work_folder() -> Iterator[Path]:
    work = Path(tempfile.mkdtemp(prefix="harness-images-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def image_table(root: Path) -> tuple[SetImage, ...]:
    """Every image of every set, and the bytes that the engine holds of it.

    Raises:
        StackError: no engine answers.
    """
    sets = read_toml(root / "compose" / "images" / "sets.toml")
    client = connect()
    try:
        return tuple(
            SetImage(name, image, _size_bytes(client, image))
            for name, roles in sets.items()
            for image in dict.fromkeys(roles.values())
        )
    finally:
        client.close()


def _size_bytes(client: Client, image: str) -> int | None:
    """As the engine reads a name: Podman keeps one without a registry as `localhost/`."""
    with engine_errors(image):
        found = client.api.images(name=image)
    return int(found[0]["Size"]) if found else None


def stack_up(
    settings: DockerSettings, logs_dir: Path, clock: Clock, on_event: StartupSink = ignore_event
) -> Endpoints:
    """Start a stack that stands until `stack_down`.

    Raises:
        StackError: it cannot be started.
    """
    stack = DockerStack(replace(settings, kind=Kind.UP), logs_dir, clock, on_event)
    endpoints = stack.start()
    stack.leave_running()
    return endpoints


def stack_scale(root: Path, agents: int, clock: Clock) -> None:
    """Scale the running stack to so many agents; nothing else of it changes.

    Raises:
        UsageError: no stack stands.
    """
    with ExistingStack.find(root / "compose", clock) as stack:
        stack.scale(agents)


def stack_verify(
    settings: DockerSettings, logs_dir: Path, clock: Clock, on_event: StartupSink = ignore_event
) -> tuple[VerificationRow, ...]:
    """Every row of the running stack; without one, of a stack started for the purpose.

    The latter has its gate open, so that Anvil's rows are read too.

    Raises:
        StackError: it cannot be started.
    """
    client = connect()
    tokens = existing_stacks(client)
    client.close()
    if tokens:
        with ExistingStack.find(settings.compose, clock) as existing_stack:
            return existing_stack.verify()
    stack = DockerStack(settings, logs_dir, clock, on_event)
    try:
        stack.start()
        if not settings.stack.anvil:
            stack.open_gate()
        return stack.verify("now")
    finally:
        stack.stop()


def stack_down() -> tuple[str, ...]:
    """End every running stack of this host; their tokens.

    Raises:
        StackError: the engine does not answer.
    """
    client = connect()
    try:
        tokens = existing_stacks(client)
        for token in tokens:
            sweep(client, token)
    finally:
        client.close()
    return tokens
