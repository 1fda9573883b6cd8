"""The gate's own Anvil as a child process; signals that are simulated in full have another one."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.gate.node_provider import OpenNode, is_closed
from harness.process.proc import is_running, start_ticks
from harness.process.program import cleanup_after_exit, spawn, terminate
from harness.process.reaper_client import ReaperClient
from harness.stack.ports import free_port, release_ports
from harness.stack.process.anvil import AnvilNode

_READY_MAX_NS = 20 * NS_PER_S
_POLL_NS = 20 * NS_PER_MS
_END_MAX_S = 3.0


class GateNode:
    """Starts it and ends it.

    Args:
        binary: the program.
        folder: its HOME and TMPDIR.
        log: file for its messages.
        reaper: ends it should the harness die.
        clock: time of readiness.
    """

    def __init__(
        self, binary: Path, folder: Path, log: Path, reaper: ReaperClient, clock: Clock
    ) -> None:
        self._node = AnvilNode(binary, folder, log)
        self._reaper = reaper
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = self._ticks = 0

    def open(self) -> OpenNode:
        program = self._node.program(free_port())
        self._process = spawn(program, self._reaper)
        self._pid, self._ticks = self._process.pid, start_ticks(self._process.pid)
        deadline_ns = self._clock.now_ns() + _READY_MAX_NS
        while not self._node.is_ready():
            if self._process.poll() is not None or self._clock.now_ns() > deadline_ns:
                raise StackError("does not answer", where="gate's anvil", hint=f"see {program.log}")
            self._clock.sleep_ns(_POLL_NS)
        seen = f"it answers its chain id on port {self._node.port}"
        return OpenNode(f"process {self._pid}", self._node.url, seen)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            terminate(process, signal.SIGTERM, _END_MAX_S)
            cleanup_after_exit(process.pid, self._reaper)
            release_ports([self._node.port])

    def gone(self) -> str:
        if not self._pid:
            return "it was never started"
        if is_running(self._pid, self._ticks) or not is_closed(self._node.url):
            return ""
        return f"process {self._pid} is gone, and nothing listens on port {self._node.port}"
