"""The parts of a proposed contract: tables of lines, each with what it rests on."""

from __future__ import annotations

from typing import Any, NamedTuple

# The longest name that a contract may have.
NAME_MAX = 200


class Entry(NamedTuple):
    """A line of a contract.

    Attributes:
        value: of TOML; None for a line that stands there as a comment, with `comment` alone.
        is_guess: whether a person has to confirm it.
    """

    key: str
    value: Any
    comment: str = ""
    is_guess: bool = False


class Section(NamedTuple):
    """A table of a contract; `table` is empty for the keys before all tables."""

    table: str
    entries: tuple[Entry, ...]
