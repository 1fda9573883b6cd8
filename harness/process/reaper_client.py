"""The harness's side of the warden."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from harness.errors import StackError
from harness.process.proc import start_ticks

_REAPER = Path(__file__).with_name("reaper.py")
_END_MAX_S = 15.0


class ReaperClient:
    """Holds the pipe to a warden and tells it what to end and remove should the harness die.

    Attributes:
        token: the run's mark; children carry it as HARNESS_RUN in their environment.
    """

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the warden; before anything else is started.

        Raises:
            StackError: it cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_REAPER), self.token],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise StackError(f"cannot be started: {error}", where="warden") from error

    @property
    def pid(self) -> int:
        """The warden's process id; 0 when there is none."""
        return self._process.pid if self._process else 0

    @property
    def is_alive(self) -> bool:
        """Whether the warden watches."""
        return self._process is not None and self._process.poll() is None

    def watch(self, pid: int, stop_signal: int) -> None:
        """Let the warden end a process by this signal."""
        self._send({"watch": pid, "ticks": start_ticks(pid), "signal": int(stop_signal)})

    def forget(self, pid: int) -> None:
        """Tell the warden that a process has ended."""
        self._send({"forget": pid})

    def clean(self, folder: Path) -> None:
        """Let the warden remove a folder."""
        self._send({"folder": str(folder)})

    def stop(self) -> None:
        """Let the warden do what is left to do, and wait for it."""
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

    def _send(self, word: dict[str, int | str]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        # A dead warden is told by describe(); the run itself does not depend on it.
        with self._lock, suppress(OSError, ValueError):
            os.write(process.stdin.fileno(), json.dumps(word).encode() + b"\n")
