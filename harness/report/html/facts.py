"""Environment and stack as flat tables, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.report.html.components import Table

# Of lists of many, such as the settings of every container; the whole is in the run's folder.
FACTS_MAX = 200
_DEPTH_MAX = 8


def facts_table(caption: str, facts: Mapping[str, Any]) -> Table:
    """One row for each fact, named by its way there."""
    rows = []
    for number, (name, value) in enumerate(_flat("", facts, 0)):
        if number == FACTS_MAX:
            caption += f" (the first {FACTS_MAX})"
            break
        rows.append((name, value))
    return Table(caption, ("fact", "value"), tuple(rows), numbers=False)


def _flat(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    inside: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        inside = [(str(key), part) for key, part in value.items()]
    elif isinstance(value, (list, tuple)) and any(isinstance(p, (Mapping, list)) for p in value):
        inside = [(str(number + 1), part) for number, part in enumerate(value)]
    if inside and depth < _DEPTH_MAX:
        for key, part in inside:
            yield from _flat(f"{name}.{key}" if name else key, part, depth + 1)
    elif isinstance(value, (list, tuple)):
        yield name, ", ".join(str(part) for part in value)
    else:
        yield name, "not known" if value is None else str(value)
