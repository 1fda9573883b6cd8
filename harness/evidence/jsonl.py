"""JSON Lines: one record a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter

from harness.errors import EvidenceError
from harness.evidence.strict_json import MALFORMED, loads

Record = TypeVar("Record")


def format_jsonl(record: BaseModel) -> str:
    """The line of a record."""
    return json.dumps(record.model_dump(mode="json"), separators=(",", ":")) + "\n"


def readable_lines(lines: Iterable[str], adapter: TypeAdapter[Record]) -> tuple[list[Record], int]:
    """The records of a log that may be damaged, and the number of lines that cannot be read.

    Args:
        lines: of the file.
        adapter: of a record.
    """
    found, unread = [], 0
    for line in lines:
        try:
            loads(line)  # refuses what a model accepts, such as huge numbers
            found.append(adapter.validate_json(line))
        except ValueError:
            unread += 1
    return found, unread


def parse_jsonl(lines: Iterable[str], read: Callable[[str], Record], where: str) -> list[Record]:
    """Every record, in the order of writing.

    Args:
        lines: of the file.
        read: parses a line.
        where: name of the file, for errors.

    Raises:
        EvidenceError: a line cannot be read.
    """
    found = []
    for number, line in enumerate(lines, 1):
        try:
            loads(line)  # refuses what a model accepts, such as huge numbers
            found.append(read(line))
        except MALFORMED as error:
            raise EvidenceError(f"line {number} cannot be read", where=where) from error
    return found
