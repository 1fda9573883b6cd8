"""The harness's side of the warden of containers."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from harness.errors import StackError
from harness.stack.docker.reaper import DONE

_REAPER = Path(__file__).with_name("reaper.py")
_END_MAX_S = 30.0


class ReaperClient:
    """Holds the pipe to a warden that removes what carries a token should the harness die."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the warden; before anything else is started.

        Raises:
            StackError: it cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_REAPER), self._token],
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

    def release(self, *, done: bool) -> None:
        """Let the warden go.

        Args:
            done: nothing is left to remove; else the warden removes it now, and is waited for.
        """
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        with suppress(OSError):
            if done:
                process.stdin.write(DONE)
            process.stdin.close()
        try:
            process.wait(_END_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
