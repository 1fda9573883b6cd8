"""A small HTTP server for services that are asked: POST routes, `/metrics` and `/healthz`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

BODY_MAX = 1 << 20
CONNECTIONS_MAX = 256
_IDLE_S = 30
_POLL_S = 0.05
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to whoever asked."""

    code: int
    body: bytes
    kind: str = "application/json"


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the service can do its job, and a line about it for people."""

    good: bool
    detail: str = "ok"


Route = Callable[[bytes], Answer]


class HttpService:
    """Serves until it is stopped, each connection in a thread, at most `CONNECTIONS_MAX` of them.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        registry: what `/metrics` serves.
        health: what `/healthz` answers.
        routes: what answers a POST, by path.

    Raises:
        OSError: the port is in use.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        health: Callable[[], Health],
        routes: Mapping[str, Route],
    ) -> None:
        self._server = _Server((host, port), _handler(registry, health, routes))

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Serve from now on."""
        threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="http", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop serving. Only after `start`."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._room = threading.BoundedSemaphore(CONNECTIONS_MAX)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: that a client hung up is no event of this service."""


def _handler(
    registry: CollectorRegistry, health: Callable[[], Health], routes: Mapping[str, Route]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_S
        # Head and body leave in one packet, or a delayed acknowledgement costs 40 ms an answer.
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(Answer(200, generate_latest(registry), CONTENT_TYPE_LATEST))
            elif self.path == "/healthz":
                now = health()
                self._answer(Answer(200 if now.good else 503, f"{now.detail}\n".encode(), _TEXT))
            else:
                self._answer(_not_found(routes))

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isascii() or not length.isdecimal() or int(length) > BODY_MAX:
                self.close_connection = True
                limit = f"a body of 0 to {BODY_MAX} bytes with its Content-Length is needed\n"
                self._answer(Answer(413, limit.encode(), _TEXT))
                return
            body = self.rfile.read(int(length))
            route = routes.get(self.path)
            self._answer(route(body) if route else _not_found(routes))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden name
            """Say nothing: a probe per second would fill the log."""

        def _answer(self, answer: Answer) -> None:
            self.send_response(answer.code)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

    return Handler


def _not_found(routes: Mapping[str, Route]) -> Answer:
    there = ", ".join(["GET /metrics", "GET /healthz", *(f"POST {path}" for path in routes)])
    return Answer(404, f"there is {there}\n".encode(), _TEXT)
