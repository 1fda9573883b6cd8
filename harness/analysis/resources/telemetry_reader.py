"""Reading `telemetry.jsonl`: running totals become rates, and every figure a track.

One JSON document a line; each has a `kind`:

| kind | says |
|---|---|
| `start` | `mono_ns`, `every_ns`: the sampler's first word |
| `columns` | `of` (a source), `first`, `columns`: names and forms of its values from there on |
| `look` | `of`, `mono_ns`, `values`: one value a column, null for what was not there |
| `limit` | `track`, `value` (null: without limit), `source`; the newest counts |
| `unread` | `subject`, `why`; with null it can be read after all |
| `wait` | a session that waits for a lock; see `LockWait` |
| `end` | `mono_ns`: the sampler ended as it should |

A total that is smaller than before has begun anew, as after a restart: it then counts from zero. So
no rate is negative. A rate speaks of the time since the look before, and stands at its end.
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
from harness.evidence.strict_json import loads
from harness.safe_open import TELEMETRY_BYTES_MAX, iter_lines

_HOLDERS_MAX = 16


class ValueKind(StrEnum):
    """What a column's values are, and so what its track is made of.

    | form | value | track |
    |---|---|---|
    | level | number | as it is |
    | total | running total | increase per second |
    | time | running total in ns | increase per time: cores, or a share |
    | mean | running totals [sum, count] | mean of what came since; nothing if nothing came |
    | share | running totals [part, whole] | share of what came since; 0 if nothing came |
    | step | any number | 1 if it is another one than before, else 0 |
    """

    LEVEL = "level"
    TOTAL = "total"
    TIME = "time"
    MEAN = "mean"
    SHARE = "share"
    STEP = "step"


@dataclass(slots=True)
class _Column:
    """One figure under way; `before` and `before_ns` are the newest value and its time."""

    name: str
    form: ValueKind
    before: Any = None
    before_ns: int = 0
    at_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, mono_ns: int, at_s: float, value: Any) -> None:
        """Take in the next value.

        Raises:
            ValueError: it is none of this form.
        """
        now = _checked(self.form, value)
        before, self.before = self.before, now
        since_ns, self.before_ns = mono_ns - self.before_ns, mono_ns
        if self.form is ValueKind.LEVEL:
            self._tell(at_s, now)
        elif before is None:
            return
        elif self.form is ValueKind.STEP:
            self._tell(at_s, float(now != before))
        elif self.form is ValueKind.TOTAL:
            self._tell(at_s, increase(before, now) * NS_PER_S / since_ns)
        elif self.form is ValueKind.TIME:
            self._tell(at_s, increase(before, now) / since_ns)
        else:
            self._tell_ratio(at_s, before, now)

    def _tell_ratio(self, at_s: float, before: Any, now: Any) -> None:
        begun_anew = now[0] < before[0] or now[1] < before[1]
        part, whole = now if begun_anew else (now[0] - before[0], now[1] - before[1])
        if whole > 0:
            self._tell(at_s, part / whole)
        elif self.form is ValueKind.SHARE:
            self._tell(at_s, 0.0)

    def _tell(self, at_s: float, value: float) -> None:
        self.at_s.append(at_s)
        self.values.append(float(value))


def increase(before: float, now: float) -> float:
    """By how much a running total grew, which may have begun anew at zero in between."""
    return now - before if now >= before else now


def read_telemetry(text: str | Iterable[str], t0_ns: int) -> Telemetry:
    """Everything that a run's telemetry tells.

    Args:
        text: the file, or its lines.
        t0_ns: monotonic time of the run's t0, from which tracks count.
    """
    reading = _Reading(t0_ns)
    for line in text.splitlines() if isinstance(text, str) else text:
        reading.add(line)
    return reading.result()


def read_telemetry_file(path: Path, t0_ns: int) -> Telemetry:
    """`read_telemetry` of a run's file; an empty one where the run kept none.

    Raises:
        EvidenceError: it is there and cannot be read.
    """
    if not path.exists():
        return Telemetry()
    return read_telemetry(iter_lines(path, TELEMETRY_BYTES_MAX, errors="replace"), t0_ns)


class _Reading:
    def __init__(self, t0_ns: int) -> None:
        self._t0_ns = t0_ns
        self._columns: dict[str, list[_Column]] = {}
        self._limits: dict[str, tuple[float | None, str]] = {}
        self._unread: dict[str, str] = {}
        self._waits: list[LockWait] = []
        self._every_ns = NS_PER_S
        self._newest_ns: dict[str, int] = {}
        self._lines = 0
        self._bad = 0
        self._kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "start": self._start,
            "columns": self._name,
            "look": self._look,
            "limit": self._limit,
            "unread": self._leave_out,
            "wait": self._wait,
            "end": self._end,
        }

    def add(self, line: str) -> None:
        self._lines += 1
        try:
            document = loads(line)
            # A kind of a newer harness is no mistake; a line without one is.
            take = self._kinds.get(str(document["kind"]))
            if take is not None:
                take(document)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError):
            self._bad += 1

    def result(self) -> Telemetry:
        columns = (column for own in self._columns.values() for column in own if column.values)
        tracks = {column.name: self._track(column) for column in columns}
        return Telemetry(
            time_series=dict(sorted(tracks.items())),
            lock_waits=tuple(sorted(self._waits, key=lambda wait: wait.at_s)),
            every_s=self._every_ns / NS_PER_S,
            unread=dict(sorted(self._unread.items())),
            invalid_lines=self._bad,
            present=self._lines > self._bad,
        )

    def _track(self, column: _Column) -> TimeSeries:
        limit, source = self._limits.get(column.name, (None, ""))
        return TimeSeries(column.name, tuple(column.at_s), tuple(column.values), limit, source)

    def _start(self, document: dict[str, Any]) -> None:
        every_ns = int(document["every_ns"])
        if every_ns <= 0:
            raise ValueError("no distance between looks")
        self._every_ns = every_ns

    def _name(self, document: dict[str, Any]) -> None:
        own = self._columns.setdefault(str(document["of"]), [])
        if document["first"] != len(own):
            raise ValueError("columns before these are missing")
        own.extend(_Column(str(name), ValueKind(form)) for name, form in document["columns"])

    def _look(self, document: dict[str, Any]) -> None:
        source, mono_ns, values = document["of"], int(document["mono_ns"]), document["values"]
        columns = self._columns.get(source, [])
        if len(values) > len(columns) or mono_ns <= self._newest_ns.get(source, -1):
            raise ValueError("no columns for this, or not after the look before")
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

    def _leave_out(self, document: dict[str, Any]) -> None:
        subject, why = str(document["subject"]), document["why"]
        if why is None:
            self._unread.pop(subject, None)
        else:
            self._unread[subject] = str(why)

    def _wait(self, document: dict[str, Any]) -> None:
        holders = tuple((str(state), str(words)) for state, words in document["holders"])
        self._waits.append(
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
