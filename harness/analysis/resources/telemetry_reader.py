"""Reads `telemetry.jsonl`: running totals become rates, and every figure a time series.

One JSON document a line; each has a `kind`:

| kind | content |
|---|---|
| `start` | `mono_ns`, `every_ns`: start of the sampler |
| `columns` | `of` (a source), `first`, `columns`: names and kinds of its further values |
| `look` | `of`, `mono_ns`, `values`: one value a column, null without a value |
| `limit` | `track`, `value` (null: without limit), `source`; the last one counts |
| `unread` | `subject`, `why`; null: it can be read again |
| `wait` | a session that waits for a lock; see `LockWait` |
| `end` | `mono_ns`: regular end of the sampler |

A total that is smaller than before was reset, as by a restart, and counts from zero. So no rate is
negative. A rate covers the time since the sample before and has the time of its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.analysis.resources.telemetry import LockWait, Telemetry, TimeSeries
from harness.clock import NS_PER_S
from harness.evidence.strict_json import MALFORMED, loads
from harness.safe_open import TELEMETRY_BYTES_MAX, iter_lines

_HOLDERS_MAX = 16


class ValueKind(StrEnum):
    """Kind of a column's values, which decides how its time series is computed.

    | kind | value | time series |
    |---|---|---|
    | level | number | unchanged |
    | total | running total | increase per second |
    | time | running total in ns | increase per time: cores, or a share |
    | mean | running totals [sum, count] | mean of the increase; no value without one |
    | share | running totals [part, whole] | share of the increase; 0 without one |
    | step | any number | 1 if it changed, else 0 |
    """

    LEVEL = "level"
    TOTAL = "total"
    TIME = "time"
    MEAN = "mean"
    SHARE = "share"
    STEP = "step"


@dataclass(slots=True)
class _Column:
    """Accumulates one figure; `previous` and `previous_ns` are the newest value and its time."""

    name: str
    form: ValueKind
    previous: Any = None
    previous_ns: int = 0
    at_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, mono_ns: int, at_s: float, value: Any) -> None:
        """Add the next value.

        Raises:
            ValueError: it is not of this kind.
        """
        now = _checked(self.form, value)
        previous, self.previous = self.previous, now
        since_ns, self.previous_ns = mono_ns - self.previous_ns, mono_ns
        if self.form is ValueKind.LEVEL:
            self._append(at_s, now)
        elif previous is None:
            return
        elif self.form is ValueKind.STEP:
            self._append(at_s, float(now != previous))
        elif self.form is ValueKind.TOTAL:
            self._append(at_s, increase(previous, now) * NS_PER_S / since_ns)
        elif self.form is ValueKind.TIME:
            self._append(at_s, increase(previous, now) / since_ns)
        else:
            self._append_ratio(at_s, previous, now)

    def _append_ratio(self, at_s: float, previous: Any, now: Any) -> None:
        was_reset = now[0] < previous[0] or now[1] < previous[1]
        part, whole = now if was_reset else (now[0] - previous[0], now[1] - previous[1])
        if whole > 0:
            self._append(at_s, part / whole)
        elif self.form is ValueKind.SHARE:
            self._append(at_s, 0.0)

    def _append(self, at_s: float, value: float) -> None:
        self.at_s.append(at_s)
        self.values.append(float(value))


def increase(previous: float, now: float) -> float:
    """Increase of a running total, which may have been reset to zero in between."""
    return now - previous if now >= previous else now


def read_telemetry(text: str | Iterable[str], t0_ns: int) -> Telemetry:
    """Parse a run's telemetry.

    Args:
        text: the file, or its lines.
        t0_ns: monotonic time of the run's t0, the origin of the times.
    """
    parser = _Parser(t0_ns)
    for line in text.splitlines() if isinstance(text, str) else text:
        parser.add(line)
    return parser.result()


def read_telemetry_file(path: Path, t0_ns: int) -> Telemetry:
    """`read_telemetry` of a run's file; empty without the file.

    Raises:
        EvidenceError: it exists and cannot be read.
    """
    if not path.exists():
        return Telemetry()
    return read_telemetry(iter_lines(path, TELEMETRY_BYTES_MAX, errors="replace"), t0_ns)


class _Parser:
    def __init__(self, t0_ns: int) -> None:
        self._t0_ns = t0_ns
        self._columns: dict[str, list[_Column]] = {}
        self._limits: dict[str, tuple[float | None, str]] = {}
        self._unread: dict[str, str] = {}
        self._lock_waits: list[LockWait] = []
        self._every_ns = NS_PER_S
        self._newest_ns: dict[str, int] = {}
        self._lines = 0
        self._bad = 0
        self._kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "start": self._start,
            "columns": self._add_columns,
            "look": self._sample,
            "limit": self._limit,
            "unread": self._set_unread,
            "wait": self._wait,
            "end": self._end,
        }

    def add(self, line: str) -> None:
        self._lines += 1
        try:
            document = loads(line)
            # An unknown kind may come from a newer harness; a line without a kind is invalid.
            handler = self._kinds.get(str(document["kind"]))
            if handler is not None:
                handler(document)
        except MALFORMED:
            self._bad += 1

    def result(self) -> Telemetry:
        columns = (
            column for of_source in self._columns.values() for column in of_source if column.values
        )
        series = {column.name: self._series(column) for column in columns}
        return Telemetry(
            time_series=dict(sorted(series.items())),
            lock_waits=tuple(sorted(self._lock_waits, key=lambda wait: wait.at_s)),
            every_s=self._every_ns / NS_PER_S,
            unread=dict(sorted(self._unread.items())),
            invalid_lines=self._bad,
            present=self._lines > self._bad,
        )

    def _series(self, column: _Column) -> TimeSeries:
        limit, source = self._limits.get(column.name, (None, ""))
        return TimeSeries(column.name, tuple(column.at_s), tuple(column.values), limit, source)

    def _start(self, document: dict[str, Any]) -> None:
        every_ns = int(document["every_ns"])
        if every_ns <= 0:
            raise ValueError("the sampling interval is not positive")
        self._every_ns = every_ns

    def _add_columns(self, document: dict[str, Any]) -> None:
        of_source = self._columns.setdefault(str(document["of"]), [])
        if document["first"] != len(of_source):
            raise ValueError("columns before these are missing")
        of_source.extend(_Column(str(name), ValueKind(form)) for name, form in document["columns"])

    def _sample(self, document: dict[str, Any]) -> None:
        source, mono_ns, values = document["of"], int(document["mono_ns"]), document["values"]
        columns = self._columns.get(source, [])
        if len(values) > len(columns) or mono_ns <= self._newest_ns.get(source, -1):
            raise ValueError("no columns for this, or not later than the sample before")
        self._newest_ns[source] = mono_ns
        at_s = (mono_ns - self._t0_ns) / NS_PER_S
        for column, value in zip(columns, values, strict=False):
            if value is not None:
                column.add(mono_ns, at_s, value)

    def _end(self, document: dict[str, Any]) -> None:
        int(document["mono_ns"])

    def _limit(self, document: dict[str, Any]) -> None:
        value = document["value"]
        checked = None if value is None else float(_number(value))
        self._limits[str(document["track"])] = (checked, str(document["source"]))

    def _set_unread(self, document: dict[str, Any]) -> None:
        subject, why = str(document["subject"]), document["why"]
        if why is None:
            self._unread.pop(subject, None)
        else:
            self._unread[subject] = str(why)

    def _wait(self, document: dict[str, Any]) -> None:
        holders = tuple((str(state), str(statement)) for state, statement in document["holders"])
        self._lock_waits.append(
            LockWait(
                at_s=(int(document["mono_ns"]) - self._t0_ns) / NS_PER_S,
                relation=str(document["relation"]),
                statement=str(document["statement"]),
                for_update=document["for_update"] is True,
                waited_ms=float(_number(document["waited_ms"])),
                holders=holders[:_HOLDERS_MAX],
            )
        )


def _checked(form: ValueKind, value: Any) -> Any:
    if form in (ValueKind.MEAN, ValueKind.SHARE):
        first, second = value
        return _number(first), _number(second)
    return _number(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value
