"""Listening to the engine's event stream, from before the first container on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from harness.stack.docker.client import Client, connect, engine_errors
from harness.stack.docker.event_counters import ContainerEvent, EventCounters, parse_event
from harness.stack.docker.labels import RUN

_JOIN_MAX_S = 3.0


class EventListener:
    """Feeds a tally from a thread of its own.

    Args:
        token: the run whose containers are listened to.
        tally: takes the events; guarded by `lock`.
        on_start: told of every start of a container, in the listening thread.
    """

    def __init__(self, token: str, tally: EventCounters, on_start: Callable[[str], None]) -> None:
        self.lock = threading.Lock()
        self.failure: str | None = None
        self._token = token
        self._counters = tally
        self._on_start = on_start
        self._client: Client = None
        self._stream: Any = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Listen from now on; on return nothing that follows is missed.

        Raises:
            StackError: the engine does not answer.
        """
        self._client = connect()
        offset_ns = time.monotonic_ns() - time.time_ns()
        with engine_errors("events"):
            self._stream = self._client.events(
                decode=True, filters={"label": f"{RUN}={self._token}", "type": "container"}
            )
        self._thread = threading.Thread(
            target=self._listen, args=(offset_ns,), name="docker-events", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening. May be called twice."""
        self._stopping.set()
        if self._stream is not None:
            with suppress(Exception):  # closing a socket that another thread reads
                self._stream.close()
        if self._thread is not None:
            self._thread.join(_JOIN_MAX_S)
            self._thread = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def _listen(self, offset_ns: int) -> None:
        try:
            for document in self._stream:
                event = parse_event(document, offset_ns)
                if event is not None:
                    self._record(event)
        except Exception as error:  # whatever ends it, the run must know
            self.failure = f"the engine's event stream broke: {error!r}"
        if self._stopping.is_set():
            self.failure = None
        elif self.failure is None:
            self.failure = "the engine's event stream ended"

    def _record(self, event: ContainerEvent) -> None:
        if event.action == "start":  # first, so that a counted restart has its own process
            self._on_start(event.container)
        with self.lock:
            self._counters.record(event)
