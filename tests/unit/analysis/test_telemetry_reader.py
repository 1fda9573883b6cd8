"""From running totals to rates: laws for any totals, and counts of invalid lines."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.resources.telemetry import LockWait
from harness.analysis.resources.telemetry_reader import ValueKind, increase, read_telemetry
from harness.clock import NS_PER_S

T0_NS = 100 * NS_PER_S
STEPS_NS = st.lists(st.integers(1, 5 * NS_PER_S), min_size=2, max_size=30)


def lines(form: ValueKind, samples: list[tuple[int, Any]], name: str = "a.figure") -> list[str]:
    """A file with one column."""
    columns = {"kind": "columns", "of": "x", "first": 0, "columns": [[name, form]]}
    documents = [
        {"kind": "look", "of": "x", "mono_ns": mono_ns, "values": [value]}
        for mono_ns, value in samples
    ]
    return [json.dumps(document) for document in (columns, *documents)]


def samples_of(steps_ns: list[int], values: list[Any]) -> list[tuple[int, Any]]:
    """Values at the ends of intervals."""
    return list(zip(accumulate(steps_ns), values, strict=False))


@pytest.mark.parametrize("form", [ValueKind.TOTAL, ValueKind.TIME])
@given(steps_ns=STEPS_NS, data=st.data())
def test_rates_of_totals_integrate_back(
    form: ValueKind, steps_ns: list[int], data: st.DataObject
) -> None:
    """No rate is negative, and rate times time is what the total grew by."""
    grown = data.draw(
        st.lists(st.integers(0, 10**12), min_size=len(steps_ns), max_size=len(steps_ns))
    )
    totals = list(accumulate(grown))
    samples = samples_of(steps_ns, totals)
    found = read_telemetry(lines(form, samples), 0).time_series["a.figure"]
    assert min(found.values) >= 0
    spans_ns = [later[0] - earlier[0] for earlier, later in pairwise(samples)]
    unit = 1 if form is ValueKind.TIME else NS_PER_S
    back = sum(rate * span_ns / unit for rate, span_ns in zip(found.values, spans_ns, strict=True))
    assert back == pytest.approx(totals[-1] - totals[0], rel=1e-9)


@given(steps_ns=STEPS_NS, data=st.data())
def test_no_total_makes_a_negative_rate(steps_ns: list[int], data: st.DataObject) -> None:
    """Whatever a counter does, restarts at any moment included, rates are not negative."""
    size = len(steps_ns)
    totals = data.draw(st.lists(st.integers(0, 10**9), min_size=size, max_size=size))
    cases: dict[ValueKind, list[Any]] = {
        ValueKind.TOTAL: totals,
        ValueKind.TIME: totals,
        ValueKind.MEAN: [[total, total // 2] for total in totals],
        ValueKind.SHARE: [[total // 3, total] for total in totals],
    }
    for form, values in cases.items():
        found = read_telemetry(lines(form, samples_of(steps_ns, values)), 0)
        assert found.invalid_lines == 0
        assert all(value >= 0 for track in found.time_series.values() for value in track.values)
        if form is ValueKind.SHARE:
            assert all(value <= 1 for value in found.time_series["a.figure"].values)


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_restart_counts_from_zero(before: float, now: float) -> None:
    """What a total grew by is its difference, or all of it once it has begun anew."""
    assert increase(before, now) == (now - before if now >= before else now)


def test_forms() -> None:
    """Each kind, with the time of the newest sample of an interval."""
    second = NS_PER_S
    cases: tuple[tuple[ValueKind, list[Any], tuple[float, ...]], ...] = (
        (ValueKind.LEVEL, [5, None, 7], (5.0, 7.0)),
        (ValueKind.TOTAL, [5, 15, 9], (10.0, 9.0)),
        (ValueKind.TIME, [0, second // 2, second], (0.5, 0.5)),
        (ValueKind.MEAN, [[0, 0], [30, 3], [30, 3]], (10.0,)),
        (ValueKind.SHARE, [[0, 0], [1, 4], [1, 4]], (0.25, 0.0)),
        (ValueKind.STEP, [7, 7, 8], (0.0, 1.0)),
    )
    for form, values, track in cases:
        samples = [(T0_NS + n * second, value) for n, value in enumerate(values)]
        found = read_telemetry("\n".join(lines(form, samples)), T0_NS)
        assert found.time_series["a.figure"].values == track, form
        assert found.present
    assert found.time_series["a.figure"].at_s == (1.0, 2.0)


def test_a_gap_is_bridged() -> None:
    """After a missing sample the next rate covers the longer interval."""
    samples = [(0, 0), (NS_PER_S, None), (2 * NS_PER_S, 10)]
    found = read_telemetry(lines(ValueKind.TOTAL, samples), 0).time_series["a.figure"]
    assert (found.at_s, found.values) == ((2.0,), (5.0,))


def test_limits_reasons_and_waits() -> None:
    """The newest limit counts; a withdrawn reason is none; waits are in order."""
    wait = {
        "kind": "wait",
        "mono_ns": 3 * NS_PER_S,
        "relation": "nonce_locks",
        "statement": "SELECT nonce FROM nonce_locks FOR UPDATE",
        "for_update": True,
        "waited_ms": 40.5,
        "holders": [["idle in transaction", "UPDATE nonce_locks"]],
    }
    documents = (
        {"kind": "start", "mono_ns": 0, "every_ns": NS_PER_S // 2},
        {"kind": "limit", "track": "a.figure", "value": 1, "source": "guessed"},
        {"kind": "limit", "track": "a.figure", "value": 4, "source": "cgroup"},
        {"kind": "unread", "subject": "redis", "why": "it is away"},
        {"kind": "unread", "subject": "redis", "why": None},
        {"kind": "unread", "subject": "postgres", "why": "no rights"},
        wait,
        {**wait, "mono_ns": 2 * NS_PER_S, "holders": []},
        {"kind": "of a newer harness"},
        {"kind": "end", "mono_ns": 9},
    )
    text = [*(json.dumps(one) for one in documents), *lines(ValueKind.LEVEL, [(1, 2)])]
    found = read_telemetry(text, NS_PER_S)
    track = found.time_series["a.figure"]
    assert (track.limit, track.limit_source) == (4.0, "cgroup")
    assert found.unread == {"postgres": "no rights"}
    assert found.every_s == 0.5
    assert found.invalid_lines == 0
    assert [one.at_s for one in found.lock_waits] == [1.0, 2.0]
    assert found.lock_waits[1] == LockWait(
        2.0,
        "nonce_locks",
        "SELECT nonce FROM nonce_locks FOR UPDATE",
        True,
        40.5,
        (("idle in transaction", "UPDATE nonce_locks"),),
    )


@pytest.mark.parametrize(
    "line",
    [
        '{"kind":"look","of":"x","mono_ns":5',
        "[]",
        "7",
        '{"kind":"look","of":"x","mono_ns":5,"values":[1,2]}',
        '{"kind":"look","of":"y","mono_ns":5,"values":[1]}',
        '{"kind":"look","of":"x","mono_ns":1,"values":[1]}',
        '{"kind":"look","of":"x","mono_ns":5,"values":["1"]}',
        '{"kind":"look","of":"x","mono_ns":5,"values":[NaN]}',
        '{"kind":"look","of":"x","mono_ns":5,"values":[true]}',
        '{"kind":"columns","of":"x","first":2,"columns":[["b","level"]]}',
        '{"kind":"columns","of":"x","first":1,"columns":[["b","odd"]]}',
        '{"kind":"start","mono_ns":1,"every_ns":0}',
        '{"kind":"limit","track":"a.figure","value":"4","source":""}',
        '{"kind":"wait","mono_ns":1}',
    ],
)
def test_what_is_no_line_is_counted(line: str) -> None:
    """An invalid line is counted, and affects no other line."""
    found = read_telemetry([*lines(ValueKind.LEVEL, [(1, 2)]), line], 0)
    assert found.invalid_lines == 1
    assert found.time_series["a.figure"].values == (2.0,)


@pytest.mark.parametrize("text", ["", "\n", "torn"])
def test_nothing_is_nothing(text: str) -> None:
    """A run that kept no telemetry has none."""
    assert not read_telemetry(text, 0).present
