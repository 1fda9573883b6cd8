"""HTTP to services and nodes: bounded in time and size, without redirects and without retries.

urllib3 carries the requests. A proxy of the environment is not used: services are on this host or
in the stack's own network.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

OK = 200
_BYTES_MAX = 1 << 20
_PART_BYTES = 1 << 16
_JSON = {"Content-Type": "application/json"}


class HttpError(OSError):
    """No whole answer arrived."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer with its whole body; the names of headers match in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """One connection to one server. It stays open between requests and reopens when it is lost.

    Args:
        url: `http://host:port/path`, or https with a certificate that this host trusts.
        timeout_s: the longest time to connect, and the longest pause within an answer.
        bytes_max: the largest body that is read.

    Raises:
        ValueError: the URL is no address of HTTP.
    """

    def __init__(self, url: str, timeout_s: float, bytes_max: int = _BYTES_MAX) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError("not an http address")
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s
        self._pool = self._new_pool()

    def get(self, path: str = "") -> HttpAnswer:
        """Ask for a path; without one, for that of the URL.

        Raises:
            HttpError: no whole answer arrives.
        """
        return self._request("GET", path or self._path, None)

    def post_json(self, body: bytes) -> HttpAnswer:
        """Send a JSON document to `/`.

        Raises:
            HttpError: no whole answer arrives.
        """
        return self._request("POST", "/", body)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._pool.close()
        self._pool = self._new_pool()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _new_pool(self) -> urllib3.HTTPConnectionPool:
        return urllib3.connection_from_url(
            self._origin, timeout=self._timeout_s, maxsize=1, retries=False
        )

    def _request(self, method: str, path: str, body: bytes | None) -> HttpAnswer:
        try:
            answer = self._pool.request(
                method,
                path,
                body=body,
                headers=None if body is None else _JSON,
                redirect=False,
                preload_content=False,
                decode_content=False,  # a compressed body could be of any size
            )
            with closing(answer):
                data = bytearray()
                for part in answer.stream(_PART_BYTES, decode_content=False):
                    data += part
                    if len(data) > self._bytes_max:
                        raise HttpError(f"more than {self._bytes_max >> 20} MiB")
        except (HTTPError, OSError) as error:
            raise HttpError(_reason(error)) from error
        return HttpAnswer(answer.status, answer.headers, bytes(data))


def _reason(error: BaseException) -> str:
    """The operating system's text, which urllib3 wraps in the address and the names of classes."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return str(cause or error) or type(cause or error).__name__
