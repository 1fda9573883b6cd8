"""The reference decision service of the gate: a process of its own, one request per line."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

from harness.analysis.gate.risk_limits import gas_price_of
from harness.errors import StackError
from harness.evidence.gate_log import ChainStage, DecisionRecord, FuzzCase
from harness.process.launch import command, module_command

_ANSWER_MAX_S = 10.0
_END_MAX_S = 2.0
_MODULE = "zone_b.gate"


class DecisionService:
    """Decides about the orders of the rounds, on a given node.

    Args:
        root: folder that holds `compose/`.
        url: of the node.
        log: file for its standard error.
    """

    def __init__(self, root: Path, url: str, log: Path) -> None:
        self._root = root
        self._url = url
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.limit_ns = 0

    def start(self) -> None:
        """Start it, and read its time limit for a decision.

        Raises:
            StackError: it cannot be started, or does not answer.
        """
        argv = command(module_command(_MODULE), parent=os.getpid(), death_signal=signal.SIGKILL)
        env = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(self._root / "compose"),
            "DEFI_ANVIL_URL": self._url,
        }
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=env,
                    cwd="/",
                )
        except OSError as error:
            raise StackError(f"cannot be started: {error}", where=_MODULE) from error
        self.limit_ns = int(self._read_answer()["limit_ns"])

    def ask(self, case: FuzzCase, when: ChainStage, head: int) -> DecisionRecord:
        """The decision on a round's order.

        Args:
            case: the round.
            when: at which state of the chain.
            head: height of the chain, as the service receives it.

        Raises:
            StackError: it makes none.
        """
        order = {
            "amount_in": str(case.amount_in),
            "capital": str(case.capital),
            "gas_price": str(gas_price_of(case)),
            "max_slippage_bps": case.slippage_max_bps,
            "head": head,
        }
        pipe = self._process.stdin if self._process else None
        try:
            if pipe is None:
                raise StackError("was not started", where=_MODULE)
            pipe.write(json.dumps(order).encode() + b"\n")
            pipe.flush()
        except OSError as error:
            raise StackError(f"cannot be asked: {error}", where=_MODULE) from error
        return DecisionRecord.model_validate({"when": when, **self._read_answer()})

    def stop(self) -> None:
        """End it; may be called before the start."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(_END_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _read_answer(self) -> dict[str, Any]:
        pipe = self._process.stdout if self._process else None
        if pipe is None or not select.select([pipe], [], [], _ANSWER_MAX_S)[0]:
            raise StackError(f"no answer within {_ANSWER_MAX_S:g} s", where=_MODULE)
        line = pipe.readline()
        try:
            found = json.loads(line)
        except ValueError as error:
            raise StackError(
                f"invalid answer {line[:200]!r}, see {self._log}", where=_MODULE
            ) from error
        if not isinstance(found, dict):
            raise StackError(f"invalid answer {line[:200]!r}", where=_MODULE)
        return found
