"""Observation methods by name: those of the harness, and those of installed packages.

Loading a method runs code of its package, so only the method that a contract names is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from pydantic import BaseModel

from harness import __version__
from harness.contract.observation import ObservationMethod
from harness.errors import UsageError, error_text, nearest
from harness.observe.method import MethodDefinition

GROUP = "harness.observation_methods"
_OWN_PACKAGE = "signal-harness"
_HINT = "docs/observation-methods.md says how a package registers a method"
_BUILT_IN = {
    method.value: EntryPoint(method.value, f"harness.observe.{method.module}:make_watcher", GROUP)
    for method in ObservationMethod
}


class InstalledMethod(NamedTuple):
    """A registered method, not loaded.

    Attributes:
        entry: its entry point.
        package: the package and its version.
    """

    entry: EntryPoint
    package: str

    @property
    def is_built_in(self) -> bool:
        """Whether it is of the harness itself."""
        return self.entry.name in _BUILT_IN


def find_method(name: str) -> InstalledMethod:
    """The method of a name; loads nothing. No package replaces a built-in method.

    Raises:
        UsageError: there is none, or several packages register it.
    """
    if name in _BUILT_IN:
        return InstalledMethod(_BUILT_IN[name], f"{_OWN_PACKAGE} {__version__}")
    installed = entry_points(group=GROUP)
    # A package that is found in two folders of the path registers the same entry twice.
    found = {_package(entry): entry for entry in installed if entry.name == name}
    if not found:
        like = nearest(name, {*_BUILT_IN, *installed.names})
        raise UsageError(
            f"no installed package has the observation method {name!r} of seen.way",
            hint=f"did you mean {like!r}? {_HINT}" if like else _HINT,
        )
    if len(found) > 1:
        raise UsageError(
            f"{' and '.join(sorted(found))} both register {name!r}",
            hint="uninstall one of them",
        )
    package, entry = next(iter(found.items()))
    return InstalledMethod(entry, package)


def load_definition(method: InstalledMethod) -> MethodDefinition:
    """Import an external method.

    Raises:
        UsageError: it cannot be imported, or is no `MethodDefinition`.
    """
    where = f"observation method {method.entry.name} of {method.package}"
    try:
        loaded = method.entry.load()
    except Exception as error:  # the code of a package may raise anything
        raise UsageError(f"cannot be imported: {error_text(error)}", where=where) from error
    if not isinstance(loaded, MethodDefinition):
        raise UsageError(
            f"{method.entry.value} is of type {type(loaded).__name__}, not MethodDefinition",
            where=where,
            hint=_HINT,
        )
    return loaded


def validate_settings(definition: MethodDefinition, settings: Mapping[str, Any]) -> BaseModel:
    """The settings of a contract, as the method's own model.

    Raises:
        ValidationError: of that model.
    """
    return definition.settings.model_validate(dict(settings))


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
