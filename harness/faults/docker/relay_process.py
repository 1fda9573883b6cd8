"""The harness's side of a relay: starting one in a container's network, and ending it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import StackError
from harness.faults.docker.container_inspection import entering_network_of
from harness.faults.docker.link_model import LinkSettings
from harness.faults.docker.packet_relay import READY
from harness.process.launch import command

_PROGRAM = Path(__file__).with_name("packet_relay.py")
_START_MAX_S = 5.0
_END_MAX_S = 2.0


@dataclass
class RelayProcess:
    """A relay that reads its queue."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, pid: int, queue: int, settings: LinkSettings) -> RelayProcess:
        """Start one in the network namespace of a process; it has its queue when this returns.

        It dies with the thread that starts it, and at the latest with the harness.

        Raises:
            StackError: it cannot be started, or the kernel has no such queue.
        """
        line = json.dumps(asdict(settings))
        inner = (sys.executable, "-I", "-S", str(_PROGRAM), str(queue), line)
        argv = command(
            entering_network_of(pid, *inner), parent=os.getpid(), death_signal=signal.SIGKILL
        )
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the harness, which ends it in order
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            raise StackError(f"cannot be started: {error}", where="relay") from error
        made = cls(process)
        if (line := made._first_line()) != READY:
            made.end()
            raise StackError(f"is not ready: {line or 'it printed nothing'}", where="relay")
        return made

    def end(self) -> None:
        """Have it send what it holds and end; one that does not end is killed."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(_END_MAX_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(_END_MAX_S)

    def _first_line(self) -> str:
        out = self.process.stdout
        assert out is not None  # noqa: S101 - PIPE was asked for
        readable, _, _ = select.select([out], [], [], _START_MAX_S)
        return out.readline().decode("utf-8", "replace").strip() if readable else ""
