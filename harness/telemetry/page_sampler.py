"""The Prometheus pages of all services, over connections that stay open."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from harness.clock import NS_PER_S, Clock
from harness.telemetry.prometheus_parser import PageParser
from harness.telemetry.sample_batch import SampleBatch

_ANSWER_MAX_S = 0.5
_PAGE_BYTES_MAX = 4 << 20
# One that did not answer is left alone for so long, since waiting for it delays the others.
_RETRY_NS = 5 * NS_PER_S


class PageSampler:
    """Looks at every page.

    Args:
        urls: pages by service.
        clock: when to try again.
    """

    def __init__(self, urls: Mapping[str, str], clock: Clock) -> None:
        self._pages = tuple(_Page(name, url, self._node_name(name)) for name, url in urls.items())
        self._clock = clock
        self._owners: dict[str, str] = {}

    def sample(self, sheet: SampleBatch) -> None:
        """Each page now."""
        sheet.unread("pages", None if self._pages else "no page of a service is known")
        for page in self._pages:
            if self._clock.now_ns() < page.retry_ns:
                continue
            try:
                page.look(sheet)
            except (OSError, http.client.HTTPException, ValueError) as error:
                page.close()
                page.retry_ns = self._clock.now_ns() + _RETRY_NS
                sheet.unread(f"page.{page.service}", str(error) or type(error).__name__)
            else:
                sheet.unread(f"page.{page.service}", None)

    def poll(self, sheet: SampleBatch) -> None:
        """Totals lose nothing between two looks."""

    def close(self) -> None:
        """Let go of all connections."""
        for page in self._pages:
            page.close()

    def _node_name(self, service: str) -> _NodeNames:
        return _NodeNames(service, self)

    def owner(self, node: str, service: str) -> str:
        """The service that told of a node first: each asks it from its own place."""
        return self._owners.setdefault(node, service)


class _NodeNames:
    """What nodes are called in the tracks of one service."""

    def __init__(self, service: str, looks: PageSampler) -> None:
        self._service = service
        self._looks = looks

    def __call__(self, node: str) -> str:
        is_owner = self._looks.owner(node, self._service) == self._service
        return node if is_owner else f"{node}@{self._service}"


class _Page:
    def __init__(self, service: str, url: str, node_name: _NodeNames) -> None:
        self.service = service
        self.retry_ns = 0
        self._parts = urlsplit(url)
        self._text = PageParser(service, node_name)
        self._connection: http.client.HTTPConnection | None = None

    def look(self, sheet: SampleBatch) -> None:
        was_open = self._connection is not None
        try:
            body = self._fetch()
        except (OSError, http.client.HTTPException):
            if not was_open:
                raise
            self.close()  # a service may close what was silent for long, or be another by now
            body = self._fetch()
        self._text.parse_into(body, sheet)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _fetch(self) -> bytes:
        if self._connection is None:
            if self._parts.scheme != "http" or self._parts.hostname is None:
                raise ValueError("not an http address")
            self._connection = http.client.HTTPConnection(
                self._parts.hostname, self._parts.port, timeout=_ANSWER_MAX_S
            )
        self._connection.request("GET", self._parts.path or "/")
        answer = self._connection.getresponse()
        body = answer.read(_PAGE_BYTES_MAX + 1)
        if answer.status != http.client.OK:
            raise ValueError(f"HTTP {answer.status}")
        if len(body) > _PAGE_BYTES_MAX:
            raise ValueError(f"more than {_PAGE_BYTES_MAX >> 20} MiB")
        return body
