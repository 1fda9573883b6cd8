"""An engine whose capacity is known: each signal waits for a server of a stated rate first.

It is the yardstick of a capacity search. The queue is computed and not slept: a signal's service
begins when it was added to the stream (the time in its Redis id) or when a server becomes free,
whichever is later, and the signal is handed on when its service ends. So a late read changes no
waiting time, and the rate is that of the settings for as long as the engine itself is faster.

- `token_bucket`: one server, each service takes 1/rate.
- `mmc`: servers with exponential service times, rate in all.

`docs/capacity.md` has the formulas of their capacity.
"""

from __future__ import annotations

import heapq
import math
import random
import time
from collections.abc import Callable
from functools import partial

import redis

from zone_b.message import Order, read_entry
from zone_b.settings import Settings
from zone_b.source import Entry, Source
from zone_b.worker_parts import WorkerParts

TOKEN_BUCKET = "token_bucket"  # noqa: S105 - a kind of limit, not a password
# Entries wait in the stream, and not here, until a server is about to be free. It is as long as a
# slow host may take for a batch, so that the servers never wait for the engine.
_AHEAD_NS = 200_000_000
# How late an entry may be seen while others are in service; its waiting time begins before that.
_POLL_NS = 2_000_000
_SEED = 1
_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


class Servers:
    """When each service ends, first come, first served.

    Args:
        kind: `token_bucket` or `mmc`.
        rate: signals/s of all servers together.
        count: servers; 1 for a token bucket.
        start_ns: no service begins before it.
    """

    def __init__(self, kind: str, rate: float, count: int, start_ns: int) -> None:
        self._mean_ns = count * _NS_PER_S / rate
        self._is_exponential = kind != TOKEN_BUCKET
        self._random = random.Random(_SEED)  # noqa: S311 - service times, no secret
        self._free_ns = [start_ns] * count

    @property
    def free_ns(self) -> int:
        """When the next server is free."""
        return self._free_ns[0]

    def serve(self, arrival_ns: int) -> int:
        """Give a signal to the server that is free first; when its service ends."""
        service_ns = self._mean_ns
        if self._is_exponential:
            service_ns *= self._random.expovariate(1.0)
        end_ns = max(arrival_ns, self._free_ns[0]) + round(service_ns)
        heapq.heapreplace(self._free_ns, end_ns)
        return end_ns


class ServedSource(Source):
    """A consumer whose entries arrive when their service ends.

    Two signals of one address keep their order, whichever service ends first.

    Args:
        settings: with the service.
        client: used by this object only.
        key: the stream.
        consumer: this consumer's name.
        clock_ns: time of the clock that Redis stamps its ids with.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        settings: Settings,
        client: redis.Redis,
        key: str,
        consumer: str,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(client, key, consumer)
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._servers = Servers(
            settings.service, settings.service_rate, settings.service_servers, clock_ns()
        )
        self._count_max = math.ceil(settings.service_rate * _AHEAD_NS / _NS_PER_S)
        # In service, by the end of it: end, order of arrival, address, entry.
        self._serving: list[tuple[int, int, str, Entry]] = []
        self._last_ns: dict[str, int] = {}
        self._arrived = 0

    def read(self, count: int, block_ms: int) -> list[Entry]:
        if self._servers.free_ns <= self._clock_ns() + _AHEAD_NS:
            # Redis ends a block up to 100 ms late, so it only waits where nothing is in service.
            wait_ms = None if self._serving else block_ms
            for entry in self._read(">", min(count, self._count_max), wait_ms):
                self._begin(entry, self._clock_ns())
        ended = self._ended(self._clock_ns())
        if not ended and self._serving:
            left_ns = self._serving[0][0] - self._clock_ns()
            self._sleep(min(_POLL_NS, max(0, left_ns)) / _NS_PER_S)
        return ended

    def _begin(self, entry: Entry, now_ns: int) -> None:
        read = None if entry.fields is None else read_entry(entry.entry_id, entry.fields)
        address = read.address if isinstance(read, Order) else ""
        # An id of a clock that is ahead must not stop the servers.
        arrival_ns = min(int(entry.entry_id.partition(b"-")[0]) * _NS_PER_MS, now_ns)
        end_ns = max(self._servers.serve(arrival_ns), self._last_ns.get(address, 0))
        self._last_ns[address] = end_ns
        self._arrived += 1
        heapq.heappush(self._serving, (end_ns, self._arrived, address, entry))

    def _ended(self, now_ns: int) -> list[Entry]:
        entries = []
        while self._serving and self._serving[0][0] <= now_ns:
            end_ns, _, address, entry = heapq.heappop(self._serving)
            # Signals that waited for one of their address end with it: the first of them ends all.
            if self._last_ns.get(address) == end_ns:
                del self._last_ns[address]
            entries.append(entry)
        return entries


def served(settings: Settings) -> WorkerParts:
    """Parts of a worker whose signals wait for the servers that the settings ask for."""
    return WorkerParts(source=partial(ServedSource, settings))
