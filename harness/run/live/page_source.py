"""A run seen through its metrics page."""

from __future__ import annotations

from collections import Counter

from harness.contract.urls import read_url
from harness.errors import UsageError
from harness.http_client import OK, HttpClient, HttpError
from harness.run.live.metrics_page_parser import ParsedPage, parse_page
from harness.run.live.run_view import RunView
from harness.run.parts import RunEvent

_TIMEOUT_S = 3.0
# A page of ours has some 10 kB.
_BYTES_MAX = 4 * 1024 * 1024
# The page goes when the run's process ends; one answer lost is no end.
_FAILURES_MAX = 3


class PageSource:
    """Looks at a run through its page.

    Args:
        url: of the page.

    Raises:
        UsageError: it is none.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = read_url(url, ("http", "https"))
            if parts.has_password or parts.user:
                raise ValueError("holds a login, which no such page asks for")
        except ValueError as error:
            raise UsageError(
                str(error), where="URL of a page", hint="http://127.0.0.1:PORT/metrics"
            ) from None
        self._url = url if parts.path else f"{url.rstrip('/')}/metrics"
        self._failures = 0
        self._newest: ParsedPage | None = None
        self._events: list[RunEvent] = []

    def poll(self) -> RunView:
        """The run now; the end of the page is the end of the run."""
        try:
            page = parse_page(self._text())
        except OSError as error:
            return self._unread(error)
        except ValueError as error:
            raise UsageError(f"is no metrics page of a run: {error}", where=self._url) from error
        self._failures = 0
        if self._newest is not None and page.run_id != self._newest.run_id:
            self._events.clear()
        self._newest = page
        self._note(page.events)
        return self._shown(page)

    def _shown(self, page: ParsedPage) -> RunView:
        if page.progress is None:
            return RunView(page.run_id, message="the stack is starting")
        return RunView(page.run_id, page.with_events(tuple(self._events)))

    def _unread(self, error: Exception) -> RunView:
        if self._newest is None:
            raise UsageError(
                f"cannot be read: {error}",
                where=self._url,
                hint="a run serves it that was started with --metrics-port",
            ) from error
        self._failures += 1
        shown = self._shown(self._newest)
        if self._failures < _FAILURES_MAX:
            return shown
        return RunView(shown.run_id, shown.progress, ended=True, message="the page is gone")

    def _text(self) -> str:
        with HttpClient(self._url, _TIMEOUT_S, _BYTES_MAX) as client:
            answer = client.get()
        if answer.status != OK:
            raise HttpError(f"HTTP {answer.status}")
        return answer.body.decode("utf-8", "replace")

    def _note(self, counts: Counter[str]) -> None:
        """Keep what is new, in the order in which it was seen."""
        known = Counter(event.kind for event in self._events)
        for kind, number in (counts - known).items():
            self._events += [RunEvent(kind, kind.replace("_", " "), 0)] * number
