"""Stand-ins for the images of public registries, served by a registry on loopback.

No public registry is reachable where the tests run. An engine whose `--registry-mirror` is the
registry that HARNESS_TEST_REGISTRY names (`127.0.0.1:5000`) pulls `redis:7.2-alpine` from there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pip

from harness.errors import StackError
from harness.stack.docker.client import Client, engine_errors
from harness.stack.docker.images import REFERENCE

REGISTRY_VARIABLE = "HARNESS_TEST_REGISTRY"
PYTHON = "python:3.11-slim"
# Not of Docker Hub, so no mirror serves it.
FOUNDRY = "ghcr.io/foundry-rs/foundry:latest"
PULLED = {
    PYTHON: "",
    "redis:7.2-alpine": "signal-harness/redis:offline",
    "postgres:16-alpine": "signal-harness/postgres:offline",
    "node:20-alpine": "signal-harness/portal:offline",
}
# Debian's interpreter looks for packages elsewhere than the one of the official image.
_PYTHON_RECIPE = """
FROM signal-harness/base:offline
COPY pip /usr/local/lib/python3.11/site-packages/pip
RUN echo /usr/local/lib/python3.11/site-packages > /usr/lib/python3/dist-packages/local.pth
"""


def registry() -> str:
    """Host and port of the registry that the engine's mirror is; empty without one."""
    return os.environ.get(REGISTRY_VARIABLE, "")


def publish(client: Client) -> None:
    """Push a stand-in for every image of Docker Hub; the engine then holds none of them.

    Raises:
        StackError: one cannot be built or pushed.
    """
    _build_python(client, f"{registry()}/library/{PYTHON}")
    for name, offline in PULLED.items():
        repository, _, tag = name.partition(":")
        place = f"{registry()}/library/{repository}"
        with engine_errors(name):
            if offline:
                client.api.tag(offline, place, tag)
            for line in client.api.push(place, tag, stream=True, decode=True):
                if "error" in line:
                    raise StackError(str(line["error"]), where=name)
            client.api.remove_image(f"{place}:{tag}")
        _forget(client, name)
    _forget(client, REFERENCE)
    with engine_errors(FOUNDRY):
        client.api.tag("signal-harness/anvil:offline", *FOUNDRY.rsplit(":", 1))


def _build_python(client: Client, name: str) -> None:
    with tempfile.TemporaryDirectory() as work:
        context = Path(work)
        (context / "Dockerfile").write_text(_PYTHON_RECIPE, encoding="utf-8")
        shutil.copytree(Path(pip.__file__).parent, context / "pip")
        with engine_errors(name):
            for line in client.api.build(path=work, tag=name, rm=True, decode=True):
                if "error" in line:
                    raise StackError(str(line["error"]), where=name)


def _forget(client: Client, name: str) -> None:
    with engine_errors(name):
        if client.api.images(name=name):
            client.api.remove_image(name, force=True)
