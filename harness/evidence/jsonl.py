"""Records as JSON, one to a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import BaseModel

from harness.errors import EvidenceError
from harness.evidence.strict_json import loads

Record = TypeVar("Record")


def format_jsonl(record: BaseModel) -> str:
    """A record as its line."""
    return json.dumps(record.model_dump(mode="json"), separators=(",", ":")) + "\n"


def parse_jsonl(lines: Iterable[str], read: Callable[[str], Record], where: str) -> list[Record]:
    """Every record, in the order of writing.

    Args:
        lines: of the file.
        read: makes a record of one.
        where: what the file is called.

    Raises:
        EvidenceError: a line is none.
    """
    found = []
    for number, line in enumerate(lines, 1):
        try:
            loads(line)  # of what a model lets through, such as numbers without end
            found.append(read(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EvidenceError(f"line {number} cannot be read", where=where) from error
    return found
