"""Durations as people write them: `500ms`, `90s`, `5m`, `1h30m`, `7d`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from harness.errors import UsageError

_UNITS_NS: Final = {
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_WORDS: Final = {"us": "microseconds", "ms": "milliseconds", "s": "seconds"}
# The unit at the end of a key is that of its number.
_KEY: Final = re.compile(r"_(?P<unit>us|ms|s)$")
_PART: Final = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s?(us|ms|min|s|m|h|d)"
_DURATION: Final = re.compile(rf"(?:{_PART}\s?){{1,7}}")
_PARTS: Final = re.compile(_PART)
_NUMBER: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def parse_duration_s(text: str, where: str) -> float:
    """`20m`, `90s`, `1.5h`, `1h30m`, or a number of seconds.

    Raises:
        UsageError: it is no duration above zero.
    """
    own = text.strip()
    seconds = float(own) if _NUMBER.fullmatch(own) else _in_unit(own, "s")
    if not seconds or seconds <= 0:
        raise UsageError(f"{text[:60]!r} is no duration", where=where, hint=duration_hint("s"))
    return float(seconds)


def with_numbers(key: str, value: Any) -> Any:
    """A value of a document with each duration as the number that its key asks for.

    `duration_s = "5m"` is 300, `margin_ms = "1s"` is 1000. What is no duration stays as it is: the
    model of the document refuses it, and names it.

    Args:
        key: of the value; empty for the whole document.
        value: of TOML.
    """
    if isinstance(value, dict):
        return {name: with_numbers(name, one) for name, one in value.items()}
    if isinstance(value, list):
        return [with_numbers(key, one) for one in value]
    unit = unit_of(key)
    if unit and isinstance(value, str):
        found = _in_unit(value.strip(), unit)
        return value if found is None else found
    return value


def duration_hint(unit: str) -> str:
    """How a duration is written where the number has this unit."""
    return f"write {_WORDS[unit]} as a number, or a duration as 500ms, 90s, 5m or 1h30m"


def unit_of(key: str) -> str:
    """The unit of a key such as `duration_s`; empty without one."""
    match = _KEY.search(key)
    return match["unit"] if match else ""


def _in_unit(text: str, unit: str) -> float | int | None:
    """A duration in a unit, whole where it is; None of other text."""
    if not _DURATION.fullmatch(text):
        return None
    total_ns = sum(Decimal(number) * _UNITS_NS[name] for number, name in _PARTS.findall(text))
    found = total_ns / _UNITS_NS[unit]
    return int(found) if found == int(found) else float(found)
