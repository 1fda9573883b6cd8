"""The agents as Locust users. Import this in a swarm process only: Locust patches the process."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import gevent
from locust import User, constant, task
from locust.env import Environment
from locust.exception import StopUser

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import HarnessError
from harness.load.chain_followers import Follower
from harness.schedule.agent_schedule import AgentSchedule
from harness.schedule.pacing import presences_ns
from harness.schedule.plan import SwarmPlan

# Longest wait for a block, after which an agent checks whether its stage is over.
_WAIT_MAX_MS = 5000
_RETRY_S = 0.5
_KILL_MAX_S = 3.0
# How often an agent with a paused feed checks whether it may continue.
_PAUSED_POLL_S = 0.05
# An agent whose next stage starts sooner stays.
_GAP_MIN_NS = 10 * NS_PER_S
# Agents of a later stage start one after the other, the last one this long before the stage.
_ARRIVAL_LEAD_NS = 300 * NS_PER_MS
_ARRIVAL_STEP_NS = 5 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Arrival:
    """Start and end of one agent; monotonic times."""

    at_ns: int
    leave_ns: int
    schedule: AgentSchedule
    follower: Follower


class AgentUser(User):
    """An agent of Zone A: follows the chain while its schedule lasts.

    The dispatcher sends its signals on schedule, whatever this user does: an open-loop generator
    must not wait.
    """

    wait_time = constant(0)
    arrivals: ClassVar[deque[Arrival]] = deque()
    clock: ClassVar[Clock]
    is_feed_paused: ClassVar[bool] = False

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.arrival = self.arrivals.popleft()

    @task
    def follow_chain(self) -> None:
        """Read one block, or stop if the agent's time is over."""
        arrival = self.arrival
        remaining_ns = arrival.leave_ns - self.clock.now_ns()
        if remaining_ns <= 0 and arrival.schedule.due_ns > arrival.leave_ns:
            raise StopUser
        if self.is_feed_paused:
            gevent.sleep(_PAUSED_POLL_S)
            return
        follower = arrival.follower
        # Blocks that arrived during a pause count from its end on.
        self._update_block(arrival)
        try:
            if not follower.is_open:
                follower.open()
            else:
                follower.follow(min(_WAIT_MAX_MS, max(50, remaining_ns // NS_PER_MS)))
        except HarnessError:
            gevent.sleep(_RETRY_S)  # the dispatcher's own connection shows how long this lasts
        if not self.is_feed_paused:
            self._update_block(arrival)

    @staticmethod
    def _update_block(arrival: Arrival) -> None:
        arrival.schedule.sync_block = max(arrival.schedule.sync_block, arrival.follower.sync_block)

    def on_stop(self) -> None:
        """Remove the consumer group."""
        self.arrival.follower.close()


class AgentPool:
    """Starts agents as Locust users before their stage, and lets them end after it.

    Args:
        plan: of this process.
        arrivals: start and end of each agent, in order of time.
        clock: the host's clocks.
    """

    def __init__(self, plan: SwarmPlan, arrivals: list[Arrival], clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._arrivals = arrivals
        self._followers = tuple({arrival.follower for arrival in arrivals})
        AgentUser.clock = clock
        AgentUser.is_feed_paused = False
        self.environment = Environment(user_classes=[AgentUser], catch_exceptions=True)
        self.runner = self.environment.create_local_runner()
        # Its CPU and memory monitors would stall the loop, and their figures are not used.
        self.runner.greenlet.kill(block=False)

    @property
    def present(self) -> int:
        """Number of running agents."""
        return int(self.runner.user_count)

    @property
    def blocks(self) -> int:
        """Chain events acknowledged so far."""
        return sum(follower.acked for follower in self._followers)

    @property
    def sync_block(self) -> int:
        """Newest block that any agent knows."""
        return max((follower.sync_block for follower in self._followers), default=0)

    def pause_feed(self) -> None:
        """Stop reading blocks; each agent continues to send with the newest block it knows."""
        AgentUser.is_feed_paused = True

    def resume_feed(self) -> None:
        """Read blocks again, the missed ones included."""
        AgentUser.is_feed_paused = False

    def sync_to_head(self) -> None:
        """Set the newest block of every agent.

        In a process that starts late, signals are due before their agents run. They are sent at
        once, and the engine would refuse them as stale although it works correctly.
        """
        first = self._followers[0] if self._followers else None
        if first is None:
            return
        with suppress(HarnessError):  # the dispatcher's own connection reports it
            first.read_newest_block()
        for arrival in self._arrivals:
            arrival.schedule.sync_block = max(arrival.schedule.sync_block, first.sync_block)

    def spawn_due(self) -> None:
        """Start each user at its time; runs as a greenlet until the last one is started."""
        for arrival in self._arrivals:
            while (wait_ns := arrival.at_ns - self._clock.now_ns()) > 0:
                gevent.sleep(min(wait_ns, NS_PER_S) / NS_PER_S)
            AgentUser.arrivals.append(arrival)
            self.runner.spawn_users({AgentUser.__name__: 1})
            gevent.sleep(_ARRIVAL_STEP_NS / NS_PER_S)

    def stop_all(self, patience_s: float) -> None:
        """Wait until all users have stopped by themselves, then kill the others."""
        users = self.runner.user_greenlets
        users.join(timeout=patience_s)
        users.kill(block=True, timeout=_KILL_MAX_S)


def arrivals(
    plan: SwarmPlan, schedules: tuple[AgentSchedule, ...], followers: tuple[Follower, ...]
) -> list[Arrival]:
    """Start and end of each agent. Agents of the first stage start at once."""
    found = []
    rank = 0
    for schedule, follower in zip(schedules, followers, strict=True):
        for start, end in presences_ns(plan.load, schedule.agent, gap_min_ns=_GAP_MIN_NS):
            at_ns = 0
            if start > 0:
                rank += 1
                at_ns = plan.t0_ns + start - _ARRIVAL_LEAD_NS - rank * _ARRIVAL_STEP_NS
            found.append(Arrival(at_ns, plan.t0_ns + end, schedule, follower))
    return sorted(found, key=lambda arrival: arrival.at_ns)
