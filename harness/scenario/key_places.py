"""Where a key of a document may stand, for errors about one that is not known there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from harness.errors import nearest

# Documents are nested less deeply.
_DEPTH_MAX = 8
_SHOWN_MAX = 3

# Keys of each table by its path; the path ends with "[]" where the table is one of a list.
Tables = Mapping[tuple[str, ...], frozenset[str]]


def key_hint(model: type[BaseModel], place: Sequence[int | str]) -> str:
    """What was probably meant by an unknown key; empty without an idea.

    Args:
        model: of the whole document.
        place: of the key, as in an error of pydantic, with positions in lists and kinds of tables.
    """
    tables, key = _tables(model), str(place[-1])
    path = _path(place[:-1], tables)
    every = {name: one for one, keys in sorted(tables.items(), reverse=True) for name in keys}
    every |= dict.fromkeys(tables.get(path, ()), path)
    near = nearest(key, every)
    if near and every[near] == path:
        return f"did you mean {near}?"
    homes = [one for one, keys in tables.items() if key in keys and one != path]
    if homes:
        return f"it belongs {' or '.join(_table(one) for one in homes[:_SHOWN_MAX])}"
    if near:
        return f"did you mean {near}, {_table(every[near])}?"
    return ""


def _path(place: Sequence[int | str], tables: Tables) -> tuple[str, ...]:
    """The path of a table without positions in lists and without the kind of a table."""
    found: tuple[str, ...] = ()
    for part in place:
        for name in (str(part), f"{part}[]"):
            if (*found, name) in tables:
                found = (*found, name)
    return found


def _table(path: tuple[str, ...]) -> str:
    if not path:
        return "at the top level"
    name = ".".join(part.removesuffix("[]") for part in path)
    return f"in [[{name}]]" if path[-1].endswith("[]") else f"in [{name}]"


def _tables(model: type[BaseModel]) -> Tables:
    try:
        schema = model.model_json_schema()
    except PydanticUserError:  # a type that no schema describes
        return {}
    found: dict[tuple[str, ...], frozenset[str]] = {}
    for path, keys in _walk(schema, schema.get("$defs", {}), ()):
        found[path] = found.get(path, frozenset()) | keys
    return found


def _walk(
    schema: Mapping[str, Any], named: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    """Every table below a schema, through references, alternatives and lists."""
    if len(path) > _DEPTH_MAX:
        return
    if "$ref" in schema:
        yield from _walk(named.get(str(schema["$ref"]).rpartition("/")[2], {}), named, path)
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _walk(alternative, named, path)
    items = schema.get("items")
    if isinstance(items, dict) and path:
        yield from _walk(items, named, (*path[:-1], f"{path[-1].removesuffix('[]')}[]"))
    properties = schema.get("properties")
    if isinstance(properties, dict):
        yield path, frozenset(properties)
        for name, own in properties.items():
            yield from _walk(own, named, (*path, name))
