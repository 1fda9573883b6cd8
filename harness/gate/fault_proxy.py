"""A wire to the node that can hold requests up or lose answers, as a bad network does."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from harness.http_client import HttpClient

LOOPBACK = "127.0.0.1"
ProxyFault = Literal["", "stall", "lose"]
_FORWARD_MAX_S = 5.0
# A client that has given up is not waited for; whoever holds it up lets go of it in time.
_HELD_MAX_S = 30.0
_BYTES_MAX = 8 << 20


class FaultProxy:
    """A small HTTP proxy on loopback in front of one node.

    Args:
        url: of the node, `http://host:port`.
    """

    def __init__(self, url: str) -> None:
        self._node = url
        self._trouble: ProxyFault = ""
        self._clear = threading.Event()
        self._clear.set()
        self._idle = threading.Condition()
        self._under_way = 0
        self._server = _Server((LOOPBACK, 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="wire",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the node is reached over it."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def set_fault(self, trouble: ProxyFault) -> None:
        """From now on requests are held up (`stall`), or answers do not arrive (`lose`)."""
        self._trouble = trouble
        self._clear.clear()

    def clear(self) -> bool:
        """Let go; whether everything that was held up has reached the node by now."""
        self._trouble = ""
        self._clear.set()
        with self._idle:
            return self._idle.wait_for(lambda: self._under_way == 0, _FORWARD_MAX_S)

    def close(self) -> None:
        """End it."""
        self.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_FORWARD_MAX_S)

    def carry(self, body: bytes) -> tuple[int, bytes] | None:
        """Take a request to the node and its answer back; None for one that is not to arrive."""
        with self._idle:
            self._under_way += 1
        try:
            trouble = self._trouble
            if trouble == "stall":
                self._clear.wait(_HELD_MAX_S)
            answer = self._forward(body)
            if trouble == "lose":
                self._clear.wait(_HELD_MAX_S)
            return None if trouble else answer
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    def _forward(self, body: bytes) -> tuple[int, bytes] | None:
        try:
            with HttpClient(self._node, _FORWARD_MAX_S, _BYTES_MAX) as client:
                answer = client.post_json(body)
        except OSError:
            return None
        return answer.status, answer.body


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has given up is what it is there for."""


def _handler(wire: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Header and body go out together, or the second one waits for the client's word.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = wire.carry(body)
            if answer is None:
                self.close_connection = True
                return
            status, text = answer
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden name
            """Quiet."""

    return Handler
