"""Image sets by name, and downloading an image with reports of progress."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from docker import errors  # type: ignore[import-untyped] # the package publishes no types

from harness.clock import NS_PER_S, Clock, SystemClock
from harness.errors import StackError, UsageError
from harness.scenario.file import read_toml
from harness.stack.docker.client import Client, EngineError, engine_errors
from harness.stack.docker.explain import Failure, explain
from harness.stack.startup import StartupEvent, StartupSink, StartupStep, ignore_event

# The longest time between two reports of a download.
_ALIVE_NS = 5 * NS_PER_S
# A registry that has sent nothing for so long will send nothing.
_SILENCE_MAX_NS = 300 * NS_PER_S
_PULL_MAX_NS = 3600 * NS_PER_S
_LOADED = frozenset({"Download complete", "Verifying Checksum", "Extracting", "Pull complete"})

# A message of an engine whose status was fine when it began to answer.
_OK = 200

PullLine = Mapping[str, Any]
PullUpdate = PullLine | BaseException | None


@dataclass(slots=True)
class LayerProgress:
    """What the lines of a pull say of its layers; sizes in bytes by layer, as they travel."""

    done: dict[str, int] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)

    def update(self, line: PullLine) -> None:
        """One line of the engine's answer (Docker Engine API, POST /images/create)."""
        layer, status = str(line.get("id", "")), line.get("status")
        detail = line.get("progressDetail") or {}
        if status == "Downloading" and "total" in detail:
            self.total[layer] = int(detail["total"])
            self.done[layer] = int(detail.get("current", 0))
        elif status in _LOADED and layer in self.total:
            self.done[layer] = self.total[layer]

    @property
    def done_bytes(self) -> int:
        """Downloaded so far."""
        return sum(self.done.values())

    @property
    def total_bytes(self) -> int:
        """To be downloaded, as far as it is known."""
        return sum(self.total.values())


def is_present(client: Client, image: str) -> bool:
    """Whether the engine has an image, by name, tag, digest or id.

    Raises:
        EngineError: the engine does not answer, or the name is wrong.
    """
    with engine_errors(image):
        try:
            client.api.inspect_image(image)
        except errors.NotFound:
            return False
    return True


def pull(client: Client, image: str, on_event: StartupSink) -> None:
    """Download an image; bounded in time.

    Args:
        client: the engine.
        image: its name, with tag or digest; without one `latest`.
        on_event: receives its begin, its progress at least every 5 s, and its end.

    Raises:
        EngineError: it cannot be downloaded.
        StackError: nothing came for 5 minutes, or it takes more than an hour.
    """
    lines = _in_background(lambda: _lines(client, image))
    report_progress(image, lambda timeout_s: lines.get(timeout=timeout_s), on_event, SystemClock())


def report_progress(
    image: str, wait: Callable[[float], PullUpdate], on_event: StartupSink, clock: Clock
) -> None:
    """Report a download until it ends.

    Args:
        image: its name.
        wait: the next line, None at the end, or the error; raises `queue.Empty` after so many
            seconds.
        on_event: see `pull`.
        clock: time.

    Raises:
        StackError: see `pull`.
    """
    layers, begin_ns = LayerProgress(), clock.now_ns()
    on_event(StartupEvent(StartupStep.PULLING, image))
    received_ns = reported_ns = now_ns = begin_ns
    while True:
        try:
            update = wait((reported_ns + _ALIVE_NS - now_ns) / NS_PER_S)
        except queue.Empty:
            update = {}
        now_ns = clock.now_ns()
        event = StartupEvent(
            StartupStep.PULLING, image, now_ns - begin_ns, layers.done_bytes, layers.total_bytes
        )
        if update is None:
            on_event(replace(event, step=StartupStep.PULLED))
            return
        if isinstance(update, BaseException):
            raise update
        if update:
            received_ns = now_ns
            layers.update(update)
        _check_not_stalled(event, now_ns - received_ns)
        if now_ns - reported_ns >= _ALIVE_NS:
            on_event(event)
            reported_ns = now_ns


def _check_not_stalled(event: StartupEvent, silent_ns: int) -> None:
    if silent_ns > _SILENCE_MAX_NS or event.elapsed_ns > _PULL_MAX_NS:
        raise StackError(
            f"cannot be downloaded: nothing came for {silent_ns / NS_PER_S:.0f} s, "
            f"{event.elapsed_ns / NS_PER_S:.0f} s after the beginning",
            where=event.subject,
            hint="try `docker pull` by hand: network, proxy or registry is stalled",
        )


def _lines(client: Client, image: str) -> Iterable[PullLine]:
    with engine_errors(image):
        for line in client.api.pull(image, stream=True, decode=True):
            # An error after the first line comes as a line: the status was sent long before.
            if "error" in line:
                detail = line.get("errorDetail") or {}
                message = str(detail.get("message") or line["error"])
                raise EngineError(explain(Failure(message, _OK)), image)
            yield line


def _in_background(read: Callable[[], Iterable[PullLine]]) -> queue.Queue[PullUpdate]:
    """The lines, then None; or the error instead. A stalled registry holds up this thread only."""
    lines: queue.Queue[PullUpdate] = queue.Queue()

    def work() -> None:
        try:
            for line in read():
                lines.put(line)
            lines.put(None)
        except BaseException as error:  # raised again by who waits for it
            lines.put(error)

    threading.Thread(target=work, name="docker-pull", daemon=True).start()
    return lines


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


def need_images(
    client: Client, images: Iterable[str], on_event: StartupSink = ignore_event
) -> None:
    """Make sure that every image is at hand; those of registries are downloaded.

    Args:
        client: the engine.
        images: their names; duplicates are checked once.
        on_event: receives each.

    Raises:
        UsageError: an image of the harness has not been built.
        StackError: an image cannot be downloaded.
    """
    for image in dict.fromkeys(images):
        if is_present(client, image):
            on_event(StartupEvent(StartupStep.IMAGE_PRESENT, image))
        elif image.startswith(OURS):
            hint = "`harness images build offline` builds it"
            raise UsageError("is not built", where=image, hint=hint)
        else:
            pull(client, image, on_event)
