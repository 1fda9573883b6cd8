"""What is expected of a stored run: written, read, and held against what is found."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.corpus.archive import EXPECTED

# So far apart two floats may be that other versions of a library have computed.
_RELATIVE = 1e-9
# Levels that are written with a line for each value.
_OPEN_LEVELS = 3


@dataclass(frozen=True, slots=True)
class Expected:
    """A document of the corpus.

    Attributes:
        shows: what the run is there for.
        on_demand: whether its diagnosis is asked for, however good the latency was.
        outcome: what `observed` finds.
    """

    shows: str
    on_demand: bool
    outcome: dict[str, Any]


def write(name: str, expected: Expected) -> None:
    """Store the result of a run."""
    document = {
        "shows": expected.shows,
        "diagnosis on demand": expected.on_demand,
        "outcome": expected.outcome,
    }
    EXPECTED.mkdir(exist_ok=True)
    (EXPECTED / f"{name}.json").write_text(_text(document, 0) + "\n", encoding="utf-8")


def read(name: str) -> Expected:
    """The result of a run when it was recorded."""
    document = json.loads((EXPECTED / f"{name}.json").read_text(encoding="utf-8"))
    return Expected(document["shows"], document["diagnosis on demand"], document["outcome"])


def plain(outcome: dict[str, Any]) -> dict[str, Any]:
    """An outcome as JSON gives it back."""
    found: dict[str, Any] = json.loads(json.dumps(outcome, allow_nan=False))
    return found


def differences(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    """Every place where two documents differ, with both values; the order of keys counts."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if list(expected) != list(found):
            yield f"{place}: keys {list(expected)} became {list(found)}"
        for key in expected:
            if key in found:
                yield from differences(expected[key], found[key], f"{place}/{key}")
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{place}: {len(expected)} entries became {len(found)}"
        for number, (one, other) in enumerate(zip(expected, found, strict=False)):
            name = one[0] if isinstance(one, list) and one else number
            yield from differences(one, other, f"{place}/{name}")
    elif not _same(expected, found):
        yield f"{place}: {expected!r} became {found!r}"


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(expected, found, rel_tol=_RELATIVE)
    return type(expected) is type(found) and bool(expected == found)


def _text(value: Any, level: int) -> str:
    """JSON with a line for each value of the upper levels, so that a change shows as lines."""
    if level >= _OPEN_LEVELS or not isinstance(value, (dict, list)) or not value:
        return json.dumps(value, allow_nan=False)
    inside, outside = " " * (level + 1), " " * level
    if isinstance(value, dict):
        lines = [f"{json.dumps(key)}: {_text(one, level + 1)}" for key, one in value.items()]
    else:
        lines = [_text(one, level + 1) for one in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return f"{first}\n{inside}" + f",\n{inside}".join(lines) + f"\n{outside}{last}"
