"""Image sets by name: which image plays which role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.scenario.file import read_toml
from harness.stack.docker.client import Client
from harness.stack.docker.pull import is_present, pull
from harness.stack.startup import StartupEvent, StartupSink, StartupStep, ignore_event

# Images that the harness builds itself.
OURS = "signal-harness/"
# The reference services on python:3.11-slim; see `harness.stack.docker.reference_image`.
REFERENCE = f"{OURS}reference:local"


def image_variables(folder: Path, name: str, overrides: Sequence[str] = ()) -> dict[str, str]:
    """The IMAGE_ variables of a set, with `ROLE=IMAGE` overrides applied.

    Args:
        folder: `compose/images`.
        name: set, as in `sets.toml`.
        overrides: role in any case with dashes or underscores: `engine=my/engine:1`.

    Raises:
        UsageError: no such set or role.
    """
    path = folder / "sets.toml"
    sets = read_toml(path)
    if name not in sets:
        raise UsageError(
            f"no image set {name!r}", where=str(path), hint=f"it has {', '.join(sorted(sets))}"
        )
    variables = {key: str(value) for key, value in sets[name].items()}
    for override in overrides:
        role, separator, image = override.partition("=")
        key = "IMAGE_" + role.strip().upper().replace("-", "_")
        if not separator or not image or key not in variables:
            roles = ", ".join(key.removeprefix("IMAGE_").lower() for key in sorted(variables))
            raise UsageError(f"{override!r} is not ROLE=IMAGE", where="--image", hint=roles)
        variables[key] = image.strip()
    return variables


def need_images(client: Client, images: Iterable[str], tell: StartupSink = ignore_event) -> None:
    """Make sure that every image is at hand; those of registries are downloaded.

    Args:
        client: the engine.
        images: their names; one that comes twice is looked at once.
        tell: told of each.

    Raises:
        UsageError: an image of the harness has not been built.
        StackError: an image cannot be downloaded.
    """
    for image in dict.fromkeys(images):
        if is_present(client, image):
            tell(StartupEvent(StartupStep.IMAGE_PRESENT, image))
        elif image.startswith(OURS):
            hint = "`harness images build offline` builds it"
            raise UsageError("is not built", where=image, hint=hint)
        else:
            pull(client, image, tell)
