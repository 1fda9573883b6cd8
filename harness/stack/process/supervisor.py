"""Keeping services alive: noticing their ends, restarting them, telling when one is lost."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.process.program import Program
from harness.stack.base import ServiceState
from harness.stack.log_tail import log_tail
from harness.stack.process.restart_policy import ALWAYS, RestartPolicy

_TICK_S = 0.02
_READY_POLL_NS = 10 * NS_PER_MS
_STOP_NS = 3 * NS_PER_S
_EXITS_KEPT = 1000
# New processes of one tick: a start takes some milliseconds, in which nothing else is noticed.
_STARTS_PER_TICK = 4
_START_LATER_S = 60.0


class Process(Protocol):
    """The part of `subprocess.Popen` that supervision needs."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def send_signal(self, sig: int, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Service:
    """A program to keep alive.

    Attributes:
        is_ready: asked until it says yes; must not raise and must answer within a second.
        rank: services of a higher rank depend on lower ones and are stopped first.
        policy: when to restart it.
        is_essential: whether the stack is lost with it.
    """

    program: Program
    is_ready: Callable[[], bool]
    rank: int = 0
    policy: RestartPolicy = ALWAYS
    is_essential: bool = True


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """One end of a service: when, after how long, and how (negative: by that signal)."""

    wall_ns: int
    mono_ns: int
    uptime_ns: int
    code: int


@dataclass(slots=True)
class _SupervisedProcess:
    service: Service
    process: Process
    started_ns: int
    restarts: int = 0
    failures: int = 0
    restart_at_ns: int | None = None
    is_lost: bool = False
    ended: bool = False
    exits: deque[ExitRecord] = field(default_factory=lambda: deque(maxlen=_EXITS_KEPT))


