"""A proxy in front of the node that delays requests or loses answers, as a bad network does."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from harness.http_client import HttpClient

LOOPBACK = "127.0.0.1"
ProxyFault = Literal["", "stall", "lose"]
_FORWARD_MAX_S = 5.0
# The longest delay of a request; its client may have given up before.
_HELD_MAX_S = 30.0
_BYTES_MAX = 8 << 20


class FaultProxy:
    """A small HTTP proxy on loopback in front of one node.

    Args:
        url: of the node, `http://host:port`.
    """

    def __init__(self, url: str) -> None:
        self._node = url
        self._fault: ProxyFault = ""
        self._clear = threading.Event()
        self._clear.set()
        self._idle = threading.Condition()
        self._under_way = 0
        self._server = _Server((LOOPBACK, 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="fault-proxy",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Address of the proxy."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def set_fault(self, fault: ProxyFault) -> None:
        """From now on delay requests (`stall`), or drop answers (`lose`)."""
        self._fault = fault
        self._clear.clear()

    def clear(self) -> bool:
        """End the fault; whether all delayed requests have reached the node."""
        self._fault = ""
        self._clear.set()
        with self._idle:
            return self._idle.wait_for(lambda: self._under_way == 0, _FORWARD_MAX_S)

    def close(self) -> None:
        """End it."""
        self.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_FORWARD_MAX_S)

    def forward(self, body: bytes) -> tuple[int, bytes] | None:
        """Forward a request and return the answer; None for an answer that is dropped."""
        with self._idle:
            self._under_way += 1
        try:
            fault = self._fault
            if fault == "stall":
                self._clear.wait(_HELD_MAX_S)
            answer = self._forward(body)
            if fault == "lose":
                self._clear.wait(_HELD_MAX_S)
            return None if fault else answer
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
        """Ignore clients that gave up: the faults cause that."""


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Header and body in one segment; otherwise the body waits for an acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = proxy.forward(body)
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
            """Log nothing."""

    return Handler
