"""A stand-in for a strategy: reads chain events, acknowledges them, and may push signals.

    AGENT_RATE            signals per second, evenly spaced (0: none)
    AGENT_HOG_MEMORY_MB   take so much memory at once, in MiB
    AGENT_BURN_CPU        keep so many processes busy
    AGENT_FLOOD_REDIS     flood Redis from so many processes ...
    AGENT_FLOOD_PER_S     ... with so many commands a second together (0: all they can)
    AGENT_LEAK_GROUPS     make so many consumer groups a second, and never delete one
    AGENT_GROUP           a consumer group to share with other agents (none: one of its own)
    AGENT_THINK_S         keep chain events for so long before they are acknowledged (0)
    AGENT_CLAIM_AFTER_S   in a shared group: claim what was pending for so long (5)
    AGENT_BLOCK_S         the longest wait for an event in one command (1). Redis serves the reader
                          of a group that has waited the longest, and one that asks anew is the last
                          again: of many agents some get no event for long if they wait briefly
    AGENT_EXIT_AFTER_S    end after so long (0: never) ...
    AGENT_EXIT_CODE       ... with this exit code (1)
    AGENT_PATIENCE_S      how long to go on trying while Redis is away (60)
    AGENT_NAME            its name in a group, and of a group of its own (that of its host, which
                          in a container is the container's id)

An orderly end removes a group of its own. A signal that is late is sent at once;
more than 100 late ones are skipped and counted.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from feed import Feed
from misbehave import burn_cpu, flood_redis, hog_memory, in_children, leak_groups
from wire import Proposal, Redis, RedisError, decode_sync_block, encode_proposal

_BLOCK_MS_MAX = 9000  # below the time limit of a connection
_LATE_MAX = 100
_PROPOSALS_MAXLEN = 10_000
_STATUS_EVERY_S = 10
_RETRY_S = 0.5
_UNBLOCK_S = 1.0
_UNBLOCK_EVERY_S = 0.2
_CAPITAL_WEI = 10**19
_AMOUNT_WEI = 10**16
_GAS_PRICE_WEI = 10**11


@dataclass(frozen=True, slots=True)
class Settings:
    """The agent's settings."""

    name: str
    redis_url: str
    prefix: str
    rate: float
    hog_memory_mib: int
    burn_processes: int
    flood_processes: int
    flood_per_s: float
    leak_per_s: float
    group: str
    think_s: float
    claim_after_s: float
    block_s: float
    exit_after_s: float
    exit_code: int
    patience_s: float


def read_settings(env: Mapping[str, str]) -> Settings:
    """Settings from the environment.

    Raises:
        ValueError: a value is missing or out of range; the message names the variable.
    """
    if not env.get("DEFI_REDIS_URL"):
        raise ValueError("DEFI_REDIS_URL is missing")
    return Settings(
        name=env.get("AGENT_NAME") or socket.gethostname(),
        redis_url=env["DEFI_REDIS_URL"],
        prefix=env.get("DEFI_PREFIX", "dev:"),
        rate=_number(env, "AGENT_RATE", 0, 1000),
        hog_memory_mib=int(_number(env, "AGENT_HOG_MEMORY_MB", 0, 1 << 20)),
        burn_processes=int(_number(env, "AGENT_BURN_CPU", 0, 64)),
        flood_processes=int(_number(env, "AGENT_FLOOD_REDIS", 0, 64)),
        flood_per_s=_number(env, "AGENT_FLOOD_PER_S", 0, 1e6),
        leak_per_s=_number(env, "AGENT_LEAK_GROUPS", 0, 1e4),
        group=env.get("AGENT_GROUP", ""),
        think_s=_number(env, "AGENT_THINK_S", 0, 3600),
        claim_after_s=_number(env, "AGENT_CLAIM_AFTER_S", 5, 3600),
        block_s=_number(env, "AGENT_BLOCK_S", 1, _BLOCK_MS_MAX / 1000),
        exit_after_s=_number(env, "AGENT_EXIT_AFTER_S", 0, 1e6),
        exit_code=int(_number(env, "AGENT_EXIT_CODE", 1, 255)),
        patience_s=_number(env, "AGENT_PATIENCE_S", 60, 3600),
    )


