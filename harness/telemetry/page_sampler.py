"""The Prometheus pages of all services, over connections that stay open."""

from __future__ import annotations

from collections.abc import Mapping

from harness.clock import NS_PER_S, Clock
from harness.http_client import OK, HttpClient
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
            except (OSError, ValueError) as error:
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
        self._url = url
        self._text = PageParser(service, node_name)
        self._client: HttpClient | None = None

    def look(self, sheet: SampleBatch) -> None:
        was_open = self._client is not None
        try:
            body = self._fetch()
        except OSError:
            if not was_open:
                raise
            self.close()  # a service may close what was silent for long, or be another by now
            body = self._fetch()
        self._text.parse_into(body, sheet)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _fetch(self) -> bytes:
        if self._client is None:
            self._client = HttpClient(self._url, _ANSWER_MAX_S, _PAGE_BYTES_MAX)
        answer = self._client.get()
        if answer.status != OK:
            raise ValueError(f"HTTP {answer.status}")
        return answer.body
