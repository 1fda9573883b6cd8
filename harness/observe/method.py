"""What another package implements to observe SIMULATED: `docs/observation-methods.md`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel

from harness.clock import NS_PER_MS
from harness.contract.names import Contract
from harness.observe.watcher import WatcherLost

# The observer drains for two seconds after the load.
DELAY_MAX_LIMIT_NS = 1_500 * NS_PER_MS
BATCH_MAX = 10_000


class SourceLost(WatcherLost):
    """The connection of a source failed; it is opened again at its newest position."""


class Sighting(NamedTuple):
    """One change of the status of one signal.

    Attributes:
        trace_id: as the system writes it, with or without the prefix of the table.
        status: as the system writes it; `[states]` of the contract maps it.
        commit_us: Unix time of the commit by PostgreSQL's clock in microseconds; 0 if unknown.
    """

    trace_id: str
    status: str
    commit_us: int = 0


class Batch(NamedTuple):
    """What one read returned, in the order of the source.

    Attributes:
        sightings: at most `BATCH_MAX`; none if nothing came within the time limit.
        seen_ns: monotonic time right after they had been received; 0: when `read` returned.
        position: where to resume after a lost connection; empty: as before.
        is_complete: whether everything that the source had when the read began is in it.
    """

    sightings: Sequence[Sighting]
    seen_ns: int = 0
    position: str = ""
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class ObservationContext:
    """What a source may use beside its settings.

    Attributes:
        contract: names of the system.
        redis_url: Redis of the contract, with its password; None if there is none.
        now_ns: the harness's monotonic clock.
    """

    contract: Contract
    redis_url: str | None = field(repr=False)
    now_ns: Callable[[], int]


class ObservationSource(Protocol):
    """One connection to a source of sightings; used by one thread."""

    def open(self, position: str) -> None:
        """Connect: every change after the return will be read.

        Args:
            position: of the newest batch; empty at first, which begins at the newest change.

        Raises:
            SourceLost: another try may succeed.
        """
        ...

    def read(self, timeout_ns: int) -> Batch:
        """Sightings since the last call; waits at most `timeout_ns` for the first.

        Raises:
            SourceLost: the connection failed.
        """
        ...

    def close(self) -> None:
        """Release the connection; may be called twice, and before `open`."""
        ...


@dataclass(frozen=True, slots=True)
class MethodDefinition:
    """An observation method, as the entry point of a package names it.

    Attributes:
        settings: model of `[seen.settings]`; it should forbid unknown keys.
        make_source: makes an unopened source of validated settings.
        misses_nothing: whether every change reaches the source, also across lost connections.
        delay_max_ns: longest time from a commit to its presence in the source; at most
            `DELAY_MAX_LIMIT_NS`. It widens the bracket of each latency, and the drain waits for it.
        commit_error_ns: how much later than the commit a `commit_us` may be, such as its rounding.
    """

    settings: type[BaseModel]
    make_source: Callable[[Any, ObservationContext], ObservationSource]
    misses_nothing: bool
    delay_max_ns: int
    commit_error_ns: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.delay_max_ns <= DELAY_MAX_LIMIT_NS:
            raise ValueError(f"delay_max_ns is not from 0 to {DELAY_MAX_LIMIT_NS}")
        if self.commit_error_ns < 0:
            raise ValueError("commit_error_ns is negative")
