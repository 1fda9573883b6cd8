"""Senders as one writes them with stock Locust and redis-py; a locustfile for its command line.

- PushingUser: XADD after XADD, as fast as answers come.
- SteadyUser: Locust's own `constant_throughput`, closed loop; Locust measures the XADD.
- OpenLoopUser: a schedule kept by sleeping until each signal is due; writes down how late it was.

Environment: BENCH_URL, BENCH_RATE (signals/s of all users), BENCH_USERS, BENCH_SECONDS,
BENCH_LATENESS (file for OpenLoopUser: int64 ns).
"""

from __future__ import annotations

import os
import time
from itertools import count
from typing import Any, ClassVar

import gevent
import numpy as np
import redis
from locust import User, constant_throughput, events, task
from locust.exception import StopUser

URL = os.environ.get("BENCH_URL", "redis://localhost")
RATE = float(os.environ.get("BENCH_RATE", "1000"))
USERS = int(os.environ.get("BENCH_USERS", "100"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
STREAM = "bench:stream"
ENTRY = bytes(200)


class _RedisUser(User):
    abstract = True
    numbers: ClassVar[Any] = count()

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.number = next(self.numbers)
        self.client = redis.Redis.from_url(URL, protocol=2)

    def push(self) -> None:
        """One XADD, timed and reported as Locust's documentation shows it."""
        started = time.perf_counter()
        error = None
        try:
            self.client.xadd(STREAM, {"data": ENTRY}, maxlen=10_000)
        except redis.RedisError as raised:
            error = raised
        self.environment.events.request.fire(
            request_type="XADD",
            name="signal",
            response_time=(time.perf_counter() - started) * 1000,
            response_length=0,
            exception=error,
        )


class PushingUser(_RedisUser):
    """As fast as answers come."""

    @task
    def send(self) -> None:
        """The next one."""
        self.push()


class SteadyUser(_RedisUser):
    """Locust's own pacing."""

    wait_time = constant_throughput(RATE / USERS)

    @task
    def send(self) -> None:
        """The next one."""
        self.push()


class OpenLoopUser(_RedisUser):
    """A schedule of its own: sleep until due, send, note the lateness."""

    lateness_ns: ClassVar[list[int]] = []
    start_ns: ClassVar[int] = 0

    @task
    def play(self) -> None:
        """The whole schedule; the first second is for the users to come."""
        cls = type(self)
        cls.start_ns = cls.start_ns or time.monotonic_ns() + 1_000_000_000
        step_ns = round(USERS / RATE * 1e9)
        first_ns = cls.start_ns + step_ns * self.number // USERS
        for due_ns in range(first_ns, cls.start_ns + round(SECONDS * 1e9), step_ns):
            while (wait_ns := due_ns - time.monotonic_ns()) > 0:
                gevent.sleep(wait_ns / 1e9)
            cls.lateness_ns.append(time.monotonic_ns() - due_ns)
            self.push()
        raise StopUser


def write_lateness(**_: Any) -> None:
    """At the end, when it disturbs nobody."""
    if path := os.environ.get("BENCH_LATENESS"):
        np.array(OpenLoopUser.lateness_ns, dtype=np.int64).tofile(path)


events.quitting.add_listener(write_lateness)  # type: ignore[no-untyped-call]  # Locust's own
