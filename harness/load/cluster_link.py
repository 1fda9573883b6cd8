"""Sends signals to a Redis Cluster: redirections are followed, and no signal is sent twice.

MOVED, ASK and TRYAGAIN say that a node did not execute a command, so the same command is sent to
the node that serves the slot. All signals go to one stream, which is on one node at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import hiredis

from harness.errors import HarnessError
from harness.load.redis_link import LoopLink, RedisConnection
from harness.redis_connection import Place

# Nodes answer MOVED to each other while they do not agree about a slot: 2 s in all.
REDIRECTIONS_MAX = 100
_TRY_AGAIN_S = 0.02
_REDIRECTIONS = ("MOVED ", "ASK ", "TRYAGAIN")
_ASKING = b"*1\r\n$6\r\nASKING\r\n"


@dataclass(slots=True)
class _Command:
    """A command without a final answer, or whose answer waits for those before it."""

    words: Any
    reply: object = None
    redirections: int = 0


class _Node:
    """The connection to one node, and what it has not answered yet; None is ASKING."""

    def __init__(self, link: LoopLink) -> None:
        self.link = link
        self.pending: deque[_Command | None] = deque()


class ClusterLink:
    """A connection to the node of the stream, and to the nodes that it redirects to.

    While redirected commands are without an answer, nothing new is sent, so that signals keep
    their order. Answers are passed on in the order of the commands.

    Args:
        connection: open, to the node of the stream; closed with the link.
        open_node: connects to another node; may wait, and raises HarnessError.
        loop: the gevent loop.
        on_replies: receives parsed answers, in order. Called in the loop, so it must not block.
        on_ready: called when the link accepts bytes again.
        on_loss: called when a node with unanswered commands closes its connection.
    """

    def __init__(
        self,
        connection: RedisConnection,
        open_node: Callable[[Place], RedisConnection],
        loop: Any,
        on_replies: Callable[[list[object]], None],
        on_ready: Callable[[], None],
        on_loss: Callable[[], None],
    ) -> None:
        self._open_node = open_node
        self._loop = loop
        self._on_replies = on_replies
        self._on_ready = on_ready
        self._on_loss = on_loss
        self._order: deque[_Command] = deque()
        self._redirected: list[tuple[_Command, str]] = []
        self._retrying = 0
        self._is_closed = False
        self._node = self._new_node(connection)
        self._nodes = {_peer(connection): self._node}
        self._greenlet: gevent.Greenlet | None = None

    @property
    def has_unsent_bytes(self) -> bool:
        """Whether nothing new can be sent now."""
        return self._retrying > 0 or self._node.link.has_unsent_bytes

    def send(self, data: bytes) -> None:
        """Send packed commands to the node of the stream.

        Raises:
            OSError: the connection is lost.
        """
        reader = hiredis.Reader()
        reader.feed(data)
        while (words := reader.gets()) is not False:
            command = _Command(tuple(words))
            self._order.append(command)
            self._node.pending.append(command)
        self._node.link.send(data)

    def close(self) -> None:
        """Close every connection."""
        self._is_closed = True
        if self._greenlet is not None and self._greenlet is not gevent.getcurrent():
            self._greenlet.kill(block=False)
        for node in self._nodes.values():
            node.link.close()

    def _new_node(self, connection: RedisConnection) -> _Node:
        link = LoopLink(
            connection,
            self._loop,
            lambda replies: self._answered(node, replies),
            lambda: self._ready(node),
            lambda: self._lost(node),
        )
        node = _Node(link)
        return node

    def _ready(self, node: _Node) -> None:
        if node is self._node and not self.has_unsent_bytes:
            self._on_ready()

    def _lost(self, node: _Node) -> None:
        if node is self._node or node.pending:
            self._on_loss()
            return
        node.link.close()
        self._nodes = {place: one for place, one in self._nodes.items() if one is not node}

    def _answered(self, node: _Node, replies: list[object]) -> None:
        for reply in replies:
            if not node.pending:
                break
            command = node.pending.popleft()
            if command is not None:
                self._take(command, reply)
        if self._redirected and not any(one.pending for one in self._nodes.values()):
            self._greenlet = gevent.spawn(self._send_again)
        final: list[object] = []
        while self._order and self._order[0].reply is not None:
            final.append(self._order.popleft().reply)
        if final:
            self._on_replies(final)

    def _take(self, command: _Command, reply: object) -> None:
        text = str(reply) if isinstance(reply, hiredis.ReplyError) else ""
        is_retried = command.redirections > 0
        if text.startswith(_REDIRECTIONS) and command.redirections < REDIRECTIONS_MAX:
            command.redirections += 1
            self._retrying += not is_retried
            self._redirected.append((command, text))
            return
        self._retrying -= is_retried
        command.reply = reply

    def _send_again(self) -> None:
        """Send the redirected commands, in order, where the newest redirection points."""
        redirected, self._redirected = self._redirected, []
        commands = [command for command, _ in redirected]
        if max(command.redirections for command in commands) > 1:
            gevent.sleep(_TRY_AGAIN_S)
        word, _, rest = redirected[-1][1].partition(" ")
        try:
            node = self._node if word == "TRYAGAIN" else self._connected(rest)
            if self._is_closed:
                return
            if word == "MOVED":
                self._node = node
            prefix = _ASKING if word == "ASK" else b""
            for command in commands:
                if prefix:
                    node.pending.append(None)
                node.pending.append(command)
            packed = (prefix + hiredis.pack_command(one.words) for one in commands)
            node.link.send(b"".join(packed))
        except (HarnessError, OSError):
            if not self._is_closed:
                self._on_loss()

    def _connected(self, target: str) -> _Node:
        """The node that a redirection names: `slot host:port`; without host the same host."""
        host, _, port = target.rpartition(" ")[2].rpartition(":")
        place = (host, int(port))
        node = self._nodes.get(place)
        if node is None:
            node = self._nodes[place] = self._new_node(self._open_node(place))
        return node


def _peer(connection: RedisConnection) -> Place:
    host, port = connection.socket.getpeername()[:2]
    return str(host), int(port)
