"""Runs a method of another package as a `Watcher`; its errors carry its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from harness.clock import NS_PER_US, Clock
from harness.errors import HarnessError, StackError, UsageError, error_text
from harness.observe.decoder import RowVersion
from harness.observe.method import BATCH_MAX, Batch, MethodDefinition, ObservationContext
from harness.observe.method_registry import InstalledMethod, validate_settings
from harness.observe.plan import ObserverPlan
from harness.observe.status_reports import StatusReportParser
from harness.observe.watcher import Versions, WatcherLost

_T = TypeVar("_T")
_COMMIT_US_MAX = 1 << 62


class SourceWatcher:
    """Reads the source of an external method.

    Args:
        method: name and package, for errors.
        definition: the loaded method.
        plan: contract with the method's settings, and Redis.
        clock: monotonic time.

    Raises:
        UsageError: the settings are wrong.
        StackError: the method raised an error of its own.
    """

    def __init__(
        self,
        method: InstalledMethod,
        definition: MethodDefinition,
        plan: ObserverPlan,
        clock: Clock,
    ) -> None:
        self._name = f"observation method {method.entry.name} of {method.package}"
        self._definition = definition
        self._clock = clock
        self._url = plan.redis_url.get_secret_value() if plan.redis_url else None
        self._parser = StatusReportParser(plan.contract)
        self._position = ""
        self._asked: tuple[int, int] = (-1, 0)
        self._drained_since_ns = 0
        self.seen_ns = 0
        self.covered_ns = 0
        self.received_lsn = 0
        try:
            settings = validate_settings(definition, plan.contract.seen.settings)
        except ValidationError as error:
            raise UsageError(
                f"{error.error_count()} wrong entries in seen.settings", where=self._name
            ) from error
        context = ObservationContext(plan.contract, self._url, clock.now_ns)
        self._source = self._run(lambda: definition.make_source(settings, context))

    @property
    def misses_nothing(self) -> bool:
        """What the method states of itself."""
        return self._definition.misses_nothing

    @property
    def unreadable(self) -> int:
        return self._parser.unreadable

    def open(self, deadline_ns: int) -> None:
        del deadline_ns  # the source limits its own waiting
        before_ns = self._clock.now_ns()
        self._run(lambda: self._source.open(self._position))
        if not self.covered_ns:
            self.covered_ns = self._bound(before_ns)

    def poll(self, timeout_ns: int) -> Versions:
        begin_ns = self._clock.now_ns()
        batch = self._run(lambda: self._checked(self._source.read(timeout_ns)))
        end_ns = self._clock.now_ns()
        # A time outside the read is the method's error: a sighting must not look earlier.
        self.seen_ns = batch.seen_ns if begin_ns <= batch.seen_ns <= end_ns else end_ns
        self._position = batch.position or self._position
        if batch.is_complete:
            self.covered_ns = max(self.covered_ns, self._bound(begin_ns))
            if not batch.sightings:
                self._drained_since_ns = begin_ns
        return self._run(lambda: self._versions(batch))

    def has_all(self, lsn: int) -> bool:
        if lsn != self._asked[0]:
            self._asked = (lsn, self._clock.now_ns() + self._definition.delay_max_ns)
        return self._drained_since_ns > self._asked[1]

    def close(self) -> None:
        self._run(self._source.close)

    def _bound(self, begin_ns: int) -> int:
        """What a complete read did not show, was committed after this."""
        return begin_ns - self._definition.delay_max_ns

    def _checked(self, batch: Batch) -> Batch:
        if not isinstance(batch, Batch):
            raise TypeError(f"read returned {type(batch).__name__}, not Batch")
        if len(batch.sightings) > BATCH_MAX:
            raise ValueError(
                f"read returned {len(batch.sightings)} sightings, more than {BATCH_MAX}"
            )
        if not all(0 <= sighting.commit_us <= _COMMIT_US_MAX for sighting in batch.sightings):
            raise ValueError("commit_us is no Unix time in microseconds")
        return batch

    def _versions(self, batch: Batch) -> list[RowVersion]:
        error_us = -(-self._definition.commit_error_ns // NS_PER_US)
        found = []
        for sighting in batch.sightings:
            version = self._parser.from_values(sighting.trace_id, sighting.status)
            if version is not None:
                commit_us = max(0, sighting.commit_us - error_us) if sighting.commit_us else 0
                found.append(version._replace(commit_us=commit_us))
        return found

    def _run(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except (WatcherLost, HarnessError):
            raise
        except Exception as error:  # the code of a package may raise anything
            raise StackError(
                f"{self._name} failed: {self._without_password(error_text(error))}",
                where="observer",
                hint="this is an error of that package, or of its settings in seen.settings",
            ) from None

    def _without_password(self, text: str) -> str:
        password = urlsplit(self._url or "").password
        for secret in {password or "", unquote(password or "")} - {""}:
            text = text.replace(secret, "***")
        return text
