"""The observer process, controlled by the main process."""

from __future__ import annotations

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.observe.plan import STATUS_FILE, ObserverPlan
from harness.observe.worker import OPEN_LIMIT_NS
from harness.process.child import ChildProcess, Status

LOG_FILE = "observer.log"
# The worker gives up by itself after OPEN_LIMIT_NS and reports why; this is for one that hangs.
READY_LIMIT_NS = OPEN_LIMIT_NS + 15 * NS_PER_S
_STOP_LIMIT_S = 10.0
_POLL_EVERY_NS = 10 * NS_PER_MS


class Observer:
    """Starts, monitors and ends the observer process.

    Args:
        plan: what to observe and where to write; `plan.folder` must exist.
        clock: monotonic time and sleep.
    """

    def __init__(self, plan: ObserverPlan, clock: Clock) -> None:
        logs = plan.folder / "logs"
        logs.mkdir(exist_ok=True)
        self._clock = clock
        self._stopping = False
        self._ready = False
        self._child = ChildProcess(
            "harness.observe.worker",
            plan.to_stdin(),
            logs / LOG_FILE,
            "observer",
            keep=plan.folder / STATUS_FILE,
        )

    @property
    def pid(self) -> int:
        """Process id; 0 before the start."""
        return self._child.pid

    def pids(self) -> dict[str, int]:
        """Process id by name."""
        return {"observer": self.pid}

    @property
    def latest(self) -> Status | None:
        """The newest status line."""
        return self._child.latest

    def start(self) -> None:
        """Start the process and wait until it observes.

        Raises:
            StackError: it ended instead, or did not become ready in time.
        """
        self._child.start()
        deadline_ns = self._clock.now_ns() + READY_LIMIT_NS
        while self._clock.now_ns() < deadline_ns:
            if self._child.latest is not None:
                self._ready = True
                return
            code = self._child.poll()
            if code is not None:
                raise StackError(
                    f"ended with {code} before it watched\n{self._child.log_tail()}",
                    where="observer",
                    hint="the last lines of its log are above",
                )
            self._clock.sleep_ns(_POLL_EVERY_NS)
        tail = self._child.log_tail()
        self._child.stop(0.5)
        raise StackError(
            f"did not begin to watch within {READY_LIMIT_NS / NS_PER_S:.0f} s\n{tail}",
            where="observer",
            hint="a transaction that stays open keeps logical decoding from starting",
        )

    def failure(self) -> str | None:
        """Why it observes no more; None while it does, or after `stop` when it ended normally."""
        code = self._child.poll()
        if code is None or not self._ready:
            return None
        if code == 0 and self._stopping:
            return None
        how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        message = self._child.last_log_message()
        return f"the observer {how}" + (f": {message}" if message else "")

    def stop(self) -> None:
        """Let it read what is committed, then end it; may be called twice."""
        self._stopping = True
        self._child.stop(_STOP_LIMIT_S)
