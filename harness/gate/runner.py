"""Runs the gate during a run: starts the node, has the rounds played, releases the node."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import EvidenceError, error_text
from harness.evidence.gate_log import NodeOpened, NodeReleased, format_gate_entry
from harness.gate.node_provider import NodeProvider, OpenNode
from harness.gate.plan import GatePlan
from harness.process.background_task import BackgroundTask, Wait
from harness.process.child import ChildProcess
from harness.scenario.gate import Gate

# A node that has not ended by then counts as not released.
RELEASE_MAX_NS = 10 * NS_PER_S
_POLL_EVERY_NS = 100 * NS_PER_MS
_REPORT_EVERY = 100
_END_S = 5.0
_JOIN_S = 40.0


class Child(Protocol):
    """The process that plays the rounds."""

    def start(self) -> None: ...

    @property
    def latest(self) -> dict[str, Any] | None: ...

    def poll(self) -> int | None: ...

    def stop(self, timeout_s: float = ...) -> int | None: ...

    def last_log_message(self) -> str: ...


@dataclass(frozen=True, slots=True)
class GateFiles:
    """Where the gate works.

    Attributes:
        path: file of the evidence.
        logs: folder for the logs of the processes.
        root: folder that holds `compose/`.
    """

    path: Path
    logs: Path
    root: Path


def player_process(plan: GatePlan, log: Path) -> ChildProcess:
    """The real process."""
    return ChildProcess("harness.gate.worker", plan.to_stdin(), log, "gate")


class GateRunner(BackgroundTask):
    """Opens the node at its time, has the rounds played, and releases the node in any case.

    Args:
        gate: what is planned.
        start_ns: when the node is started, after t0.
        seed: of the scenario.
        provider: of the node.
        files: paths of its files.
        clock: the host's clocks.
        make_child: the process that plays.
        wait: waits for the seconds, or until the event is set; whether it is.
    """

    def __init__(
        self,
        gate: Gate,
        start_ns: int,
        seed: int,
        provider: NodeProvider,
        files: GateFiles,
        clock: Clock,
        make_child: Callable[[GatePlan, Path], Child] = player_process,
        wait: Wait = threading.Event.wait,
    ) -> None:
        super().__init__(files.path, clock, wait)
        self._gate = gate
        self._start_ns = start_ns
        self._seed = seed
        self._provider = provider
        self._files = files
        self._make_child = make_child
        self._reported = 0
        self._thread: threading.Thread | None = None

    def start(self, t0_ns: int) -> None:
        """Begin the schedule of a load that starts at `t0_ns`.

        Raises:
            EvidenceError: the file cannot be written.
        """
        self._append("")
        due_ns = t0_ns + self._start_ns
        # The kernel ends the node and the process of the rounds together with this thread.
        self._thread = threading.Thread(target=self._run, args=(due_ns,), name="gate", daemon=True)
        self._thread.start()

    def stop(self, *, abort: bool = False) -> None:
        """End the rounds and release the node; the load is over. May be called twice."""
        del abort  # without a load there is nothing to wait for
        self._abort.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            if self._thread.is_alive():
                self._fail("the gate did not finish")

    def _run(self, due_ns: int) -> None:
        trouble, node = "", OpenNode("", "", "")
        if self._until(due_ns):
            self._end(node, "the load was over before its time came")
            return
        try:
            asked_ns = self._clock.now_ns()
            node = self._provider.open()
            opened = NodeOpened(
                node=node.name, seen=node.seen, asked_ns=asked_ns, mono_ns=self._clock.now_ns()
            )
            self._append(format_gate_entry(opened))
            self._add_message(f"gate: {node.name} is up: {node.seen}")
            trouble = self._play(node, due_ns + self._gate.timeout_ns)
        except Exception as error:  # recorded, and the node is released all the same
            trouble = error_text(error)
        self._end(node, trouble)

    def _play(self, node: OpenNode, deadline_ns: int) -> str:
        """Have the rounds played; what went wrong."""
        log = self._files.logs / "gate.log"
        plan = GatePlan(
            gate=self._gate,
            seed=self._seed,
            url=node.url,
            path=self._files.path,
            log=self._files.logs / "gate-service.log",
            root=self._files.root,
        )
        child = self._make_child(plan, log)
        try:
            child.start()
            while child.poll() is None:
                if self._clock.now_ns() >= deadline_ns:
                    return f"not done after {self._gate.timeout_s:g} s"
                if self._wait(self._abort, _POLL_EVERY_NS / NS_PER_S):
                    return "the load was over before it was done"
                self._report_rounds(child)
            self._report_rounds(child, last=True)
            if child.poll() != 0:
                message = child.last_log_message()
                return f"the process of the rounds ended with {child.poll()}" + (
                    f": {message}" if message else ""
                )
            return ""
        finally:
            child.stop(_END_S)

    def _report_rounds(self, child: Child, *, last: bool = False) -> None:
        status = child.latest or {}
        done, broken = int(status.get("done", 0)), int(status.get("broken", 0))
        if done - self._reported >= _REPORT_EVERY or last:
            self._reported = done
            self._add_message(f"gate: {done:,} rounds of {self._gate.rounds:,}, {broken:,} broken")

    def _end(self, node: OpenNode, trouble: str) -> None:
        """Release the node and record whether it has ended."""
        closed_ns, seen, seen_ns = self._clock.now_ns(), "", None
        try:
            self._provider.close()
        except Exception as error:  # recorded; the following check shows what is left
            trouble = "; ".join(part for part in (trouble, error_text(error)) if part)
        while not seen and self._clock.now_ns() < closed_ns + RELEASE_MAX_NS:
            try:
                seen = self._provider.gone()
            except Exception as error:  # then there is no evidence that it has ended
                trouble = trouble or error_text(error)
            if not seen:
                self._clock.sleep_ns(_POLL_EVERY_NS)
        if seen:
            seen_ns = self._clock.now_ns()
            self._add_message(f"gate: released: {seen}")
        else:
            self._add_message(f"gate: no evidence that {node.name or 'the node'} has ended")
        released = NodeReleased(
            node=node.name, closed_ns=closed_ns, mono_ns=seen_ns, seen=seen, trouble=trouble
        )
        try:
            self._append(format_gate_entry(released))
        except EvidenceError as error:
            self._fail(str(error))
