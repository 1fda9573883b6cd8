"""One process of the swarm: `python -m harness.load.worker`, its plan as JSON on standard input.

Writes a status once a second, one JSON object a line on standard output; the last line has kind
"done". SIGTERM ends it within seconds with a complete journal. SIGUSR1 stops its agents from
reading further blocks of the chain, SIGUSR2 resumes that.
"""

# ruff: noqa: E402 - gevent has to patch the process before anything else is imported
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import gc
import json
import os
import signal
import sys
from typing import Any

import gevent
from pydantic import ValidationError

from harness.clock import NS_PER_S, Clock, SystemClock
from harness.errors import Exit, HarnessError, StackError
from harness.evidence.run_documents import STOPPED_EARLY
from harness.load.agents import AgentPool, arrivals
from harness.load.chain_followers import make_follower
from harness.load.dispatcher import Dispatcher
from harness.load.journal import Journal
from harness.load.kernel_tuning import KernelTuning
from harness.load.reconnector import Reconnector
from harness.load.stall_detector import StallDetector
from harness.load.timer import make_timer
from harness.process.feed_stall_signals import RESUME_FEED, STALL_FEED
from harness.process.parent_death import die_with_parent
from harness.schedule.agent_schedule import AgentSchedule
from harness.schedule.plan import SwarmPlan
from harness.schedule.send_queue import SendQueue

# Longest wait for outstanding answers without any progress.
_ANSWERS_MAX_NS = 5 * NS_PER_S
# Longest wait for outstanding answers after SIGTERM.
_LAST_ANSWERS_NS = NS_PER_S
_LEAVE_MAX_S = 3.0
_LAST_STATUS_MAX_S = 2.0
_TICK_S = 0.05
_STATUS_EVERY_NS = NS_PER_S
_SETTLED_NS = NS_PER_S // 2
_COLLECT_EVERY_NS = 10 * NS_PER_S


