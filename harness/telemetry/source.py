"""What a telemetry source is, and the registry of all.

A source is one module of `harness.telemetry.sources`: a class, or a function that makes an
instance, registered with `@telemetry_source(NAME)`. The worker samples each in a thread of its own.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, TypeVar

from harness.clock import Clock
from harness.telemetry import sources
from harness.telemetry.plan import TelemetryPlan
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.services import Services


class Source(Protocol):
    """Something that is sampled; a subclass needs no more than `sample`."""

    def sample(self, batch: SampleBatch) -> None:
        """Put the current figures into the batch; `batch.unread` for what cannot be read."""
        ...

    def poll(self, batch: SampleBatch) -> None:
        """Record what would be over by the next sample; for sources with `poll_every_ns`."""
        del batch

    def close(self) -> None:
        """Release files and connections."""
        return


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may use.

    Attributes:
        services: the processes of the system, as they are now.
    """

    plan: TelemetryPlan
    clock: Clock
    services: Services


SourceFactory = Callable[[SourceContext], Source]
_Factory = TypeVar("_Factory", bound=SourceFactory)


@dataclass(frozen=True, slots=True)
class RegisteredSource:
    """A source by its name in `telemetry.jsonl`.

    Attributes:
        poll_every_ns: longest interval between polls; None for a source without polls.
    """

    name: str
    make: SourceFactory
    poll_every_ns: int | None = None

    def steps(self, every_ns: int) -> int:
        """Number of equal steps from one sample to the next: the first samples, others poll."""
        return 1 if self.poll_every_ns is None else max(1, -(-every_ns // self.poll_every_ns))


_REGISTRY: dict[str, RegisteredSource] = {}


def telemetry_source(
    name: str, *, poll_every_ns: int | None = None
) -> Callable[[_Factory], _Factory]:
    """Register what makes a source.

    Args:
        name: unique; it is written to `telemetry.jsonl`.
        poll_every_ns: see `RegisteredSource`.

    Raises:
        ValueError: another source has this name.
    """

    def register(factory: _Factory) -> _Factory:
        if name in _REGISTRY:
            raise ValueError(f"two telemetry sources have the name {name!r}")
        _REGISTRY[name] = RegisteredSource(name, factory, poll_every_ns)
        return factory

    return register


def all_sources() -> Mapping[str, RegisteredSource]:
    """Every source of `harness.telemetry.sources`, by name."""
    for module in pkgutil.iter_modules(sources.__path__, f"{sources.__name__}."):
        import_module(module.name)
    return dict(sorted(_REGISTRY.items()))
