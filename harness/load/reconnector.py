"""Keeps the sender connected, and stops when an outage is too long."""

from __future__ import annotations

import gevent
from gevent.event import Event
from pydantic import SecretStr

from harness.clock import NS_PER_S, Clock
from harness.errors import HarnessError, StackError, UsageError
from harness.load.cluster_link import ClusterLink
from harness.load.dispatcher import Dispatcher, Link
from harness.load.redis_link import LoopLink, RedisConnection, open_connection
from harness.redis_connection import Place, RedisServers, is_cluster

# The recovery objective is 15 s; a longer outage fails in any case.
OUTAGE_MAX_NS = 20 * NS_PER_S
# Longest part of an outage after the end of the last stage.
OUTAGE_AFTER_END_MAX_NS = 15 * NS_PER_S
# After this time without an answer the connection is considered dead.
REPLY_TIMEOUT_NS = 15 * NS_PER_S
_BACKOFF_FIRST_S = 0.02
_BACKOFF_MAX_S = 0.5


def give_up_ns(lost_ns: int, end_ns: int) -> int:
    """When a sender that lost Redis at `lost_ns` stops trying; the load ends at `end_ns`."""
    return min(lost_ns + OUTAGE_MAX_NS, max(lost_ns, end_ns) + OUTAGE_AFTER_END_MAX_NS)


class Reconnector:
    """Connects and reconnects the dispatcher.

    Args:
        url: Redis.
        name: shown by CLIENT LIST.
        key: the stream of signals.
        end_ns: when the load ends.
        clock: the host's clocks.

    Attributes:
        gave_up: why it stopped trying.
        reconnects: connections made after the first.
    """

    def __init__(self, url: SecretStr, name: str, key: str, end_ns: int, clock: Clock) -> None:
        self.gave_up: HarnessError | None = None
        self.reconnects = -1
        self._url = url
        self._name = name
        self._key = key
        self._end_ns = end_ns
        self._clock = clock
        self._lost = Event()

    def lost(self) -> None:
        """Note that the connection is lost."""
        self._lost.set()

    def run(self, dispatcher: Dispatcher) -> None:
        """Keep the dispatcher connected; runs as a greenlet until it is killed."""
        while (connection := self._open()) is not None:
            self._lost.clear()
            self.reconnects += 1
            dispatcher.connect(self._link(connection, dispatcher))
            while not self._lost.wait(timeout=1.0):
                if dispatcher.silence_ns() > REPLY_TIMEOUT_NS:
                    dispatcher.disconnect()

    def _link(self, connection: RedisConnection, dispatcher: Dispatcher) -> Link:
        loop = gevent.get_hub().loop
        calls = (dispatcher.answered, dispatcher.flush, dispatcher.disconnect)
        if not is_cluster(self._url.get_secret_value()):
            return LoopLink(connection, loop, *calls)
        return ClusterLink(connection, self._open_node, loop, *calls)

    def _open_node(self, place: Place) -> RedisConnection:
        url = RedisServers.of(self._url.get_secret_value()).node_url(place)
        return open_connection(SecretStr(url), self._name)

    def _open(self) -> RedisConnection | None:
        """A new connection, retried with growing pauses; None after the limit."""
        until_ns = give_up_ns(self._clock.now_ns(), self._end_ns)
        pause_s = _BACKOFF_FIRST_S
        while True:
            try:
                return open_connection(self._url, self._name, self._key)
            except UsageError as error:
                self.gave_up = error
                return None
            except StackError as error:
                if self._clock.now_ns() + pause_s * NS_PER_S > until_ns:
                    self.gave_up = error
                    return None
            gevent.sleep(pause_s)
            pause_s = min(2 * pause_s, _BACKOFF_MAX_S)
