"""Building the image of the harness itself, for CI jobs and for load from another host."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from harness.data_files import DATA, IS_CHECKOUT
from harness.errors import UsageError
from harness.stack.docker.offline_images import (
    BASE,
    RECIPE_LABEL,
    Built,
    OnStep,
    build_image,
    built_if_needed,
    ensure_base,
    install_site,
    sha256,
    tree_digest,
)

# Names of `harness images build`: what the image is made on, and its tag.
SETS = {
    "harness": ("python:3.11-slim", "signal-harness/harness:local"),
    "harness-offline": (BASE, "signal-harness/harness:offline"),
}
_BEFORE_3_11_3 = " ; python_full_version < '3.11.3'"
_PARTS = ("harness", "compose", "scenarios", "examples", "docs")
_SKIPPED = shutil.ignore_patterns("__pycache__", "node_modules", "pictures")


def build_harness(name: str, work: Path, on_step: OnStep, *, force: bool = False) -> Built:
    """Build the image if it is missing or out of date.

    Args:
        name: one of SETS.
        work: an empty folder on a disk with 2 GB of room.
        on_step: receives each step.
        force: build it in any case.

    Raises:
        UsageError: the harness is no checkout, which has the pinned packages.
        StackError: a program is missing or a step failed, with its last output.
    """
    if not IS_CHECKOUT:
        raise UsageError(
            "an installed package has no pinned requirements",
            where=f"harness images build {name}",
            hint="build the image in a clone of the repository",
        )
    base, image = SETS[name]
    # pip judges markers by its own Python; that of Debian 12 is 3.11.2.
    pins = (DATA / "requirements.lock").read_text(encoding="utf-8").replace(_BEFORE_3_11_3, "")
    recipe = DATA / "compose" / "images" / "harness"
    skip = frozenset({"__pycache__", "node_modules", "pictures"})
    digest = sha256(base, pins, *(tree_digest(DATA / part, skip) for part in _PARTS))
    if base == BASE:
        ensure_base(work, on_step)

    def make() -> None:
        context = Path(tempfile.mkdtemp(prefix="harness-", dir=work))
        shutil.copytree(recipe, context, dirs_exist_ok=True)
        install_site(context / "site", pins)
        for part in _PARTS:
            shutil.copytree(DATA / part, context / "app" / part, ignore=_SKIPPED)
        options = (f"--build-arg=BASE={base}", f"--label={RECIPE_LABEL}={digest}")
        build_image(image, context, options)

    return built_if_needed(image, digest, make, on_step, force=force)
