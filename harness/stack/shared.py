"""One stack for several runs, one after another.

A run starts and stops its stack; this one starts once, stays until `close`, and proves before each
further run that nothing of the runs before it is left: no signal on its way, no open row, no
service that is still busy. A stack that does not get idle in time, or of which a service was
restarted, is ended, and the next run has a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.errors import StackError
from harness.stack.base import Endpoints, ServiceState, Stack
from harness.stack.startup import StartupEvent, StartupSink, StartupStep, ignore_event


@dataclass(frozen=True, slots=True)
class IdleProof:
    """What was found of a stack between two runs.

    Attributes:
        is_idle: whether nothing was left of the run before.
        waited_s: until it was, or until the time for it was over.
        unread: entries that the engine's group had not read; None where Redis does not say.
        pending: entries read and not acknowledged; None without such a group.
        open_rows: FSM rows that were not final; None where they were not counted.
        busy_cores: CPU of all services; None where their processes are not known.
        busy_max_cores: up to so much they count as idle; None where it is not known.
    """

    is_idle: bool
    waited_s: float
    unread: int | None = None
    pending: int | None = None
    open_rows: int | None = None
    busy_cores: float | None = None
    busy_max_cores: float | None = None

    @property
    def left(self) -> str:
        """What was left, as text; empty for an idle stack."""
        parts = [
            f"{count:,} {what}"
            for count, what in (
                (self.unread, "entries unread"),
                (self.pending, "entries pending"),
                (self.open_rows, "rows open"),
            )
            if count
        ]
        if self.busy_cores is not None and self.busy_cores > (self.busy_max_cores or 0.0):
            parts.append(f"{self.busy_cores:.2f} cores busy")
        return "" if self.is_idle else ", ".join(parts) or "it did not answer"


class IdleProbe(Protocol):
    """Finds out whether a stack is idle; `harness.observe.idle` has the one for real stacks."""

    def learn(self, services: tuple[ServiceState, ...]) -> None:
        """Learn what the services of a new stack use when they are idle."""
        ...

    def prove(
        self, endpoints: Endpoints, services: tuple[ServiceState, ...], run_tag: int | None
    ) -> IdleProof:
        """Wait until the stack is idle, or until the time for it is over.

        Args:
            endpoints: where it is reached.
            services: its services now.
            run_tag: of the latest run; None without one.

        Raises:
            StackError: a server does not answer.
        """
        ...


@dataclass(slots=True)
class SharedStack:
    """A stack that outlives a run.

    Args:
        make: makes a stack that writes its logs into a folder; receives the sink of its events.
        logs: folder for the logs of each stack that is started, one below the other.
        probe: proves that it is idle.
        is_ours: whether the harness starts it; else it is never started again, and one that is not
            idle is lost.
        single_use: whether each run has a stack of its own after all.

    Attributes:
        on_event: receives why a stack is started again.
        run_tags: of the runs that this stack has had; rows of theirs are in its tables.
    """

    make: Callable[[Path, StartupSink], Stack]
    logs: Path
    probe: IdleProbe
    is_ours: bool = True
    single_use: bool = False
    on_event: StartupSink = ignore_event
    run_tags: list[int] = field(default_factory=list)
    _stack: Stack | None = None
    _endpoints: Endpoints | None = None
    _started: int = 0
    _proof: IdleProof | None = None
    _renewed_because: str = ""

    def start(self) -> Endpoints:
        """Start the stack, or prove that the one of the run before is idle.

        Raises:
            UsageError, StackError: as `Stack.start`.
        """
        self._proof, self._renewed_because = None, ""
        if self._stack is not None and (why := self._unusable()):
            if not self.is_ours:
                raise StackError(
                    f"the system is not ready for another run: {why}",
                    where="idle",
                    hint="go on with the search once it is idle",
                )
            self._renewed_because = why
            self.on_event(StartupEvent(StartupStep.NOTE, f"the stack is started again: {why}"))
            self.close()
        if self._stack is None or self._endpoints is None:
            return self._start_new()
        return self._endpoints

    def services(self) -> tuple[ServiceState, ...]:
        """As `Stack.services`."""
        return self._running().services()

    def describe(self) -> dict[str, Any]:
        """As `Stack.describe`, with `shared`: what earlier runs left of it."""
        shared = {
            "started": self._started,
            "runs_before": max(0, len(self.run_tags) - 1),
            "idle": asdict(self._proof) if self._proof else None,
            "renewed_because": self._renewed_because,
        }
        return {**self._running().describe(), "shared": shared}

    def stop(self) -> None:
        """The stack stays, for the next run; `close` ends it."""
        if self.single_use:
            self.close()

    def close(self) -> None:
        """End the stack and leave nothing. May be called at any time, and twice."""
        stack, self._stack, self._endpoints = self._stack, None, None
        self.run_tags.clear()
        if stack is not None:
            stack.stop()

    def _start_new(self) -> Endpoints:
        self._started += 1
        self._stack = self.make(self.logs / f"stack-{self._started}", self.on_event)
        try:
            self._endpoints = self._stack.start()
            self.probe.learn(self._stack.services())
        except BaseException:  # an interrupt too must leave nothing
            self.close()
            raise
        return self._endpoints

    def _unusable(self) -> str:
        """Why the next run needs another stack; empty where this one will do."""
        stack, endpoints = self._running(), self._endpoints
        if endpoints is None:
            return "its start failed"
        try:
            services = stack.services()
            if restarted := [one.name for one in services if one.restarts]:
                return f"{', '.join(restarted)} was restarted"
            tag = self.run_tags[-1] if self.run_tags else None
            self._proof = self.probe.prove(endpoints, services, tag)
        except StackError as error:
            return f"it was lost: {error.what}"
        if self._proof.is_idle:
            return ""
        return f"not idle after {self._proof.waited_s:.0f} s: {self._proof.left}"

    def _running(self) -> Stack:
        if self._stack is None:
            raise StackError("is not running", where="shared stack")
        return self._stack
