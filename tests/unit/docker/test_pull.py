"""A download reports its progress, and ends in bounded time."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from docker import errors  # type: ignore[import-untyped] # the package publishes no types
from requests import Response

from harness.clock import NS_PER_S, ManualClock
from harness.errors import StackError, UsageError
from harness.report.startup import startup_line
from harness.stack.docker.client import EngineError
from harness.stack.docker.images import LayerProgress, is_present, need_images, report_progress
from harness.stack.startup import StartupEvent, StartupStep

MB = 1_000_000


def loading(layer: str, done: int, total: int) -> dict[str, Any]:
    """A line of the engine while a layer comes."""
    detail = {"current": done, "total": total}
    return {"status": "Downloading", "id": layer, "progressDetail": detail}


class Registry:
    """What comes when; an item of a number is so many seconds without a line."""

    def __init__(self, *items: Mapping[str, Any] | float | BaseException) -> None:
        self.clock = ManualClock()
        self.events: list[StartupEvent] = []
        self._items = list(items)

    def wait(self, timeout_s: float) -> Mapping[str, Any] | BaseException | None:
        assert 0 < timeout_s <= 5
        if not self._items:
            return None
        item = self._items.pop(0)
        if not isinstance(item, int | float):
            return item
        passed_s = min(item, timeout_s)
        self.clock.advance(round(passed_s * NS_PER_S))
        if item > passed_s:
            self._items.insert(0, item - passed_s)
        raise queue.Empty

    def lines(self) -> list[str]:
        """The console of the whole download."""
        report_progress("redis:7", self.wait, self.events.append, self.clock)
        return [startup_line(event) for event in self.events]


def test_a_download_that_lasts_shows_that_it_lives() -> None:
    """At least every 5 s, with what came so far, and in the end how much it was and how long."""
    registry = Registry(
        {"status": "Pulling from library/redis", "id": "7"},
        loading("a", 1 * MB, 40 * MB),
        7,
        loading("b", 2 * MB, 2 * MB),
        {"status": "Pull complete", "id": "b", "progressDetail": {}},
        6.5,
        {"status": "Pull complete", "id": "a", "progressDetail": {}},
    )
    assert registry.lines() == [
        "  image redis:7: pulling",
        "  image redis:7: pulling, 1.0 of 40.0 MB after 5 s",
        "  image redis:7: pulling, 3.0 of 42.0 MB after 10 s",
        "  image redis:7: pulled, 42.0 MB in 13.5 s",
    ]


def test_many_lines_do_not_hide_that_time_passes() -> None:
    """A registry that sends all the time is reported as often as a silent one."""
    items: list[Any] = []
    for number in range(30):
        items += [0.5, loading("a", number * MB, 30 * MB)]
    registry = Registry(*items)
    registry.lines()
    assert [event.step for event in registry.events].count(StartupStep.PULLING) == 1 + 3


def test_an_image_without_figures() -> None:
    """Layers that are there already are nothing to download."""
    registry = Registry({"status": "Already exists", "id": "a", "progressDetail": {}})
    assert registry.lines()[-1] == "  image redis:7: pulled in 0.0 s"


def test_a_registry_that_stands_still_is_given_up() -> None:
    """After five minutes of silence."""
    registry = Registry(loading("a", 1, 2), 400)
    with pytest.raises(StackError, match=r"nothing came for 30[0-5] s"):
        registry.lines()
    assert len(registry.events) < 65


def test_a_download_is_bounded_however_much_comes() -> None:
    """An hour."""
    items: list[Any] = []
    for _ in range(100):
        items += [60, loading("a", 1, 2)]
    with pytest.raises(StackError, match=r"36[06]. s after the beginning"):
        Registry(*items).lines()


def test_an_error_ends_it() -> None:
    """As it came."""
    error = StackError("broken", where="redis:7")
    with pytest.raises(StackError) as raised:
        Registry(loading("a", 1, 2), error).lines()
    assert raised.value is error


def test_layers_are_counted_once() -> None:
    """Only bytes that travel count, and extracting says nothing of them."""
    layers = LayerProgress()
    for line in (
        loading("a", 5, 10),
        {"status": "Extracting", "id": "a", "progressDetail": {"current": 99, "total": 99}},
        {"status": "Extracting", "id": "z", "progressDetail": {"current": 99, "total": 99}},
        {"status": "Downloading", "id": "c", "progressDetail": {}},
    ):
        layers.update(line)
    assert (layers.done_bytes, layers.total_bytes) == (10, 10)


class Engine:
    """An engine with some images and a registry that it asks."""

    def __init__(self, *present: str, answer: list[dict[str, Any]] | Exception) -> None:
        self.api = self
        self.present = set(present)
        self._answer = answer

    def inspect_image(self, image: str) -> dict[str, Any]:
        if image in self.present:
            return {"Id": "sha256:1"}
        raise api_error(404, f"No such image: {image}")

    def pull(self, image: str, *, stream: bool, decode: bool) -> Iterator[dict[str, Any]]:
        assert stream
        assert decode
        if isinstance(self._answer, Exception):
            raise self._answer
        self.present.add(image)
        yield from self._answer


def api_error(status: int, message: str) -> errors.APIError:
    """An answer of the engine as docker-py raises it."""
    response = Response()
    response.status_code = status
    kind = errors.NotFound if status == 404 else errors.APIError
    return kind(message, response=response, explanation=message)


def test_each_image_is_reported_once() -> None:
    """Those at hand, and those that are downloaded."""
    engine = Engine("a:1", answer=[loading("x", 3 * MB, 3 * MB)])
    events: list[StartupEvent] = []
    need_images(engine, ["a:1", "b:1", "a:1"], events.append)
    assert [(e.step, e.subject) for e in events] == [
        (StartupStep.IMAGE_PRESENT, "a:1"),
        (StartupStep.PULLING, "b:1"),
        (StartupStep.PULLED, "b:1"),
    ]
    assert events[-1].done_bytes == 3 * MB
    assert is_present(engine, "b:1")


@pytest.mark.parametrize(
    "answer",
    [
        [
            {"status": "Pulling"},
            {"error": "x", "errorDetail": {"message": "no space left on device"}},
        ],
        [{"error": "write /x: no space left on device"}],
        api_error(500, "write /x: no space left on device"),
    ],
)
def test_an_error_under_way_is_reported(answer: Any) -> None:
    """The engine has answered 200 by then, so its error is one of the lines."""
    with pytest.raises(EngineError, match=r"(?s)b:1: the disk .* is full.*docker system df"):
        need_images(Engine(answer=answer), ["b:1"])


def test_an_image_of_ours_is_never_looked_for_elsewhere() -> None:
    """No registry has it."""
    with pytest.raises(UsageError, match="harness images build"):
        need_images(Engine(answer=[]), ["signal-harness/x:1"])
