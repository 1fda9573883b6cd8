"""Figures of a batch are read back from the file."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S
from harness.telemetry import sample_batch as batch_module
from harness.telemetry.sample_batch import SampleBatch

NAMES = st.text(min_size=1, max_size=12)
SAMPLES = st.lists(st.dictionaries(NAMES, st.floats(-1e12, 1e12), max_size=6), max_size=8)


@given(SAMPLES)
def test_levels_come_back(samples: list[dict[str, float]]) -> None:
    """Whatever figures come and go, each is found under its name at its time."""
    lines: list[str] = []
    batch = SampleBatch("x", lines.append)
    for number, figures in enumerate(samples):
        for name, value in figures.items():
            batch.gauge(name, value)
        batch.end((number + 1) * NS_PER_S)
    found = read_telemetry("".join(lines).split("\n")[:-1], 0)
    assert found.invalid_lines == 0
    read = {
        (name, at_s): value
        for name, series in found.time_series.items()
        for at_s, value in zip(series.at_s, series.values, strict=True)
    }
    assert read == {
        (name, float(number + 1)): value
        for number, figures in enumerate(samples)
        for name, value in figures.items()
    }


def test_changes_are_written_once() -> None:
    """Names, limits and reasons go to the file when they are new."""
    lines: list[str] = []
    batch = SampleBatch("x", lines.append)
    for second in (1, 2):
        batch.total("a.total", second)
        batch.limit("a.total", 5, "cgroup")
        batch.limit("a.other", None, "")
        batch.unread("b", "no rights")
        batch.unread("c", None)
        batch.end(second * NS_PER_S)
    text = "".join(lines)
    assert [text.count(kind) for kind in ('"columns"', '"limit"', '"unread"', '"look"')] == [
        2,
        1,
        1,
        2,
    ]
    found = read_telemetry(text, 0)
    assert found.time_series["a.total"].limit == 5
    assert found.unread == {"b": "no rights"}


def test_no_number_is_no_value(monkeypatch: Any) -> None:
    """NaN is left out; so are figures beyond the bound."""
    monkeypatch.setattr(batch_module, "COLUMNS_MAX", 2)
    lines: list[str] = []
    batch = SampleBatch("x", lines.append)
    for name, value in (("a", float("nan")), ("b", 1.0), ("c", 2.0)):
        batch.gauge(name, value)
    batch.end(1)
    found = read_telemetry("".join(lines), 0)
    assert (found.invalid_lines, list(found.time_series)) == (0, ["b"])


def test_silence_writes_nothing() -> None:
    """A source without figures writes no line."""
    lines: list[str] = []
    SampleBatch("x", lines.append).end(1)
    assert lines == []


def test_a_figure_that_is_not_finite_costs_no_other() -> None:
    """JSON knows neither NaN nor infinity: such a value is left out, its row stays readable."""
    lines: list[str] = []
    batch = SampleBatch("x", lines.append)
    for second in (1, 2):
        batch.gauge("level", float(second))
        batch.mean("mean", float("inf"), second)
        batch.share("share", second, float("nan"))
        batch.end(second * NS_PER_S)
    found = read_telemetry("".join(lines), 0)
    assert found.invalid_lines == 0
    assert {name: series.values for name, series in found.time_series.items()} == {
        "level": (1.0, 2.0)
    }
