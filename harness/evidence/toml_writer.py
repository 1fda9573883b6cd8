"""Writing TOML: the few shapes that a scenario is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(document: Mapping[str, Any]) -> str:
    """A document of strings, numbers, booleans, lists, tables and arrays of tables.

    A list in which tables stand beside other values has them in line. A key without a value (None)
    is left out, since TOML knows none.
    """
    return "\n".join(_table(document, ())) + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    table = {key: value for key, value in table.items() if value is not None}
    lines = [
        f"{_key(key)} = {_value(value)}" for key, value in table.items() if not _is_nested(value)
    ]
    for key, value in table.items():
        place = (*path, _key(key))
        if isinstance(value, Mapping):
            lines += ["", f"[{'.'.join(place)}]", *_table(value, place)]
        elif _is_nested(value):
            for entry in value:
                lines += ["", f"[[{'.'.join(place)}]]", *_table(entry, place)]
    return lines


def _is_nested(value: object) -> bool:
    if isinstance(value, Mapping):
        return True
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(entry, Mapping) for entry in value)
    )


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are a subset of those of a basic string, except for the delete character.
        # Written as themselves, characters need no pairs of escapes, which TOML does not know.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_value(one)}' for key, one in value.items())} }}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(entry) for entry in value)}]"
    raise TypeError(f"{type(value).__name__} has no place in this TOML")