def _number(env: Mapping[str, str], name: str, default: float, high: float) -> float:
    try:
        value = float(env.get(name) or default)
    except ValueError:
        raise ValueError(f"{name} must be a number") from None
    if not 0 <= value <= high:
        raise ValueError(f"{name} must lie between 0 and {high:.0f}, not {value}")
    return value


@dataclass(slots=True)
class Schedule:
    """When signals are due: the n-th at `began_s + n / rate`, so that it never drifts."""

    rate: float
    began_s: float
    sent: int = 0
    skipped: int = 0

    def due(self, now_s: float) -> int:
        """How many signals to send now."""
        if not self.rate:
            return 0
        late = int((now_s - self.began_s) * self.rate) + 1 - self.sent - self.skipped
        if late > _LATE_MAX:
            self.skipped += late - _LATE_MAX
        return max(0, min(late, _LATE_MAX))

    def wait_ms(self, now_s: float) -> int:
        """How long until the next one; from 1 ms, since 0 would mean for ever to Redis."""
        if not self.rate:
            return _BLOCK_MS_MAX
        return _wait_ms(self.began_s + (self.sent + self.skipped) / self.rate - now_s)


def _wait_ms(wait_s: float) -> int:
    return max(1, int(min(_BLOCK_MS_MAX, wait_s * 1000)))


class Agent:
    """The agent's work, over connections that come and go."""

    def __init__(self, settings: Settings, host: str) -> None:
        self.blocks = 0
        self.head = 0
        self.schedule = Schedule(settings.rate, 0.0)
        self.stopping = False
        self.served_s = time.monotonic()
        self._name = f"agent-{host}"
        self._events = f"{settings.prefix}stream:chain:events"
        self._feed = Feed(
            self._events,
            settings.group or f"cg:agent:{host}",
            self._name,
            shared=bool(settings.group),
            claim_after_s=settings.claim_after_s,
            think_s=settings.think_s,
        )
        self._proposals = f"{settings.prefix}stream:agent:proposals"
        self._address = "0x" + hashlib.sha256(host.encode()).hexdigest()[:40]
        self._ends_s = time.monotonic() + (settings.exit_after_s or float("inf"))
        self._status_s = 0.0
        self._block_ms = _wait_ms(settings.block_s)
        self._url = settings.redis_url
        self._waiting: tuple[Redis, int] | None = None

    def stop(self) -> None:
        """End soon: whatever it waits for in Redis ends at once, with no event lost."""
        self.stopping = True
        if self._waiting is None:
            return
        connection, number = self._waiting
        try:
            other = Redis(self._url, _UNBLOCK_S, connection.address)
            other.command("CLIENT", "UNBLOCK", number)
            other.close()
        except (OSError, RedisError):
            return  # then the wait ends by itself

    def work(self, redis: Redis) -> None:
        """Read and push until it is over."""
        self._feed.join(redis)
        # Of a cluster, the connection that waits for events is the one to their node.
        waiting = redis.node(self._events.encode())
        self._waiting = waiting, waiting.command("CLIENT", "ID")
        for _, fields in redis.command("XREVRANGE", self._events, "+", "-", "COUNT", 1):
            self._see(fields)
        while not self.over:
            self._follow(redis)
            self._push(redis)
            self._tell()
            self.served_s = time.monotonic()
        if self.stopping:
            self._feed.leave(redis)

    def _follow(self, redis: Redis) -> None:
        """Take further events, once those before are thought over; or let some time pass."""
        now_s = time.monotonic()
        waits = (self.schedule.wait_ms(now_s), _wait_ms(self._ends_s - now_s), self._block_ms)
        wait_ms = min(waits)
        if thinking_s := self._feed.wait_s:
            time.sleep(min(thinking_s, wait_ms / 1000))
            return
        self.blocks += self._feed.settle(redis)
        for _, fields in self._feed.take(redis, wait_ms):
            self._see(fields)

    @property
    def over(self) -> bool:
        """Whether a signal has asked it to end, or its time is up."""
        return self.stopping or self.is_due_to_fail

    @property
    def is_due_to_fail(self) -> bool:
        """Whether the time of AGENT_EXIT_AFTER_S has come."""
        return time.monotonic() >= self._ends_s

    def _see(self, fields: list[bytes]) -> None:
        pairs = dict(zip(fields[::2], fields[1::2], strict=False))
        try:
            self.head = max(self.head, decode_sync_block(pairs.get(b"data", b"")))
        except ValueError:
            return

    def _push(self, redis: Redis) -> None:
        if not self.head:  # an agent that has seen no block has nothing to decide on
            return
        if not self.schedule.began_s:
            self.schedule.began_s = time.monotonic()
        for _ in range(self.schedule.due(time.monotonic())):
            message = encode_proposal(self._proposal())
            head = ("XADD", self._proposals, "MAXLEN", "~", _PROPOSALS_MAXLEN, "*", "data")
            redis.command(*head, message)
            self.schedule.sent += 1

    def _proposal(self) -> Proposal:
        return Proposal(
            trace_id=uuid.uuid4(),
            agent_id=self._name,
            strategy_id=f"strategy-{self._name}",
            last_sync_block=self.head,
            timestamp_ms=time.time_ns() // 1_000_000,
            address=self._address,
            chain_id=1,
            amount_in_wei=_AMOUNT_WEI,
            capital_wei=_CAPITAL_WEI,
            slippage_max_bps=50,
            gas_price_wei=_GAS_PRICE_WEI,
        )

    def _tell(self) -> None:
        if time.monotonic() >= self._status_s:
            self._status_s = time.monotonic() + _STATUS_EVERY_S
            plan = self.schedule
            say(
                f"head {self.head}, blocks {self.blocks}, claimed {self._feed.claimed},"
                f" sent {plan.sent}, skipped {plan.skipped}"
            )


