"""Strict JSON parser for untrusted text: limits depth, numbers and repeated keys.

RFC 8259 leaves these to the parser (sections 4, 6 and 9), and has neither NaN nor Infinity.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

DEPTH_MAX = 64
# Signed 64-bit integers hold all counts and times.
_NUMBER_MAX = 2**63 - 1
_DIGITS_MAX = len(str(_NUMBER_MAX))
# What a document of the wrong shape raises when it is read as if it had the right one.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{\]}]', re.DOTALL)


class LimitError(ValueError):
    """The text exceeds a limit."""


def loads(text: str) -> Any:
    """A JSON document.

    Raises:
        LimitError: nested too deeply, or a number of more than 64 bits.
        ValueError: not JSON, or a table repeats a key.
    """
    brackets = text.count("[") + text.count("{")
    if brackets > DEPTH_MAX and _depth(text) > DEPTH_MAX:
        raise LimitError(f"nested more than {DEPTH_MAX} deep")
    return json.loads(
        text,
        parse_int=_integer,
        parse_float=_float,
        parse_constant=_constant,
        object_pairs_hook=_table,
    )


def _depth(text: str) -> int:
    """Depth of nesting, counted up to the limit plus one."""
    depth = deepest = 0
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        depth += (first in "[{") - (first in "]}")
        deepest = max(deepest, depth)
        if deepest > DEPTH_MAX:
            break
    return deepest


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS_MAX or abs(number := int(text)) > _NUMBER_MAX:
        raise LimitError(f"a number of {len(text.lstrip('-')):,} digits, more than 64 bits")
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise LimitError(f"a number beyond the range of a double: {text[:20]}")
    return number


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {repeated[:40]!r} is repeated")
    return table
