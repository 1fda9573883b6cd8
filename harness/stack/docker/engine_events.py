"""What the engine's events report of each container: ends, restarts, OOM kills; and their stream.

Docker's event stream reports a restart by policy as `die` and then `start`; `oom` comes before
the `die` that it causes, and also when a process other than the first one was killed. Podman
(seen: 4.3) reports no `oom`, a `kill` without its signal, a removal as `remove`, and ends a
container that it will not start again with `cleanup`, which comes after every `die` by hand.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from harness.stack.compose_file import RestartSpec
from harness.stack.docker.client import Client, connect, engine_errors
from harness.stack.docker.labels import RUN, SERVICE

ACTIONS = ("create", "start", "die", "oom", "kill", "stop", "restart", "destroy", "cleanup")
_IN_PODMAN = {"remove": "destroy"}
_EVENTS_KEPT = 5000
_EXITS_KEPT = 1000
# A shell's and Docker's way to say that a process was ended by a signal.
_SIGNAL_BASE = 128
_SIGNALS_MAX = 64
# Docker's default name of a container's host.
_HOST_DIGITS = 12
# `docker kill` and `docker stop`; other signals leave the restart policy in force.
_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """One event of one container.

    Attributes:
        exit_code: of a `die`; negative for a signal.
        signal: of a `kill`, which ends a container by hand.
        host: what the container calls itself: the beginning of its id.
    """

    container: str
    service: str
    action: str
    wall_ns: int
    mono_ns: int
    exit_code: int | None = None
    signal: int | None = None
    host: str = ""


@dataclass(frozen=True, slots=True)
class ContainerExit:
    """One end of a container."""

    wall_ns: int
    mono_ns: int
    uptime_ns: int
    code: int
    by_oom: bool


@dataclass(slots=True)
class ContainerCounters:
    """What has happened to one container so far.

    Attributes:
        stopping: the harness has asked it to end, so its end is no failure.
        by_hand: a person or program has, which suspends its restart policy.
        oom_events: out-of-memory kills inside it; `oom_kills`: those that ended it.
        out_of_pool: its policy has no retry left.
        host: what it calls itself.
    """

    name: str
    service: str
    policy: RestartSpec
    starts: int = 0
    running: bool = False
    stopping: bool = False
    by_hand: bool = False
    started_ns: int = 0
    oom_events: int = 0
    oom_kills: int = 0
    out_of_pool: bool = False
    host: str = ""
    exits: deque[ContainerExit] = field(default_factory=lambda: deque(maxlen=_EXITS_KEPT))
    _oom_since_start: bool = False

    @property
    def restarts(self) -> int:
        """Starts after the first one."""
        return max(0, self.starts - 1)

    def is_lost(self, now_ns: int, after_ns: int) -> bool:
        """Whether it has ended unasked and will not be started again.

        Args:
            now_ns: monotonic time.
            after_ns: an end by hand may be the first half of a restart for so long.
        """
        if self.running or self.stopping or not self.exits:
            return False
        is_old = now_ns - self.exits[-1].mono_ns >= after_ns
        return self.out_of_pool or (self.by_hand and is_old)

    def record(self, event: ContainerEvent) -> str | None:
        """Take an event in; an alert, if it is one."""
        self.host = event.host or self.host
        match event.action:
            case "start":
                self.starts += 1
                self.running, self.started_ns = True, event.mono_ns
                self.by_hand = self.out_of_pool = self._oom_since_start = False
            case "oom":
                self.oom_events += 1
                self._oom_since_start = True
            case "kill":
                self.by_hand = event.signal is None or event.signal in _ENDING
            case "cleanup":
                self.by_hand = self.by_hand or not self.running
            case "die":
                return self._end(event)
        return None

    def _end(self, event: ContainerEvent) -> str | None:
        code = event.exit_code or 0
        self.running = False
        self.oom_kills += self._oom_since_start
        self.exits.append(
            ContainerExit(
                wall_ns=event.wall_ns,
                mono_ns=event.mono_ns,
                uptime_ns=event.mono_ns - self.started_ns,
                code=code,
                by_oom=self._oom_since_start,
            )
        )
        if self.stopping or self.by_hand or restarts_again(self.policy, code, self.restarts):
            return None
        self.out_of_pool = True
        how = "out of memory" if self._oom_since_start else f"exit code {code}"
        return (
            f"{self.name} is out of the pool: it ended ({how}) after {self.restarts} restarts, "
            f"and its policy allows no more"
        )


def restarts_again(policy: RestartSpec, code: int, restarts: int) -> bool:
    """Whether the engine starts a container again that has ended.

    Args:
        policy: its restart policy.
        code: its exit code.
        restarts: how often it was started again before.
    """
    if policy.name in {"always", "unless-stopped"}:
        return True
    if policy.name == "on-failure":
        return code != 0 and (policy.retries == 0 or restarts < policy.retries)
    return False


def exit_code(text: str | None) -> int | None:
    """An exit code as Docker reports it, with a signal's end as a negative number."""
    code = _number(text)
    if code is None:
        return None
    is_signal = _SIGNAL_BASE < code <= _SIGNAL_BASE + _SIGNALS_MAX
    return _SIGNAL_BASE - code if is_signal else code


def parse_event(document: Mapping[str, Any], mono_offset_ns: int) -> ContainerEvent | None:
    """An event of the stream; None for one that says nothing here.

    Args:
        document: as the engine sent it.
        mono_offset_ns: what to add to the engine's wall clock to get this host's monotonic clock.
    """
    action = str(document.get("Action", ""))
    action = _IN_PODMAN.get(action, action)
    attributes = (document.get("Actor") or {}).get("Attributes") or {}
    if document.get("Type") != "container" or action not in ACTIONS:
        return None
    wall_ns = int(document["timeNano"])
    actor_id = str((document.get("Actor") or {}).get("ID", ""))
    return ContainerEvent(
        container=attributes.get("name", ""),
        service=attributes.get(SERVICE, ""),
        action=action,
        wall_ns=wall_ns,
        mono_ns=wall_ns + mono_offset_ns,
        exit_code=exit_code(attributes.get("exitCode")),
        signal=_number(attributes.get("signal")),
        host=actor_id[:_HOST_DIGITS],
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


class EventCounters:
    """Counts per container, and the events themselves up to a bound."""

    def __init__(self) -> None:
        self.counts: dict[str, ContainerCounters] = {}
        self.events: deque[ContainerEvent] = deque(maxlen=_EVENTS_KEPT)
        self.alerts: list[str] = []

    def register(self, container: str, service: str, policy: RestartSpec) -> None:
        """A container that is about to be created."""
        self.counts[container] = ContainerCounters(container, service, policy)

    def stopping(self, container: str) -> None:
        """Its end is going to be asked for."""
        if container in self.counts:
            self.counts[container].stopping = True

    def record(self, event: ContainerEvent) -> None:
        """Take an event in; events of containers that were not announced are kept, not counted."""
        self.events.append(event)
        count = self.counts.get(event.container)
        if count is not None and (alert := count.record(event)):
            self.alerts.append(alert)


_JOIN_MAX_S = 3.0


class EventListener:
    """Feeds the counters from a thread of its own.

    Args:
        token: the run whose containers are listened to.
        counters: receive the events; `lock` protects them.
        on_start: receives every start of a container, in the listening thread.
    """

    def __init__(
        self, token: str, counters: EventCounters, on_start: Callable[[str], None]
    ) -> None:
        self.lock = threading.Lock()
        self.failure: str | None = None
        self._token = token
        self._counters = counters
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
