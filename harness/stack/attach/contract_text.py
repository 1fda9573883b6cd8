"""A proposed contract as the text of a file, with a comment at each line; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import tomli_w

from harness.printable import one_line
from harness.stack.attach.contract_sections import Entry, Section
from harness.stack.attach.proposal import Proposal

CHECK = "CHECK"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_COMMENT_MAX = 120


def contract_text(name: str, servers: tuple[Section, ...], proposal: Proposal) -> str:
    """The file: keys without a table first, then the servers, then what was proposed.

    Args:
        name: of the system, in the form of a contract.
        servers: tables of their addresses.
        proposal: everything else.
    """
    sections = (*servers, *proposal.sections)
    head = (entry for section in sections if not section.table for entry in section.entries)
    tables = (section for section in sections if section.table)
    return "\n".join((*_head(name), *map(_line, head), *_tables(tables))) + "\n"


def _head(name: str) -> Iterator[str]:
    yield f"# What {name} calls things, and where it is. No password is written here."
    yield f"# A line marked {CHECK} is a guess from names and values: confirm or correct it."
    yield "# `harness attach --check contract.toml` compares every line with the running system."
    yield "# `false` leaves out what the system does not have; docs/attach.md explains every key."
    yield "schema_version = 1"
    yield f"name = {_value(name)}"


def _tables(sections: Iterator[Section]) -> Iterator[str]:
    for section in sections:
        yield ""
        yield f"[{section.table}]"
        yield from map(_line, section.entries)


def _line(entry: Entry) -> str:
    key = _key(entry.key)
    if entry.value is None:
        return f"# {_shown(key)} = ...  # {CHECK}: {_shown(entry.comment)}"
    line = f"{key} = {_value(entry.value)}"
    if entry.is_guess:
        note = f"{CHECK}: {_shown(entry.comment)}" if entry.comment else CHECK
        return f"{line}  # {note}"
    return f"{line}  # {_shown(entry.comment)}" if entry.comment else line


def _shown(text: str) -> str:
    """Text of a foreign system within a comment: on one line, without control characters."""
    line = one_line(text)
    return line if len(line) <= _COMMENT_MAX else f"{line[:_COMMENT_MAX]}..."


def _value(value: Any) -> str:
    """A value of TOML on one line."""
    if isinstance(value, Mapping):
        pairs = (f"{_key(str(key))} = {_value(own)}" for key, own in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").removesuffix("\n")


def _key(text: str) -> str:
    return text if _BARE_KEY.fullmatch(text) else _value(text)