def run(settings: Settings, agent: Agent) -> int:
    """Work until the signal to stop; the exit code."""
    while not agent.over:
        try:
            redis = Redis(settings.redis_url)
            try:
                agent.work(redis)
            finally:
                redis.close()
        except (OSError, RedisError) as error:
            if time.monotonic() > agent.served_s + settings.patience_s:
                say(f"Redis was away for {settings.patience_s:.0f} s: {error}")
                return 1
            time.sleep(_RETRY_S)
    return settings.exit_code if agent.is_due_to_fail else 0


def _misbehave(settings: Settings, host: str) -> None:
    """Start what was asked for, in processes that end with this one."""
    url, key = settings.redis_url, f"{settings.prefix}agent:flood:{host}"
    events, group = f"{settings.prefix}stream:chain:events", f"cg:agent-leak:{host}:{os.getpid()}:"
    per_s = settings.flood_per_s / max(1, settings.flood_processes)
    burn_cpu(settings.burn_processes)
    in_children(settings.flood_processes, lambda on: flood_redis(url, key, per_s, on))
    leaks = 1 if settings.leak_per_s else 0
    in_children(leaks, lambda on: leak_groups(url, events, group, settings.leak_per_s, on))


def say(text: str) -> None:
    """One line to the log."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the container's log


def main() -> int:
    """Run the agent; the exit code."""
    try:
        settings = read_settings(os.environ)
    except ValueError as error:
        say(str(error))
        return 2
    agent = Agent(settings, settings.name)

    def stop(*_: object) -> None:
        agent.stop()
        # Again and again: the wait in Redis may have been about to begin.
        signal.setitimer(signal.ITIMER_REAL, _UNBLOCK_EVERY_S)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, stop)
    kept = hog_memory(settings.hog_memory_mib)
    _misbehave(settings, settings.name)
    code = run(settings, agent)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # without a handler it would end the process
    say(f"ends with {code}, {len(kept)} MiB held")
    return code


if __name__ == "__main__":
    sys.exit(main())
