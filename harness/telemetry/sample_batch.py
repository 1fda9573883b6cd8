"""The figures of one source at one time, as lines of `telemetry.jsonl`.

`harness.analysis.resources.telemetry_reader` describes the lines. Names of figures are written
once as columns; a sample is a row of values under them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from harness.analysis.resources.telemetry_reader import ValueKind

# Without a limit, a page with a label for each address would fill memory and disk.
COLUMNS_MAX = 4_096

WriteLines = Callable[[str], None]


class SampleBatch:
    """The columns of one source, and the current sample.

    Args:
        source: its name.
        write: writes whole lines.
    """

    def __init__(self, source: str, write: WriteLines) -> None:
        self._source = source
        self._write = write
        self._places: dict[str, int] = {}
        self._values: list[Any] = []
        self._new: list[tuple[str, str]] = []
        self._limits: dict[str, tuple[float | None, str]] = {}
        self._unread: dict[str, str | None] = {}
        self._notes: list[dict[str, Any]] = []

    def gauge(self, name: str, value: float | None) -> None:
        """A current value; None where there is none."""
        self._put(name, ValueKind.LEVEL, value)

    def total(self, name: str, value: float | None) -> None:
        """A running total, for a rate per second."""
        self._put(name, ValueKind.TOTAL, value)

    def time(self, name: str, total_ns: float | None) -> None:
        """A running total of time, for cores or a share."""
        self._put(name, ValueKind.TIME, total_ns)

    def mean(self, name: str, total: float, count: float) -> None:
        """Running totals of amounts and of their count."""
        self._put(name, ValueKind.MEAN, (total, count))

    def share(self, name: str, part: float, whole: float) -> None:
        """Running totals of a part and of the whole."""
        self._put(name, ValueKind.SHARE, (part, whole))

    def step(self, name: str, value: float | None) -> None:
        """A number whose change marks an event."""
        self._put(name, ValueKind.STEP, value)

    def limit(self, name: str, value: float | None, source: str) -> None:
        """The upper limit of a figure; written when it has changed."""
        if self._limits.get(name, (None, "")) != (value, source):
            self._limits[name] = (value, source)
            self._notes.append({"kind": "limit", "track": name, "value": value, "source": source})

    def unread(self, subject: str, why: str | None) -> None:
        """Why something cannot be read; None when it can. Written when that changes."""
        if self._unread.get(subject) != why:
            self._unread[subject] = why
            self._notes.append({"kind": "unread", "subject": subject, "why": why})

    def note(self, document: dict[str, Any]) -> None:
        """A line of its own."""
        self._notes.append(document)

    def end(self, mono_ns: int) -> None:
        """Write the sample of this time, and begin the next one.

        Raises:
            OSError: the lines cannot be written.
        """
        documents: list[dict[str, Any]] = []
        if self._new:
            first = len(self._places) - len(self._new)
            columns = {"kind": "columns", "of": self._source, "first": first, "columns": self._new}
            documents.append(columns)
        documents += self._notes
        if any(value is not None for value in self._values):
            row = {"kind": "look", "of": self._source, "mono_ns": mono_ns, "values": self._values}
            documents.append(row)
        self._new, self._notes = [], []
        self._values = [None] * len(self._places)
        if documents:
            self._write("".join(f"{_DUMP(document)}\n" for document in documents))

    def _put(self, name: str, form: ValueKind, value: Any) -> None:
        place = self._places.get(name)
        if place is None:
            if value is None or len(self._places) >= COLUMNS_MAX:
                return
            place = self._places[name] = len(self._values)
            self._values.append(None)
            self._new.append((name, form.value))
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            value = None  # JSON has no such number: one would make the whole row unreadable
        self._values[place] = value


_DUMP = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
