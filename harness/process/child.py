"""A worker process of the harness: configured through a pipe, telling its status line by line."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import StackError
from harness.process.launch import module_command

Status = dict[str, Any]

_TAIL_BYTES = 4000


class ChildProcess:
    """`python -P -m module` with its configuration on stdin and JSON status lines on stdout.

    Args:
        module: module to run.
        stdin_text: configuration; may hold secrets, since only the pipe carries it.
        log_path: file that takes the worker's stderr.
        name: what people call it, for messages.
        env: variables added to the environment.
        keep: file that its status lines are appended to, as they come.
        keep_stdin_open: whether its stdin stays open, for later messages by `send_line`.
    """

    def __init__(
        self,
        module: str,
        stdin_text: str,
        log_path: Path,
        name: str,
        env: Mapping[str, str] | None = None,
        keep: Path | None = None,
        keep_stdin_open: bool = False,
    ) -> None:
        self.name = name
        self._keep = keep
        self._keep_stdin_open = keep_stdin_open
        self._module = module
        self._stdin_text = stdin_text
        self._log_path = log_path
        self._env = dict(env or {})
        self._latest: Status | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start the process. Call from the main thread: its end is what ends the child.

        Raises:
            StackError: the process cannot be started.
        """
        try:
            with self._log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    module_command(self._module),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, **self._env, "HARNESS_PARENT": str(os.getpid())},
                    start_new_session=True,
                )
            assert self._process.stdin is not None  # noqa: S101 - PIPE was asked for
            self._process.stdin.write(self._stdin_text.encode())
            if self._keep_stdin_open:
                self._process.stdin.flush()
            else:
                self._process.stdin.close()
        except OSError as error:
            raise StackError(
                f"cannot be started: {error}", where=self.name, hint=f"see {self._log_path}"
            ) from error
        self._reader = threading.Thread(target=self._read, name=f"{self.name}-status", daemon=True)
        self._reader.start()

    def send_line(self, line: str) -> None:
        """Send a further message to a worker; lost on one that has ended."""
        if self._process is None or self._process.stdin is None:
            return
        with suppress(OSError, ValueError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        """Process id; 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def latest(self) -> Status | None:
        """The newest status line."""
        return self._latest

    def poll(self) -> int | None:
        """Exit code, or None while it runs. Negative: ended by that signal."""
        return self._process.poll() if self._process else None

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the end and for its last output; the exit code, or None after the time."""
        if self._process is None:
            return None
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        if self._reader is not None:
            self._reader.join(timeout=2)
        return code

    def stop(self, timeout_s: float = 5.0) -> int | None:
        """Ask it to end, and end it after `timeout_s`; the exit code."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.terminate()
            if self.wait(timeout_s) is None:
                self._process.kill()
        code = self.wait(2.0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # it ended with something unread
                    pipe.close()
        return code

    def log_tail(self) -> str:
        """The last lines of its log."""
        try:
            data = self._log_path.read_bytes()[-_TAIL_BYTES:]
        except OSError:
            return ""
        return "\n".join(data.decode("utf-8", "replace").splitlines()[-15:])

    def last_log_message(self) -> str:
        """The last message of its log in one line, with the hint that stands below it."""
        lines = self.log_tail().splitlines()
        begins = [at for at, line in enumerate(lines) if line and not line[0].isspace()]
        return " ".join(" ".join(lines[begins[-1] if begins else 0 :]).split())

    def _read(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        try:
            for line in process.stdout:
                self._record(line)
        except ValueError:  # closed by stop() while waiting for a line
            return

    def _record(self, line: bytes) -> None:
        try:
            status = json.loads(line)
        except ValueError:
            return
        if isinstance(status, dict):
            self._latest = status
            self._write(line)

    def _write(self, line: bytes) -> None:
        if self._keep is None:
            return
        # A full disk ends the run elsewhere; lines that are missing here are reported.
        with suppress(OSError), self._keep.open("ab") as file:
            file.write(line)
