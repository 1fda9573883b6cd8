"""What injects a fault, and what proves it: two parts that know nothing of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from harness.scenario.fault import Fault
from harness.stack.base import ServiceState

Services = Callable[[], tuple[ServiceState, ...]]


class Injector(Protocol):
    """Brings a fault about and takes it away."""

    def inject(self) -> None:
        """Begin.

        Raises:
            HarnessError: it cannot be done.
        """
        ...

    def heal(self) -> None:
        """Take away whatever `inject` brought; does nothing when there is nothing. Bounded."""
        ...


class Probe(Protocol):
    """Looks at the system, and never at the injector."""

    def before(self) -> None:
        """Note how things stand before the fault.

        Raises:
            HarnessError: it cannot be told, so that nothing could be proven.
        """
        ...

    def holds(self) -> str:
        """What shows that the fault is in force; empty while nothing does. Within two seconds."""
        ...

    def ended(self) -> str:
        """What shows that it is over and the service works; empty until then."""
        ...


@dataclass(frozen=True, slots=True)
class FaultInstance:
    """A fault made ready.

    Attributes:
        answer: what shows that the system has done what it has to do about the fault while this
            lasts; empty until then. None where nothing is asked of it but to come back.
    """

    injector: Injector
    probe: Probe
    answer: Callable[[], str] | None = None


class FaultFactory(Protocol):
    """Makes faults ready for one kind of stack."""

    def create(self, fault: Fault) -> FaultInstance:
        """What injects and proves a fault.

        Raises:
            UsageError: this stack cannot have such a fault.
        """
        ...


def state_of(services: Services, name: str) -> ServiceState | None:
    """A service by its name; None when there is none."""
    return next((state for state in services() if state.name == name), None)
