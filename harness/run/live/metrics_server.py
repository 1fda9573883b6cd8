"""The HTTP server of the metrics page, in threads of the main process.

`prometheus_client.start_http_server` does not fit: it limits neither the number of readers nor how
long one may be idle, asks DNS for the host's name, and prints errors on the run's terminal.
"""

from __future__ import annotations

import errno
import io
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TextIO
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client.exposition import ThreadingWSGIServer

from harness.errors import UsageError
from harness.run.live.exporter import App
from harness.stack.ports import LOOPBACK, holder

# Prometheus reads over one connection at a time; more readers than this are disconnected.
_READERS_MAX = 8
_READER_TIMEOUT_S = 5.0
_POLL_S = 0.5


class _Handler(WSGIRequestHandler):
    timeout = _READER_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the terminal belongs to the run."""

    def get_stderr(self) -> TextIO:
        return io.StringIO()


class _Server(ThreadingWSGIServer):
    def __init__(self, address: IPv4Address | IPv6Address, port: int, app: App) -> None:
        if address.version == 6:
            self.address_family = socket.AF_INET6
        self._free = threading.BoundedSemaphore(_READERS_MAX)
        super().__init__((str(address), port), _Handler)
        self.set_app(app)

    def server_bind(self) -> None:
        """Bind without asking DNS for the host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore readers that disconnect or time out."""


def metrics_address(text: str) -> IPv4Address | IPv6Address:
    """An address to serve on, which determines who can read the page.

    Raises:
        UsageError: it is no address, or means every address of the host.
    """
    hint = "give one address of this host, e.g. that of the bridge Prometheus is on"
    try:
        address = ip_address(text)
    except ValueError:
        raise UsageError(f"{text!r} is no address", where="--metrics-address", hint=hint) from None
    if address.is_unspecified or address.is_multicast:
        raise UsageError(
            f"{text} is no single address of this host", where="--metrics-address", hint=hint
        )
    return address


@contextmanager
def serving(app: App, port: int, address: str = LOOPBACK) -> Iterator[str]:
    """Serve until the block ends; its value is the page's URL.

    Args:
        app: the page.
        port: 0 for any free port.
        address: see `metrics_address`.

    Raises:
        UsageError: the port is in use, or the address cannot be served.
    """
    own = metrics_address(address)
    try:
        server = _Server(own, port, app)
    except OSError as error:
        raise _refused(error, port, address) from error
    thread = threading.Thread(
        target=server.serve_forever, args=(_POLL_S,), name="metrics-page", daemon=True
    )
    thread.start()
    host = f"[{own}]" if own.version == 6 else str(own)
    try:
        yield f"http://{host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=_POLL_S * 4)


def _refused(error: OSError, port: int, address: str) -> UsageError:
    where = f"metrics page on {address}"
    if error.errno == errno.EADDRINUSE:
        who = holder(port)
        return UsageError(
            f"port {port} is already in use" + (f" by {who}" if who else ""),
            where=where,
            hint="choose another --metrics-port, or 0 for any free port",
        )
    return UsageError(
        f"nothing can be served on port {port}: {error.strerror or error}",
        where=where,
        hint="--metrics-address needs an address of this host, --metrics-port one above 1023",
    )