class Supervisor:
    """Starts services one after the other and keeps them alive until it is stopped.

    Args:
        spawn: starts a program.
        bury: receives the pid of every process that has ended.
        clock: time of uptimes and waits.
        secrets: what no message may show.
    """

    def __init__(
        self,
        spawn: Callable[[Program], Process],
        bury: Callable[[int], None],
        clock: Clock,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._spawn = spawn
        self._on_exit = bury
        self._clock = clock
        self._secrets = secrets
        self._kept: dict[str, _SupervisedProcess] = {}
        self._retired: dict[str, _SupervisedProcess] = {}
        self._queue: deque[Service] = deque()
        self._start_error: StackError | None = None
        self._all_started = threading.Event()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, service: Service) -> None:
        """Start a service; it is kept alive from the time it is ready (`await_ready`).

        Raises:
            StackError: it cannot be started.
        """
        with self._lock:
            process = self._spawn(service.program)
            self._kept[service.program.name] = _SupervisedProcess(
                service, process, self._clock.now_ns()
            )

    def start_later(self, services: Sequence[Service]) -> None:
        """Have services started by the thread that watches, which their lives are bound to.

        Returns when all of them run.

        Raises:
            StackError: one cannot be started, or the thread does not start them in time.
        """
        if not services:
            return
        with self._lock:
            self._start_error = None
            self._all_started.clear()
            self._queue.extend(services)
        if not self._all_started.wait(_START_LATER_S):
            raise StackError("was not started in time", where=services[-1].program.name)
        if self._start_error is not None:
            raise self._start_error

    def retire(self, names: Sequence[str]) -> None:
        """End services for good; their record stays."""
        with self._lock:
            leaving = tuple(self._kept.pop(name) for name in names)
            self._retired.update(zip(names, leaving, strict=True))
        self._end(leaving)

    def await_ready(self, name: str, timeout_ns: int) -> int:
        """Wait until a service is ready; how long after its start it was seen to be, in ns.

        Raises:
            StackError: it ended before that, or the time is over.
        """
        kept = self._kept[name]
        started_ns = self._clock.now_ns()
        while not kept.service.is_ready():
            code = kept.process.poll()
            if code is not None:
                raise self._error(kept, f"ended with {code} before it was ready")
            if self._clock.now_ns() - started_ns > timeout_ns:
                raise self._error(kept, f"was not ready after {timeout_ns / NS_PER_S:.1f} s")
            self._clock.sleep_ns(_READY_POLL_NS)
        return self._clock.now_ns() - kept.started_ns

    def drop(self, name: str) -> None:
        """Forget a service that did not start."""
        with self._lock:
            kept = self._kept.pop(name)
        self._end((kept,))

    def watch(self) -> None:
        """Keep the services alive in the background from now on.

        A restarted process is bound to the thread that started it, so the thread ends after them.
        """
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def tick(self) -> None:
        """Notice ends and restart what is due; once."""
        with self._lock:
            if self._stopping.is_set():
                return
            for kept in self._kept.values():
                self._check_process(kept)
            self._start_queued()

    def states(self) -> tuple[ServiceState, ...]:
        """Every service, in the order of their start."""
        with self._lock:
            return tuple(_state(name, kept) for name, kept in self._kept.items())

    def check(self) -> None:
        """Make sure that no service is lost.

        Raises:
            StackError: one is.
        """
        for kept in tuple(self._kept.values()):
            if kept.is_lost and kept.service.is_essential:
                last = kept.exits[-1].code if kept.exits else "an error at its start"
                raise self._error(
                    kept, f"is lost: ended {kept.failures} times in a row, last with {last}"
                )

    def describe(self) -> dict[str, Any]:
        """Restarts and ends of every service."""
        with self._lock:
            return {
                name: {
                    "pid": kept.process.pid,
                    "restarts": kept.restarts,
                    "lost": kept.is_lost,
                    "exits": [
                        {
                            "wall_ns": end.wall_ns,
                            "mono_ns": end.mono_ns,
                            "uptime_ns": end.uptime_ns,
                            "code": end.code,
                        }
                        for end in kept.exits
                    ],
                }
                for name, kept in (*self._retired.items(), *self._kept.items())
            }

    def stop(self) -> None:
        """End every service, dependents first."""
        self._stopping.set()
        with self._lock:
            everyone = tuple(self._kept.values())
        for rank in sorted({kept.service.rank for kept in everyone}, reverse=True):
            self._end(tuple(kept for kept in everyone if kept.service.rank == rank))
        if self._thread is not None:
            self._thread.join(timeout=2)
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.wait(_TICK_S):
            self.tick()
        # Whoever was restarted here dies with this thread: stay until all are gone.
        while any(not kept.ended for kept in (*self._kept.values(), *self._retired.values())):
            self._clock.sleep_ns(_READY_POLL_NS)

    def _start_queued(self) -> None:
        for _ in range(min(_STARTS_PER_TICK, len(self._queue))):
            service = self._queue[0]
            try:
                process = self._spawn(service.program)
            except StackError as error:
                self._start_error = error
                self._queue.clear()
                break
            name = service.program.name
            self._retired.pop(name, None)
            self._kept[name] = _SupervisedProcess(service, process, self._clock.now_ns())
            self._queue.popleft()
        if not self._queue:
            self._all_started.set()

    def _check_process(self, kept: _SupervisedProcess) -> None:
        now_ns = self._clock.now_ns()
        if kept.is_lost:
            return
        if kept.restart_at_ns is not None:
            if now_ns >= kept.restart_at_ns:
                self._restart(kept)
            return
        code = kept.process.poll()
        if code is not None:
            self._note_exit(kept, code, now_ns)

    def _note_exit(self, kept: _SupervisedProcess, code: int, now_ns: int) -> None:
        self._on_exit(kept.process.pid)
        uptime_ns = now_ns - kept.started_ns
        kept.exits.append(ExitRecord(self._clock.wall_ns(), now_ns, uptime_ns, code))
        kept.failures, wait_ns = kept.service.policy.after_exit(kept.failures, uptime_ns)
        kept.is_lost = wait_ns is None
        kept.restart_at_ns = None if wait_ns is None else now_ns + wait_ns

    def _restart(self, kept: _SupervisedProcess) -> None:
        kept.restart_at_ns = None
        try:
            kept.process = self._spawn(kept.service.program)
        except StackError:
            kept.is_lost = True
            return
        kept.started_ns = self._clock.now_ns()
        kept.restarts += 1

    def _end(self, group: tuple[_SupervisedProcess, ...]) -> None:
        for kept in group:
            _send(kept, kept.service.program.stop_signal)
        deadline_ns = self._clock.now_ns() + _STOP_NS
        while self._clock.now_ns() < deadline_ns and _running(group):
            self._clock.sleep_ns(_READY_POLL_NS)
        for kept in _running(group):
            _send(kept, 9)
        deadline_ns = self._clock.now_ns() + _STOP_NS
        while self._clock.now_ns() < deadline_ns and _running(group):
            self._clock.sleep_ns(_READY_POLL_NS)
        for kept in group:
            kept.ended = True
            self._on_exit(kept.process.pid)

    def _error(self, kept: _SupervisedProcess, what: str) -> StackError:
        program = kept.service.program
        tail = log_tail(program.log, self._secrets)
        last = f"; its last output:\n{tail}" if tail else ""
        return StackError(what + last, where=program.name, hint=f"see {program.log}")


def _running(group: tuple[_SupervisedProcess, ...]) -> tuple[_SupervisedProcess, ...]:
    return tuple(kept for kept in group if kept.process.poll() is None)


def _send(kept: _SupervisedProcess, number: int) -> None:
    with suppress(ProcessLookupError):
        if kept.process.poll() is None:
            kept.process.send_signal(number)


def _state(name: str, kept: _SupervisedProcess) -> ServiceState:
    return ServiceState(
        name=name,
        pid=kept.process.pid,
        alive=kept.restart_at_ns is None and kept.process.poll() is None,
        restarts=kept.restarts,
        last_exit=kept.exits[-1].code if kept.exits else None,
        out_of_pool=kept.is_lost and not kept.service.is_essential,
    )
