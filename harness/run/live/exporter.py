"""Holds the newest snapshot of a run, and serves it as a Prometheus page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry, Metric, make_wsgi_app
from prometheus_client.registry import Collector

from harness.clock import Clock
from harness.run.live.metrics_page import Cost, PageState, RunInfo, metrics_of
from harness.run.parts import Progress

App = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Exporter(Collector):
    """A collector that reads the newest snapshot.

    The run passes a snapshot on by one assignment, which cannot fail or block; readers are served
    in threads of their own.

    Args:
        clock: for the time stamp of a snapshot.
        spent_ns: processor time of the calling thread.
    """

    def __init__(self, clock: Clock, spent_ns: Callable[[], int] = time.thread_time_ns) -> None:
        self._clock = clock
        self._spent_ns = spent_ns
        self._state = PageState()
        self._cost = Cost()
        self._counting = threading.Lock()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        self._page: App = make_wsgi_app(registry)

    def begin(self, run_info: RunInfo) -> None:
        """A run begins; figures of the previous run are removed."""
        self._state = PageState(run_info, verdicts=self._state.verdicts)

    def show(self, progress: Progress) -> None:
        """Set the newest snapshot."""
        self._state = replace(
            self._state, progress=progress, snapshot_wall_ns=self._clock.wall_ns()
        )

    def judged(self, verdict: str) -> None:
        """The run has a verdict."""
        verdicts = self._state.verdicts
        self._state = replace(
            self._state, verdicts={**verdicts, verdict: verdicts.get(verdict, 0) + 1}
        )

    @property
    def cost(self) -> Cost:
        """Cost of the page so far."""
        return self._cost

    def collect(self) -> Iterator[Metric]:
        """Every metric; called for each read of the page."""
        return metrics_of(self._state, self._cost)

    def app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The page as a WSGI application that counts its own cost."""
        with self._counted():
            return list(self._page(environ, start_response))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        begin_ns = self._spent_ns()
        try:
            yield
        finally:
            spent_ns = self._spent_ns() - begin_ns
            with self._counting:
                self._cost = Cost(self._cost.scrapes + 1, self._cost.cpu_ns + spent_ns)
