"""Nothing stays behind, whoever dies; and an error tells the last words without the secrets."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.errors import StackError, UsageError
from harness.stack.docker import commands
from harness.stack.docker.client import Client
from harness.stack.docker.labels import RUN, Kind, Owner, RunIdentity
from harness.stack.docker.stack import DockerStack
from harness.stack.docker.sweep import existing_stacks, labelled_resources, sweep, sweep_stale
from harness.stack.settings import ROOT
from tests.docker.interrupted import interrupt_once, settings

pytestmark = pytest.mark.docker


@pytest.mark.parametrize(
    ("delay_s", "number"), [(2.5, signal.SIGKILL), (1.8, signal.SIGTERM)], ids=str
)
def test_an_interrupted_start_leaves_nothing(
    images: None, delay_s: float, number: signal.Signals
) -> None:
    """Containers, networks, volumes, processes; `python -m tests.docker.interrupted` tries more."""
    del images
    outcome = interrupt_once("stack", delay_s, number)
    assert not outcome.left, str(outcome)


def test_the_next_start_sweeps_up_after_a_dead_one(client: Client) -> None:
    """When harness and reaper have died together."""
    dead = Owner.this_process()
    dead = replace(dead, pid=2**22 - 1, ticks=1)
    mark = replace(RunIdentity.new(Kind.RUN), owner=dead)
    client.api.create_volume(mark.name("stale"), labels=mark.labels())
    alive = RunIdentity.new(Kind.RUN)
    client.api.create_volume(alive.name("fresh"), labels=alive.labels())
    try:
        swept = sweep_stale(client)
        assert mark.token in swept
        assert alive.token not in swept
        assert not labelled_resources(client, mark.token)
        assert labelled_resources(client, alive.token).volumes == (alive.name("fresh"),)
    finally:
        sweep(client, alive.token)


def test_a_failed_start_tells_the_last_words(client: Client, images: None, tmp_path: Path) -> None:
    """The container's log, redacted, and nothing left of the attempt."""
    del images
    wanted = settings()
    wrong = replace(wanted, images={**wanted.images, "IMAGE_REDIS": "signal-harness/base:offline"})
    broken = tmp_path / "compose"
    broken.mkdir()
    for path in (ROOT / "compose").glob("*.*"):
        text = path.read_text(encoding="utf-8")
        text = text.replace("exec redis-server", "echo password $$REDIS_PASSWORD; exit 3; exec")
        (broken / path.name).write_text(text, encoding="utf-8")
    (broken / "images").symlink_to(ROOT / "compose" / "images")
    stack = DockerStack(
        replace(wrong, stack=replace(wrong.stack, root=tmp_path)), tmp_path, SystemClock()
    )
    with pytest.raises(StackError, match=r"(?s)redis: ended .* with 3.*password \*+"):
        stack.start()
    assert not labelled_resources(client, stack.token)
    assert client.api.containers(all=True, filters={"label": f"{RUN}={stack.token}"}) == []


def test_an_image_that_is_not_built_is_wrong_usage(client: Client, tmp_path: Path) -> None:
    """It is reported before anything is started, with what to do."""
    del client
    wanted = settings()
    missing = {**wanted.images, "IMAGE_ENGINE": "signal-harness/missing:offline"}
    stack = DockerStack(replace(wanted, images=missing), tmp_path, SystemClock())
    with pytest.raises(UsageError, match="harness images build"):
        stack.start()


def test_without_an_existing_stack_there_is_nothing_to_scale(client: Client) -> None:
    """And the error says how to get one."""
    if existing_stacks(client):
        pytest.skip("somebody's stack stands on this host")
    with pytest.raises(UsageError, match="harness stack up"):
        commands.stack_scale(ROOT, 3, SystemClock())
