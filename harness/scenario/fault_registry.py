"""The kinds of faults by their names; each registers itself in `harness/faults/kinds/`.

A kind is one module there. Everything else asks this registry and knows no kind by its name.
The modules are loaded when the first scenario is read, so at their top they import no client of a
server or an engine.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args

from harness.scenario.fault_base import FaultBase

# Found by their place, so that no list has to name them.
KINDS_PACKAGE = "harness.faults.kinds"
_Model = TypeVar("_Model", bound=FaultBase)
_KINDS: dict[str, type[FaultBase]] = {}
# What makes a fault ready, by kind and stack; `harness.faults.instance` has its type.
_INJECTIONS: dict[tuple[str, str], Callable[..., Any]] = {}


@dataclass(frozen=True, slots=True)
class FaultSupport:
    """What can be done on one kind of stack.

    Attributes:
        stack: its name, as in `--stack`.
        services: what can be a target.
        hint: what to do about a kind that it cannot have.
        disks: services whose data can lie on a file system of its own.
        aliases: the other name of a service that has two.
    """

    stack: str
    services: frozenset[str]
    hint: str
    disks: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of faults that it can have."""
        fault_kinds()  # registers the injections too
        return frozenset(kind for kind, stack in _INJECTIONS if stack == self.stack)

    def canonical_name(self, service: str) -> str:
        """The name that a service has in a comparison with others."""
        return self.aliases.get(service, service)


def fault(name: str) -> Callable[[type[_Model]], type[_Model]]:
    """Register a model as a kind of fault.

    Args:
        name: the kind, as its model's `kind` has it.

    Raises:
        TypeError: the model is of another kind or does not declare its targets, or the kind is
            registered already.
    """

    def register(model: type[_Model]) -> type[_Model]:
        literal = model.model_fields.get("kind")
        if literal is None or get_args(literal.annotation) != (name,):
            raise TypeError(f"{model.__name__} is not of the kind {name!r}")
        if not hasattr(model, "targets"):
            raise TypeError(f"{model.__name__} does not declare its targets")
        if name in _KINDS:
            raise TypeError(f"the kind {name!r} is registered twice")
        _KINDS[name] = model
        return model

    return register


@cache
def fault_kinds() -> Mapping[str, type[FaultBase]]:
    """Every kind by its name, in alphabetical order."""
    package = importlib.import_module(KINDS_PACKAGE)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{KINDS_PACKAGE}.{module.name}")
    return MappingProxyType(dict(sorted(_KINDS.items())))


def kinds_where(condition: Callable[[type[FaultBase]], bool]) -> frozenset[str]:
    """The names of the kinds that meet a condition.

    Evidence may name a kind that is not registered any more; it is in none of these sets.
    """
    return frozenset(name for name, model in fault_kinds().items() if condition(model))


def load_checks(name: Literal["CHECKS", "SIGNAL_CHECKS"]) -> tuple[Any, ...]:
    """The checks that kinds declare, in the order of the kinds; see `FaultBase.checks`."""
    modules = dict.fromkeys(model.checks for model in fault_kinds().values() if model.checks)
    return tuple(
        check for module in modules for check in getattr(importlib.import_module(module), name, ())
    )


def register_injection(model: type[FaultBase], stack: str, make: Callable[..., Any]) -> None:
    """Register what makes a fault ready on a stack, which has the kind from then on.

    Raises:
        TypeError: the model is no kind, or there is another one already.
    """
    kind = next((name for name, known in _KINDS.items() if known is model), "")
    if not kind:
        raise TypeError(f"{model.__name__} is not registered as a kind")
    if (kind, stack) in _INJECTIONS:
        raise TypeError(f"the kind {kind!r} has two injections on the {stack} stack")
    _INJECTIONS[kind, stack] = make


def find_injection(kind: str, stack: str) -> Callable[..., Any] | None:
    """What makes a fault ready on a stack; None where the stack cannot have it."""
    fault_kinds()
    return _INJECTIONS.get((kind, stack))
