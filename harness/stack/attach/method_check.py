"""Which package an external observation method is of."""

from __future__ import annotations

from harness.contract.observation import ExternalMethodName, ObservationMethod
from harness.observe.method_registry import find_method, load_definition
from harness.stack.attach.check import PreflightCheck, check_from

METHOD_CHECK = "seen.method"


def method_checks(way: ObservationMethod | ExternalMethodName) -> list[PreflightCheck]:
    """Of an external method: its package, and what it states of itself. Of a built-in one: none."""
    if isinstance(way, ObservationMethod):
        return []
    return [check_from(METHOD_CHECK, [], _statement(way.value))]


def external_method_reason(name: str) -> str:
    """Why a run by an external method is not a sign-off."""
    return f"SIMULATED was read by {_statement(name)}; the table was compared with it at the end"


def _statement(name: str) -> str:
    method = find_method(name)
    definition = load_definition(method)
    misses = "misses nothing" if definition.misses_nothing else "may miss changes"
    return f"{name} of the package {method.package}, which states that it {misses}"
