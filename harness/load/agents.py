"""The agents as Locust users. Import this in the swarm's own process only: Locust patches it."""

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

# Within a time that no one waits longer than: an agent looks up when its stage may be over.
_WAIT_MAX_MS = 5000
_RETRY_S = 0.5
_SEND_AWAY_MAX_S = 3.0
# How soon an agent that was held up notices that it may go on.
_HELD_LOOK_S = 0.05
# An agent that is to be away for less stays.
_GAP_MIN_NS = 10 * NS_PER_S
# Agents of a later stage arrive one after the other, and the last one this long before it.
_ARRIVAL_LEAD_NS = 300 * NS_PER_MS
_ARRIVAL_STEP_NS = 5 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Arrival:
    """One agent's coming and going; monotonic times."""

    at_ns: int
    leave_ns: int
    schedule: AgentSchedule
    follower: Follower


class AgentUser(User):
    """An agent of Zone A: follows the chain while its script is being played.

    The sending itself is on the dispatcher's schedule, whatever state this user is in: an open
    loop must not wait for anyone.
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
        """Take in one block, or notice that it is time to leave."""
        arrival = self.arrival
        left_ns = arrival.leave_ns - self.clock.now_ns()
        if left_ns <= 0 and arrival.schedule.due_ns > arrival.leave_ns:
            raise StopUser
        if self.is_feed_paused:
            gevent.sleep(_HELD_LOOK_S)
            return
        follower = arrival.follower
        # What came while it was held up counts from when it may go on.
        self._see(arrival)
        try:
            if not follower.is_open:
                follower.open()
            else:
                follower.follow(min(_WAIT_MAX_MS, max(50, left_ns // NS_PER_MS)))
        except HarnessError:
            gevent.sleep(_RETRY_S)  # the dispatcher's own connection tells how long this lasts
        if not self.is_feed_paused:
            self._see(arrival)

    @staticmethod
    def _see(arrival: Arrival) -> None:
        arrival.schedule.sync_block = max(arrival.schedule.sync_block, arrival.follower.sync_block)

    def on_stop(self) -> None:
        """Leave no group behind."""
        self.arrival.follower.close()


class AgentPool:
    """Brings agents in as Locust users, before their stage, and lets them go after it.

    Args:
        plan: what this process is told.
        arrivals: who comes when, in order of time.
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
        # Its monitors of CPU and memory would stall the loop to measure what nobody reads.
        self.runner.greenlet.kill(block=False)

    @property
    def present(self) -> int:
        """Agents that are there now."""
        return int(self.runner.user_count)

    @property
    def blocks(self) -> int:
        """Chain events acknowledged so far."""
        return sum(follower.acked for follower in self._followers)

    @property
    def sync_block(self) -> int:
        """Newest block that any agent has seen."""
        return max((follower.sync_block for follower in self._followers), default=0)

    def pause_feed(self) -> None:
        """No agent takes in a further block; each goes on sending by what it has seen."""
        AgentUser.is_feed_paused = True

    def resume_feed(self) -> None:
        """The agents follow the chain again, and take in what they have missed."""
        AgentUser.is_feed_paused = False

    def sync_to_head(self) -> None:
        """Tell every agent the newest block there is.

        In a process that starts late, signals are due before their agents have come; they go at
        once, and would be refused as stale without a fault of the system under test.
        """
        first = self._followers[0] if self._followers else None
        if first is None:
            return
        with suppress(HarnessError):  # the dispatcher's own connection tells of it
            first.read_newest_block()
        for arrival in self._arrivals:
            arrival.schedule.sync_block = max(arrival.schedule.sync_block, first.sync_block)

    def spawn_due(self) -> None:
        """Start each user when it is time; runs as a greenlet until the last one has come."""
        for arrival in self._arrivals:
            while (wait_ns := arrival.at_ns - self._clock.now_ns()) > 0:
                gevent.sleep(min(wait_ns, NS_PER_S) / NS_PER_S)
            AgentUser.arrivals.append(arrival)
            self.runner.spawn_users({AgentUser.__name__: 1})
            gevent.sleep(_ARRIVAL_STEP_NS / NS_PER_S)

    def stop_all(self, patience_s: float) -> None:
        """Wait until all users have left by themselves, then send those away who have not."""
        users = self.runner.user_greenlets
        users.join(timeout=patience_s)
        users.kill(block=True, timeout=_SEND_AWAY_MAX_S)


def arrivals(
    plan: SwarmPlan, scripts: tuple[AgentSchedule, ...], followers: tuple[Follower, ...]
) -> list[Arrival]:
    """Who comes when. Those of the first stage come at once."""
    found = []
    rank = 0
    for script, follower in zip(scripts, followers, strict=True):
        for start, end in presences_ns(plan.load, script.agent, gap_min_ns=_GAP_MIN_NS):
            at_ns = 0
            if start > 0:
                rank += 1
                at_ns = plan.t0_ns + start - _ARRIVAL_LEAD_NS - rank * _ARRIVAL_STEP_NS
            found.append(Arrival(at_ns, plan.t0_ns + end, script, follower))
    return sorted(found, key=lambda arrival: arrival.at_ns)
