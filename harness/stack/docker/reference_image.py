"""Building the reference services' image by `docker build`, for whoever may use the engine.

Needs nothing beyond the engine: the base image comes from its registry. The packages are
downloaded here, where pip has its index and its certificates, and the build has no network. Where
pip is missing or fails, the build downloads them itself.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from harness.clock import Clock, SystemClock
from harness.errors import StackError
from harness.process.launch import module_command
from harness.stack.docker.client import Client, EngineError, engine_errors
from harness.stack.docker.explain import Failure, explain
from harness.stack.docker.images import REFERENCE, need_images
from harness.stack.docker.offline_images import RECIPE_LABEL, Built, sha256, tree_digest
from harness.stack.startup import StartupEvent, StartupSink, StartupStep

# What the Dockerfile is built on.
_PYTHON_IMAGE = "python:3.11-slim"
_DOCKERFILE = Path("images", "reference", "Dockerfile")
# What compose/.dockerignore leaves of the build context.
_CONTEXT = (Path("zone_b"), _DOCKERFILE.parent)
_SKIPPED = ("__pycache__", "node_modules")
_DOWNLOAD_MAX_S = 300
_BUILD_MAX_S = 900
_LINES_MAX = 15
# An engine reports a failed step in an answer whose status was fine.
_OK = 200
# Of an image for CPython 3.11 and glibc; pip takes the first that a package has a wheel for.
_PYTHON = "3.11"
_GLIBC = ("manylinux_2_36", "manylinux_2_28", "manylinux_2_17", "manylinux2014")


def provide_images(
    client: Client, compose: Path, images: Iterable[str], on_event: StartupSink
) -> None:
    """Make sure that every image is at hand: the reference image is built, the others pulled.

    Raises:
        UsageError: an image of the offline set has not been built.
        StackError: an image cannot be built or downloaded.
    """
    images = tuple(images)
    if REFERENCE in images:
        build_reference(client, compose, on_event)
    need_images(client, (image for image in images if image != REFERENCE), on_event)


def recipe_digest(compose: Path) -> str:
    """Changes when anything that the image is made of changes.

    Args:
        compose: the folder `compose`, which is the build context.
    """
    return sha256(*(tree_digest(compose / part, frozenset(_SKIPPED)) for part in _CONTEXT))


def build_reference(
    client: Client,
    compose: Path,
    on_event: StartupSink,
    *,
    force: bool = False,
    clock: Clock | None = None,
) -> Built:
    """Build the reference image if it is missing or out of date.

    Args:
        client: the engine.
        compose: the folder `compose`.
        on_event: receives the steps.
        force: build it in any case.
        clock: times the build.

    Raises:
        StackError: the base image cannot be pulled, or the build failed; with its last lines.
    """
    clock, digest = clock or SystemClock(), recipe_digest(compose)
    with engine_errors(REFERENCE):
        label = f"{RECIPE_LABEL}={digest}"
        found = client.api.images(name=REFERENCE, filters={"label": label})
    if found and not force:
        on_event(StartupEvent(StartupStep.IMAGE_PRESENT, REFERENCE))
        return Built(REFERENCE, digest, is_new=False)
    need_images(client, [_PYTHON_IMAGE], on_event)
    begin_ns, before = clock.now_ns(), _ids(client)
    on_event(StartupEvent(StartupStep.BUILDING, REFERENCE))
    with tempfile.TemporaryDirectory(prefix="harness-image-") as work:
        context = Path(work)
        for part in _CONTEXT:
            ignore = shutil.ignore_patterns(*_SKIPPED)
            shutil.copytree(compose / part, context / part, ignore=ignore)
        has_packages = _download(context / _DOCKERFILE.parent, _architecture(client))
        if not has_packages:
            text = f"  image {REFERENCE}: pip cannot download here, so the build downloads"
            on_event(StartupEvent(StartupStep.NOTE, text))
        _build(client, context, digest, has_packages=has_packages)
    for image_id in before - _ids(client):  # it has lost its name; something may still use it
        with suppress(StackError), engine_errors(REFERENCE):
            client.api.remove_image(image_id)
    on_event(StartupEvent(StartupStep.BUILT, REFERENCE, clock.now_ns() - begin_ns))
    return Built(REFERENCE, digest, is_new=True)


def _ids(client: Client) -> set[str]:
    with engine_errors(REFERENCE):
        return {image["Id"] for image in client.api.images(name=REFERENCE)}


def _architecture(client: Client) -> str:
    with engine_errors("docker"):
        return str(client.info().get("Architecture") or "x86_64")


def _download(folder: Path, architecture: str) -> bool:
    """Put the wheels of `requirements.txt` next to it; whether all of them are there."""
    platforms = [f"--platform={glibc}_{architecture}" for glibc in _GLIBC]
    command = [
        *(*module_command("pip"), "download", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--only-binary=:all:", "--no-deps", f"--python-version={_PYTHON}"),
        *("--implementation=cp", *platforms),
        *("--dest", str(folder / "wheels"), "--requirement", str(folder / "requirements.txt")),
    ]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_DOWNLOAD_MAX_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _build(client: Client, context: Path, digest: str, *, has_packages: bool) -> None:
    options = {"buildargs": {"PIP_NO_INDEX": "1"}, "network_mode": "none"} if has_packages else {}
    output: list[str] = []
    with engine_errors(REFERENCE):
        for line in client.api.build(
            path=str(context),
            dockerfile=str(_DOCKERFILE),
            tag=REFERENCE,
            labels={RECIPE_LABEL: digest},
            rm=True,
            forcerm=True,
            decode=True,
            timeout=_BUILD_MAX_S,
            use_config_proxy=True,
            **options,
        ):
            output += [text for text in str(line.get("stream", "")).splitlines() if text.strip()]
            if "error" not in line:
                continue
            explained = explain(Failure(str(line["error"]), _OK))
            if explained.hint:  # the engine's own trouble, such as a full disk
                raise EngineError(explained, REFERENCE)
            last = "\n".join([*output, str(line["error"])][-_LINES_MAX:])
            raise StackError(f"cannot be built:\n{last}", where=REFERENCE, hint=_HINT)


_HINT = (
    "behind a proxy with a certificate authority of its own, put its certificate at"
    " compose/images/reference/ca.crt; on a host without registries: `harness images build"
    " offline`, then `--images offline`"
)
