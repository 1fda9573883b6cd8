"""What is put on a sheet comes back from the file."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S
from harness.telemetry import sample_batch as sheet_module
from harness.telemetry.sample_batch import SampleBatch

NAMES = st.text(min_size=1, max_size=12)
LOOKS = st.lists(st.dictionaries(NAMES, st.floats(-1e12, 1e12), max_size=6), max_size=8)


@given(LOOKS)
def test_levels_come_back(looks: list[dict[str, float]]) -> None:
    """Whatever figures come and go, each is found under its name at its time."""
    lines: list[str] = []
    sheet = SampleBatch("x", lines.append)
    for number, figures in enumerate(looks):
        for name, value in figures.items():
            sheet.gauge(name, value)
        sheet.end((number + 1) * NS_PER_S)
    found = read_telemetry("".join(lines).split("\n")[:-1], 0)
    assert found.invalid_lines == 0
    told = {
        (name, at_s): value
        for name, track in found.time_series.items()
        for at_s, value in zip(track.at_s, track.values, strict=True)
    }
    assert told == {
        (name, float(number + 1)): value
        for number, figures in enumerate(looks)
        for name, value in figures.items()
    }


def test_news_are_told_once() -> None:
    """Names, limits and reasons go to the file when they are new."""
    lines: list[str] = []
    sheet = SampleBatch("x", lines.append)
    for second in (1, 2):
        sheet.total("a.total", second)
        sheet.limit("a.total", 5, "cgroup")
        sheet.limit("a.other", None, "")
        sheet.unread("b", "no rights")
        sheet.unread("c", None)
        sheet.end(second * NS_PER_S)
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
    monkeypatch.setattr(sheet_module, "COLUMNS_MAX", 2)
    lines: list[str] = []
    sheet = SampleBatch("x", lines.append)
    for name, value in (("a", float("nan")), ("b", 1.0), ("c", 2.0)):
        sheet.gauge(name, value)
    sheet.end(1)
    found = read_telemetry("".join(lines), 0)
    assert (found.invalid_lines, list(found.time_series)) == (0, ["b"])


def test_silence_writes_nothing() -> None:
    """A source that tells nothing leaves no line."""
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
