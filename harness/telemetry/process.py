"""The telemetry process, controlled by the main process."""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.errors import StackError
from harness.process.child import ChildProcess
from harness.stack.base import ServiceState
from harness.telemetry.plan import LOG_FILE, TelemetryPlan

_STOP_LIMIT_S = 5.0


class TelemetryProcess:
    """Starts the process, names restarted services to it, and ends it.

    No measurement depends on it: when it cannot start or dies, the run goes on and reports that.

    Args:
        plan: what to sample; the folder of `plan.path` must exist.
    """

    def __init__(self, plan: TelemetryPlan) -> None:
        self._plan = plan
        self._stopping = False
        self._failure: str | None = None
        self._pids: dict[str, int] = {}
        logs = plan.path.parent / "logs"
        logs.mkdir(exist_ok=True)
        self._child = ChildProcess(
            "harness.telemetry.worker",
            plan.to_stdin(),
            logs / LOG_FILE,
            "telemetry",
            keep_stdin_open=True,
        )

    @property
    def pid(self) -> int:
        """Process id; 0 before the start."""
        return self._child.pid

    def start(self) -> None:
        """Start the process; does not wait for its first sample."""
        try:
            self._plan.path.touch()  # it is evidence even without a line: nothing was sampled
            self._child.start()
        except (OSError, StackError) as error:
            self._failure = f"the telemetry process cannot be started: {error}"

    def follow(self, services: Sequence[ServiceState]) -> None:
        """Send the pids of the services to the process when one has changed."""
        pids = {state.name: state.pid for state in services if state.pid}
        if pids != self._pids and not self._stopping:
            self._pids = pids
            self._child.send_line(json.dumps({"services": pids}))

    def failure(self) -> str | None:
        """Why it samples no more; None while it does, or after `stop` when it ended normally."""
        if self._failure is not None:
            return self._failure
        code = self._child.poll()
        if code is None or (code == 0 and self._stopping):
            return None
        how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        message = self._child.last_log_message()
        return f"the telemetry process {how}" + (f": {message}" if message else "")

    def stop(self) -> None:
        """Let it sample once more, and end it; may be called twice or before the start."""
        self._stopping = True
        self._child.stop(_STOP_LIMIT_S)


class DisabledTelemetry:
    """For a run without telemetry."""

    def start(self) -> None:
        """Nothing is started."""

    def follow(self, services: Sequence[ServiceState]) -> None:
        """There is no process to inform."""

    def failure(self) -> str | None:
        """Nothing can fail."""
        return None

    def stop(self) -> None:
        """Nothing was started."""
