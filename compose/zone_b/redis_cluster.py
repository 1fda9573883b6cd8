"""A client of a Redis Cluster: each command goes to the node that serves its key's slot."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

_SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
# Nodes answer MOVED while they do not agree about a slot yet.
_REDIRECTIONS_MAX = 32
_TRY_AGAIN_S = 0.02
# Place of the key in commands of which it is not the second word.
_KEY_PLACE = {"XGROUP CREATE": 1, "XGROUP": 2, "XINFO": 2}


class ClusterClient(redis.Redis):
    """Follows MOVED and ASK. Not for two threads.

    A command that was refused with MOVED, ASK or TRYAGAIN was not executed, so it is sent again.
    One whose answer was lost is not.

    Args:
        url: `redis+cluster://:password@host:port,host:port/`; the first node that answers gives
            the map of slots.
        server: makes a client of one node from its URL.
    """

    def __init__(self, url: str, server: Callable[[str], redis.Redis]) -> None:
        scheme, _, rest = url.partition("://")
        place = rest.partition("/")[0]
        login, at, hosts = place.rpartition("@")
        self._start = f"{_SCHEMES[scheme]}://{login}{at}"
        self._hosts = [tuple(host.rpartition(":")[::2]) for host in hosts.split(",")]
        self._server = server
        self._nodes: dict[tuple[str, int], redis.Redis] = {}
        self._address_of: dict[int, tuple[str, int]] = {}
        first = self._hosts[0]
        # The pool of this base object opens no connection: every command goes through a node.
        super().__init__(host=first[0], port=int(first[1]))

    @staticmethod
    def is_for(url: str) -> bool:
        """Whether the URL is a cluster's."""
        return url.partition("://")[0] in _SCHEMES

    def execute_command(self, *args: Any, **options: Any) -> Any:
        slot = key_slot(_bytes(_key_of(args)))
        asked: tuple[str, int] | None = None
        for _ in range(_REDIRECTIONS_MAX):
            address = asked or self._find(slot)
            try:
                if asked is None:
                    return self._node(address).execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py has no types
                asked = None
                return self._ask(address, args)
            except MovedError as moved:
                self._address_of[slot] = (moved.host, moved.port)
            except AskError as ask:
                asked = (ask.host, ask.port)
            except TryAgainError:
                time.sleep(_TRY_AGAIN_S)
            except (redis.ConnectionError, redis.TimeoutError, ClusterDownError):
                # The next command asks again who serves the slot.
                self._address_of.clear()
                raise
            except redis.ResponseError as error:
                # The stream left the node while this command waited for entries.
                if not str(error).startswith("UNBLOCKED"):
                    raise
        raise redis.RedisError(f"slot {slot} was redirected {_REDIRECTIONS_MAX} times")

    def close(self) -> None:
        """Close the connections to all nodes."""
        for node in self._nodes.values():
            node.close()
        super().close()

    def _ask(self, address: tuple[str, int], args: tuple[Any, ...]) -> Any:
        """Send a command behind ASKING, over the same connection."""
        with self._node(address).pipeline(transaction=False) as pipe:
            pipe.execute_command("ASKING")  # type: ignore[no-untyped-call] # redis-py has no types
            pipe.execute_command(*args)  # type: ignore[no-untyped-call] # redis-py has no types
            return pipe.execute()[1]

    def _node(self, address: tuple[str, int]) -> redis.Redis:
        if address not in self._nodes:
            host, port = address
            self._nodes[address] = self._server(f"{self._start}{_bracketed(host)}:{port}/0")
        return self._nodes[address]

    def _find(self, slot: int) -> tuple[str, int]:
        if slot not in self._address_of:
            self._read_map()
        if slot not in self._address_of:
            raise ClusterDownError(f"no node serves slot {slot}")
        return self._address_of[slot]

    def _read_map(self) -> None:
        """Read the map of slots from the first node that answers.

        Raises:
            redis.RedisError: none does.
        """
        error: redis.RedisError | None = None
        for host, port in self._hosts:
            try:
                answer = self._node((host.strip("[]"), int(port))).execute_command(  # type: ignore[no-untyped-call] # redis-py has no types
                    "CLUSTER SLOTS"
                )
            except redis.RedisError as refused:
                error = refused
                continue
            for first, last, primary, *_ in answer:
                address = (_text(primary[0]), int(primary[1]))
                self._address_of.update(dict.fromkeys(range(first, last + 1), address))
            return
        raise error or redis.ConnectionError("the URL names no node")


def _key_of(args: tuple[Any, ...]) -> Any:
    """The key of a command; each of ours has one."""
    name = str(args[0]).upper()
    if name in ("XREAD", "XREADGROUP"):
        words = [word.upper() if isinstance(word, str) else word for word in args]
        return args[words.index("STREAMS") + 1]
    return args[_KEY_PLACE.get(name, 1)]


def _bytes(key: Any) -> bytes:
    return key if isinstance(key, bytes) else str(key).encode()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
