"""What the command line does with containers and images; it returns values and prints nothing."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from harness.clock import Clock
from harness.docker.build import Built, Say, build_offline
from harness.docker.client import connect
from harness.docker.labels import Kind
from harness.docker.settings import DockerSettings
from harness.docker.stack import DockerStack
from harness.docker.standing import StandingStack
from harness.docker.sweep import standing, sweep
from harness.docker.verify import Row
from harness.stack.base import Endpoints
from harness.stack.startup import StartupSink, unheard


def build_images(root: Path, say: Say, *, force: bool = False) -> tuple[Built, ...]:
    """Build what is missing or out of date of the offline image set.

    Raises:
        StackError: a program is missing or a step failed.
    """
    work = Path(tempfile.mkdtemp(prefix="harness-images-"))
    try:
        return build_offline(root, work, say, force=force)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def stack_up(
    settings: DockerSettings, logs_dir: Path, clock: Clock, tell: StartupSink = unheard
) -> Endpoints:
    """Start a stack that stands until `stack_down`.

    Raises:
        StackError: it cannot be started.
    """
    stack = DockerStack(replace(settings, kind=Kind.UP), logs_dir, clock, tell)
    endpoints = stack.start()
    stack.hand_over()
    return endpoints


def stack_scale(root: Path, agents: int, clock: Clock) -> None:
    """Bring the standing stack to so many agents; nothing else of it is touched.

    Raises:
        UsageError: no stack stands.
    """
    with StandingStack.find(root / "compose", clock) as stack:
        stack.scale(agents)


def stack_verify(
    settings: DockerSettings, logs_dir: Path, clock: Clock, tell: StartupSink = unheard
) -> tuple[Row, ...]:
    """Every row of the standing stack; without one, of a stack started for the purpose.

    The latter has its gate open, so that Anvil's rows are read too.

    Raises:
        StackError: it cannot be started.
    """
    client = connect()
    tokens = standing(client)
    client.close()
    if tokens:
        with StandingStack.find(settings.compose, clock) as standing_stack:
            return standing_stack.verify()
    stack = DockerStack(settings, logs_dir, clock, tell)
    try:
        stack.start()
        if not settings.stack.anvil:
            stack.open_gate()
        return stack.verify("now")
    finally:
        stack.stop()


def stack_down() -> tuple[str, ...]:
    """End every standing stack of this host; their tokens.

    Raises:
        StackError: the engine does not answer.
    """
    client = connect()
    try:
        tokens = standing(client)
        for token in tokens:
            sweep(client, token)
    finally:
        client.close()
    return tokens