class SwarmProcess:
    """One swarm process.

    Args:
        plan: of this process.
        clock: the host's clocks.
    """

    def __init__(self, plan: SwarmPlan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._tuning = KernelTuning()
        schedules = tuple(AgentSchedule(plan, agent) for agent in plan.own_agents)
        self._journal = Journal(plan.folder, plan.process)
        self._timer = make_timer(gevent.get_hub().loop, self._flush, clock)
        self._tuning.granted["alarm"] = self._timer.resolution
        self._reconnector = Reconnector(
            plan.redis_url,
            f"harness-swarm-{plan.process}",
            plan.contract.key(plan.contract.streams.proposals),
            plan.end_ns,
            clock,
        )
        self._dispatcher = Dispatcher(
            SendQueue(schedules), self._journal, self._timer, clock, self._reconnector.lost
        )
        followers = tuple(
            make_follower(plan, agent, self._dispatcher.flush) for agent in plan.own_agents
        )
        self._agents = AgentPool(plan, arrivals(plan, schedules, followers), clock)
        self._stopped = False
        self._stall_detector = StallDetector()
        self._status_ns = 0
        # Objects that exist by then stay, and garbage collection may skip them.
        self._collect_at_ns = plan.t0_ns - _SETTLED_NS

    def run(self) -> Exit:
        """Send all signals; returns why if that failed."""
        gevent.signal_handler(signal.SIGTERM, self._stop)
        gevent.signal_handler(STALL_FEED, self._agents.pause_feed)
        gevent.signal_handler(RESUME_FEED, self._agents.resume_feed)
        self._agents.sync_to_head()
        connecting = gevent.spawn(self._reconnector.run, self._dispatcher)
        spawning = gevent.spawn(self._agents.spawn_due)
        gc.disable()
        while not self._is_over():
            due_ns = self._clock.now_ns() + round(_TICK_S * NS_PER_S)
            gevent.sleep(_TICK_S)
            self._stall_detector.woke(self._clock.now_ns() - due_ns)
            self._tick()
        spawning.kill()
        failure = self._wind_up()
        connecting.kill()
        self._agents.stop_all(0.0 if failure else _LEAVE_MAX_S)
        self._journal.close()
        status = self._status("done") | {"error": str(failure) if failure else None}
        emit_status(status, patience_s=_LAST_STATUS_MAX_S)
        return failure.exit_code if failure else Exit.PASS

    def _flush(self) -> None:
        self._dispatcher.flush()

    def _stop(self) -> None:
        self._stopped = True

    def _is_over(self) -> bool:
        dispatcher = self._dispatcher
        if self._stopped or dispatcher.failure or self._reconnector.gave_up:
            return True
        if not dispatcher.is_sent or self._clock.now_ns() < self._plan.end_ns:
            return False
        return dispatcher.outstanding == 0 or dispatcher.silence_ns() > _ANSWERS_MAX_NS

    def _wind_up(self) -> HarnessError | None:
        """Record the outstanding and unsent signals; returns the failure, if there was one."""
        dispatcher = self._dispatcher
        early = not dispatcher.is_sent
        dispatcher.stop_sending()
        until_ns = self._clock.now_ns() + _LAST_ANSWERS_NS
        while dispatcher.outstanding and self._clock.now_ns() < until_ns:
            gevent.sleep(_TICK_S)
        dispatcher.refuse_due()
        dispatcher.disconnect()
        if early and self._stopped:
            return StackError(STOPPED_EARLY)
        return dispatcher.failure or self._reconnector.gave_up

    def _tick(self) -> None:
        now_ns = self._clock.now_ns()
        if (elapsed_ns := now_ns - self._status_ns) >= _STATUS_EVERY_NS:
            self._status_ns = now_ns
            self._dispatcher.flush()
            self._tuning.check(elapsed_ns)
            emit_status(self._status("status"))
        if now_ns >= self._collect_at_ns:
            self._collect_at_ns = now_ns + _COLLECT_EVERY_NS
            self._dispatcher.flush()
            gc.collect()
            if now_ns < self._plan.t0_ns:
                gc.freeze()

    def _status(self, kind: str) -> dict[str, Any]:
        counts = self._dispatcher.counts
        status = {
            "kind": kind,
            "process": self._plan.process,
            "mono_ns": self._clock.now_ns(),
            "due": self._dispatcher.due(),
            "sent": counts.sent,
            "accepted": counts.accepted,
            "refused": counts.refused,
            "unknown": counts.unknown,
            "lateness_max_ns": counts.lateness_max_ns,
            "stall_max_ns": counts.stall_max_ns,
            "wake_late_max_ns": self._stall_detector.late_max_ns,
            "stalled_ns": self._stall_detector.stalled_ns,
            "agents": self._agents.present,
            "blocks": self._agents.blocks,
            "sync_block": self._agents.sync_block,
            "reconnects": max(0, self._reconnector.reconnects),
            "reasons": dict(counts.reasons),
            "tuning": self._tuning.granted,
        }
        counts.lateness_max_ns = counts.stall_max_ns = 0
        self._stall_detector.reset()
        return status


def emit_status(status: dict[str, Any], *, patience_s: float = 0.0) -> None:
    """Write one status line.

    Args:
        status: its content.
        patience_s: how long to wait while the pipe is full. With 0 the line is dropped then,
            because nothing may delay the sender.
    """
    line = json.dumps(status, separators=(",", ":")).encode() + b"\n"
    while True:
        try:
            os.write(sys.stdout.fileno(), line)
        except BlockingIOError:
            if patience_s <= 0:
                return
            patience_s -= _TICK_S
            gevent.sleep(_TICK_S)
        except OSError:
            return  # the reader is gone
        else:
            return


def main() -> int:
    """Read the plan and send its signals."""
    parent = os.environ.get("HARNESS_PARENT")
    die_with_parent(parent=int(parent) if parent else None)
    os.set_blocking(sys.stdout.fileno(), False)
    try:
        plan = SwarmPlan.model_validate_json(sys.stdin.read())
    except ValidationError as error:
        # Without the input: it holds a password.
        emit_status({"kind": "done", "error": f"not a plan: {error.errors(include_input=False)}"})
        return Exit.USAGE
    try:
        return SwarmProcess(plan, SystemClock()).run()
    except HarnessError as error:
        emit_status({"kind": "done", "error": str(error)})
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
