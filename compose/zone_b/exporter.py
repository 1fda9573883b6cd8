"""`/metrics` and `/healthz` over HTTP, in a thread of the main process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_TIMEOUT_S = 5


class Exporter:
    """A small HTTP server.

    Args:
        host: address to listen on.
        port: 0 serves nothing.
        registry: what `/metrics` serves.
        healthy: whether `/healthz` says 200 rather than 503.

    Raises:
        OSError: the port is in use.
    """

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, healthy: Callable[[], bool]
    ) -> None:
        self._server: ThreadingHTTPServer | None = None
        if port:
            self._server = ThreadingHTTPServer((host, port), _handler(registry, healthy))
            self._server.daemon_threads = True

    def start(self) -> None:
        """Serve from now on."""
        if self._server is not None:
            threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()

    def stop(self) -> None:
        """Stop serving. Only after `start`."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _handler(
    registry: CollectorRegistry, healthy: Callable[[], bool]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                code, text = (200, b"ok\n") if healthy() else (503, b"starting\n")
                self._answer(code, text, "text/plain")
            else:
                self._answer(404, b"see /metrics and /healthz\n", "text/plain")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden name
            """Say nothing: a probe per second would fill the log."""

        def _answer(self, code: int, body: bytes, kind: str) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
