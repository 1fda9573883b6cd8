"""The default image set: images are pulled, the reference image is built, a run is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.stack.docker.client import Client
from harness.stack.docker.images import REFERENCE
from harness.stack.docker.reference_image import build_reference
from harness.stack.settings import ROOT
from harness.stack.startup import StartupEvent, StartupStep
from tests.docker.upstream import PULLED, REGISTRY_VARIABLE, publish, registry

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def published(client: Client, images: None) -> None:
    """Stand-ins in the registry; the engine holds none of them."""
    del images
    if not registry():
        pytest.skip(f"{REGISTRY_VARIABLE} names no registry that the engine's mirror is")
    publish(client)


def test_a_run_provides_its_images(client: Client, published: None, tmp_path: Path) -> None:
    """From an engine without any of them to a verdict, and the services run what is specified."""
    del published
    done = subprocess.run(
        [
            *(sys.executable, "-m", "harness", "run", "scenarios/smoke.toml", "--stack", "docker"),
            *("--duration", "3", "--agent-containers", "1", "--reports", str(tmp_path)),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    (stack,) = tmp_path.glob("*/stack.json")
    facts = json.loads(stack.read_text(encoding="utf-8"))
    assert facts["image_set"] == "upstream", done.stdout + done.stderr
    assert facts["images"]["redis"]["as_specified"]
    assert facts["images"]["go-execution-engine"]["image"] == REFERENCE
    assert all(client.api.images(name=name) for name in PULLED if not name.startswith("node"))
    assert all(row["ok"] for row in facts["verification"]["rows"])


def test_the_reference_image_is_built_once(client: Client, published: None) -> None:
    """A second build finds it up to date; a forced one leaves no image without a name."""
    del published
    events: list[StartupEvent] = []
    build_reference(client, ROOT / "compose", events.append)
    assert not build_reference(client, ROOT / "compose", events.append).is_new
    assert events[-1] == StartupEvent(StartupStep.IMAGE_PRESENT, REFERENCE)
