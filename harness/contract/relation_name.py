"""Names of tables in a contract: `jobs`, `desk.jobs`, `"Desk"."Order.Jobs"`."""

from __future__ import annotations

import re

_PARTS_MAX = 2
# In double quotes, with doubled quotes inside, or plain up to the next dot.
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".][^.]*)')


def name_parts(text: str) -> tuple[str, ...]:
    """Schema (if given) and table, exactly as in the catalog; case is kept.

    Double quotes are needed only for a name with a dot, or one that begins with a quote.

    Raises:
        ValueError: more than schema and table, an empty part, or quotes that do not match.
    """
    parts: list[str] = []
    at = 0
    while True:
        found = _PART.match(text, at)
        if found is None:
            break
        quoted, plain = found.groups()
        parts.append(plain if quoted is None else quoted.replace('""', '"'))
        at = found.end()
        if text[at : at + 1] != ".":
            break
        at += 1
    if at != len(text) or not 1 <= len(parts) <= _PARTS_MAX or text.endswith("."):
        raise ValueError(
            f"{text!r} is no table's name: write table, schema.table, or"
            ' "schema"."table" where a name has a dot'
        )
    return tuple(parts)


def quote_relation(*parts: str) -> str:
    """The name of a table from its parts, as a contract writes it."""
    return ".".join(
        '"' + part.replace('"', '""') + '"' if "." in part or part.startswith('"') else part
        for part in parts
    )
