"""The process that plays the rounds: `python -m harness.gate.worker`, a `GatePlan` on stdin.

It appends a line for each round, reports its progress on stdout, and ends by itself or on SIGTERM,
after the round that is under way.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import IO

from pydantic import ValidationError

from harness.analysis.gate.fuzz_case import draw_case
from harness.analysis.gate.invariants import Finding, broken_invariants
from harness.analysis.gate.pool_code import PoolCode
from harness.clock import NS_PER_S, Clock, SystemClock
from harness.errors import Exit, HarnessError
from harness.evidence.gate_log import (
    GateLogEntry,
    GateRound,
    RoundObservation,
    RoundsBegun,
    format_gate_entry,
)
from harness.gate.chain import Chain
from harness.gate.decision_service import DecisionService
from harness.gate.fault_proxy import FaultProxy
from harness.gate.plan import GatePlan
from harness.gate.round_player import RoundPlayer
from harness.json_rpc import RefusedError, Rpc
from harness.process.parent_death import die_with_parent

# The load has priority.
_NICE = 5
_TIMEOUT_S = 5.0
_SHORT_TIMEOUT_S = 0.2
# It gives up after this many consecutive rounds that could not be played.
_FAILURES_MAX = 10


class Rounds:
    """Plays the planned rounds at their times, and writes each.

    Args:
        plan: what to play.
        play: a round by its number.
        write: receives each entry.
        clock: the host's clocks.
        ended: set when no further round may begin.
        wait: waits for the seconds, or until the event is set; whether it is.
    """

    def __init__(
        self,
        plan: GatePlan,
        play: Callable[[int], GateRound],
        write: Callable[[GateLogEntry], None],
        clock: Clock,
        ended: threading.Event,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._plan = plan
        self._play = play
        self._write = write
        self._clock = clock
        self._ended = ended
        self._wait = wait
        self.done = self.broken = 0

    def run(self, report: Callable[[dict[str, int]], None]) -> None:
        """Play every round; fewer when `ended` is set, or when too many cannot be played."""
        begun_ns, failures = self._clock.now_ns(), 0
        for number in range(self._plan.gate.rounds):
            due_ns = begun_ns + number * self._plan.gate.every_ns
            left_ns = due_ns - self._clock.now_ns()
            if self._ended.is_set() or (
                left_ns > 0 and self._wait(self._ended, left_ns / NS_PER_S)
            ):
                return
            found = self._play(number)
            self._write(found)
            failures = failures + 1 if found.trouble else 0
            if failures == _FAILURES_MAX:
                return
            self.done += not found.trouble
            self.broken += bool(found.broken)
            report({"done": self.done, "broken": self.broken})


def play_round(
    plan: GatePlan, player: RoundPlayer, begun: RoundsBegun, clock: Clock, number: int
) -> GateRound:
    """One round, with the error that it ended with, if any."""
    case, began_ns = draw_case(plan.gate, plan.seed, number), clock.now_ns()
    seen: RoundObservation | None = None
    trouble, broken = "", tuple[Finding, ...]()
    try:
        seen = player.play(case, number)
        broken = broken_invariants(case, seen, begun.gas_estimate, begun.limit_ns)
    except HarnessError as error:
        trouble = f"{error.where}: {error.what}" if error.where else error.what
    except Exception as error:  # the round must be recorded as not played
        trouble = f"{type(error).__name__}: {error}"
    return GateRound(
        number=number,
        began_ns=began_ns,
        ended_ns=clock.now_ns(),
        draw=case,
        seen=seen,
        broken=tuple(dict.fromkeys(name for name, _ in broken)),
        trouble=trouble,
    )


def work(plan: GatePlan, file: IO[str], ended: threading.Event, clock: Clock) -> None:
    """Play the plan's rounds on the plan's node.

    Raises:
        HarnessError: node or decision service do not answer.
        RefusedError: the node cannot be set up.
    """

    def write(line: GateLogEntry) -> None:
        file.write(format_gate_entry(line))
        file.flush()

    rpc, proxy = Rpc(plan.url, _TIMEOUT_S), FaultProxy(plan.url)
    service = DecisionService(plan.root, proxy.url, plan.log)
    short_timeout_rpc = Rpc(proxy.url, _SHORT_TIMEOUT_S)
    try:
        chain = Chain(rpc, PoolCode.read(plan.root))
        gas_estimate = chain.set_up()
        service.start()
        begun = RoundsBegun(
            gas_estimate=gas_estimate, limit_ns=service.limit_ns, mono_ns=clock.now_ns()
        )
        write(begun)
        player = RoundPlayer(chain, short_timeout_rpc, proxy, service)
        rounds = Rounds(
            plan, lambda number: play_round(plan, player, begun, clock, number), write, clock, ended
        )
        rounds.run(_report)
    finally:
        service.stop()
        short_timeout_rpc.close()
        rpc.close()
        proxy.close()


def _report(status: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(status) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Read the plan and play; the exit code."""
    parent = os.environ.get("HARNESS_PARENT")
    die_with_parent(parent=int(parent) if parent else None)
    ended = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    os.nice(_NICE)
    try:
        plan = GatePlan.model_validate_json(sys.stdin.readline())
    except ValidationError as error:
        sys.stderr.write(f"gate: the plan cannot be read: {error.error_count()} problems\n")
        return Exit.USAGE
    try:
        with plan.path.open("a", encoding="utf-8") as file:
            work(plan, file, ended, SystemClock())
    except (OSError, ValueError, KeyError, HarnessError, RefusedError) as error:
        sys.stderr.write(f"gate: {error}\n")
        return Exit.INVALID
    return Exit.PASS


if __name__ == "__main__":
    sys.exit(main())
