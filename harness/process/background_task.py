"""A background task of a run, in threads of its own: its events, its evidence, its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from harness.clock import NS_PER_S, Clock
from harness.errors import EvidenceError

# Waits so many seconds, or until the event is set; whether it is.
Wait = Callable[[threading.Event, float], bool]


class BackgroundTask:
    """Base of what has a schedule of its own while the load is on.

    Args:
        path: file of its evidence, which grows by whole lines.
        clock: the host's clocks.
        wait: how its threads wait.
    """

    def __init__(self, path: Path, clock: Clock, wait: Wait = threading.Event.wait) -> None:
        self._path = path
        self._clock = clock
        self._wait = wait
        self._abort = threading.Event()
        self._lock = threading.Lock()
        self._messages: list[str] = []
        self._failure = ""

    def drain_messages(self) -> tuple[str, ...]:
        """What has happened since the last question, a sentence each."""
        with self._lock:
            found, self._messages = tuple(self._messages), []
        return found

    def failure(self) -> str | None:
        """Why no evidence can be had; None while it can."""
        return self._failure or None

    def _until(self, when_ns: int) -> bool:
        """Wait for a moment; whether the task was aborted before it came."""
        while (left_ns := when_ns - self._clock.now_ns()) > 0:
            if self._wait(self._abort, left_ns / NS_PER_S):
                return True
        return False

    def _append(self, text: str) -> None:
        try:
            with self._lock, self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise EvidenceError(f"cannot write: {error.strerror}", where=str(self._path)) from error

    def _add_message(self, sentence: str) -> None:
        with self._lock:
            self._messages.append(sentence)

    def _fail(self, why: str) -> None:
        self._failure = self._failure or why
