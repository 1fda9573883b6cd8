"""What injects a fault, and what proves it: two parts that know nothing of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from harness.errors import UsageError
from harness.scenario.fault_base import FaultBase
from harness.scenario.fault_registry import find_injection, register_injection
from harness.stack.base import ServiceState

Services = Callable[[], tuple[ServiceState, ...]]
# Gives what shows that a service answers; empty if it does not.
HealthCheck = Callable[[], str]


class Injector(Protocol):
    """Begins a fault and ends it."""

    def inject(self) -> None:
        """Begin.

        Raises:
            HarnessError: it cannot be done.
        """
        ...

    def heal(self) -> None:
        """Undo whatever `inject` did; does nothing when there is nothing. Bounded."""
        ...


class Probe(Protocol):
    """Observes the system, and never the injector."""

    def before(self) -> None:
        """Note the state of the system before the fault.

        Raises:
            HarnessError: it cannot be read, so that nothing could be proven.
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
    """A fault that is ready to be injected.

    Attributes:
        injector: begins and ends it.
        probe: shows that it is in force, and that it is over.
        answer: what shows that the system has done what it has to do about the fault while this
            lasts; empty until then. None where nothing is required of it but to recover.
        verify: checks an effect of the fault after the load, on the main thread; raises
            HarnessError where it cannot. None where there is nothing to check.
        close: releases what outlives the fault; None where nothing does.
    """

    injector: Injector
    probe: Probe
    answer: Callable[[], str] | None = None
    verify: Callable[[], None] | None = None
    close: Callable[[], None] | None = None


class FaultFactory(Protocol):
    """Makes faults ready for one kind of stack."""

    def create(self, fault: FaultBase) -> FaultInstance:
        """What injects and proves a fault.

        Raises:
            UsageError: this stack cannot have such a fault.
        """
        ...


_Make = TypeVar("_Make", bound=Callable[..., FaultInstance])


def injection(model: type[FaultBase], *stacks: str) -> Callable[[_Make], _Make]:
    """Register a function as what makes a kind of fault ready on these stacks.

    The stacks can have the kind from then on. The function gets the fault and the stack's factory,
    which has what injectors and probes need. It imports what reaches servers and engines itself.

    Raises:
        TypeError: the model is no kind, or has another such function already.
    """

    def register(make: _Make) -> _Make:
        for stack in stacks:
            register_injection(model, stack, make)
        return make

    return register


def create_registered(fault: FaultBase, stack: str, factory: FaultFactory) -> FaultInstance:
    """What injects and proves a fault on a stack.

    Raises:
        UsageError: the stack cannot have such a fault.
    """
    make = find_injection(fault.kind, stack)
    if make is None:
        raise UsageError(f"{fault.kind} is not possible on the {stack} stack", where="fault")
    made: FaultInstance = make(fault, factory)
    return made


def state_of(services: Services, name: str) -> ServiceState | None:
    """A service by its name; None when there is none."""
    return next((state for state in services() if state.name == name), None)
