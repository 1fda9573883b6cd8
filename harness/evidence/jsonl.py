"""JSON Lines: one record a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import BaseModel

from harness.errors import EvidenceError
from harness.evidence.strict_json import MALFORMED, loads

Record = TypeVar("Record")


def format_jsonl(record: BaseModel) -> str:
    """The line of a record."""
    return json.dumps(record.model_dump(mode="json"), separators=(",", ":")) + "\n"


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
