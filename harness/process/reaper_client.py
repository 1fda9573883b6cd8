"""The harness's side of a reaper."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.errors import StackError
from harness.process.proc import start_ticks

PROCESS_REAPER = Path(__file__).with_name("reaper.py")
# The message that nothing is left to end or remove.
DONE = {"done": 1}
_END_MAX_S = 30.0


class ReaperClient:
    """Holds the pipe to a reaper, which cleans up as soon as the pipe ends.

    Args:
        program: the reaper, `harness.process.reaper` or `harness.stack.docker.reaper`.
        token: the run's mark; a new one by default.

    Attributes:
        token: child processes carry it as HARNESS_RUN in their environment, containers as a label.
    """

    def __init__(self, program: Path = PROCESS_REAPER, token: str = "") -> None:
        self.token = token or secrets.token_hex(8)
        self._program = program
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the reaper; before anything else is started.

        Raises:
            StackError: it cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(self._program), self.token],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise StackError(f"cannot be started: {error}", where="reaper") from error

    @property
    def pid(self) -> int:
        """The reaper's process id; 0 when there is none."""
        return self._process.pid if self._process else 0

    @property
    def is_alive(self) -> bool:
        """Whether the reaper runs."""
        return self._process is not None and self._process.poll() is None

    def watch(self, pid: int, stop_signal: int) -> None:
        """Let the reaper end a process by this signal."""
        self._send({"watch": pid, "ticks": start_ticks(pid), "signal": int(stop_signal)})

    def forget(self, pid: int) -> None:
        """Report that a process has ended."""
        self._send({"forget": pid})

    def clean(self, folder: Path) -> None:
        """Let the reaper remove a folder."""
        self._send({"folder": str(folder)})

    def stop(self, *, done: bool = False) -> None:
        """End the pipe and wait for the reaper.

        Args:
            done: nothing is left to clean up; else the reaper does it now.
        """
        if done:
            self._send(DONE)
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_END_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _send(self, message: Mapping[str, int | str]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        # A dead reaper shows in describe(); the run itself does not depend on it.
        with self._lock, suppress(OSError, ValueError):
            os.write(process.stdin.fileno(), json.dumps(message).encode() + b"\n")
