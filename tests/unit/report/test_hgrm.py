"""Percentile distributions in the form of HdrHistogram's plotters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.histogram import Histogram
from harness.analysis.histogram_encoding import encode
from harness.evidence.run_folder import RunFolder
from harness.report.data import read_report_data
from harness.report.hgrm import hgrm_text, write_hgrm

# The plotter splits at white space, skips lines that begin with #, and reads value and percentile.
LINE = re.compile(r"^ *(\d+\.\d{3}) (\d\.\d{12}) +(\d+)(?: +(\d+\.\d{2}))?$")


def rows_of(text: str) -> list[tuple[float, float, int]]:
    """Value (ms), share and running count of each line between head and footer."""
    head, empty, *rest = text.splitlines()
    assert head.split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert empty == ""
    lines = [line for line in rest if not line.startswith("#")]
    found = [LINE.match(line) for line in lines]
    assert all(found)
    return [(float(m[1]), float(m[2]), int(m[3])) for m in found if m]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=200))
def test_rows_rise_to_the_whole(values: list[int]) -> None:
    """Values, shares and counts never fall; the last row is the maximum, and all of it."""
    histogram = Histogram.of(values)
    rows = rows_of(hgrm_text(encode(histogram)))
    for column in range(3):
        own = [row[column] for row in rows]
        assert own == sorted(own)
    assert rows[-1][1:] == (1.0, len(values))
    assert rows[-1][0] * 1e6 == pytest.approx(histogram.max_ns, rel=0.0015, abs=1_100)
    for value, _, count in rows:
        # A bucket is at most 1/1024 of its values wide, or 512 ns.
        sure = sum(one < value * 1e6 * 0.998 - 1_100 for one in values)
        maybe = sum(one <= value * 1e6 * 1.002 + 1_100 for one in values)
        assert sure <= count <= maybe


def test_footer_is_in_the_unit_of_the_values() -> None:
    """Mean and deviation in ms, like the values above them."""
    text = hgrm_text(encode(Histogram.of([10_000_000] * 50 + [30_000_000] * 50)))
    mean, deviation, most, total = (
        float(match[1]) for match in re.finditer(r"(?:Mean|Deviation|Max|count) *= *([\d.]+)", text)
    )
    assert mean == pytest.approx(20.0, rel=0.001)
    assert deviation == pytest.approx(10.0, rel=0.001)
    assert most == pytest.approx(30.0, rel=0.001)
    assert total == 100


def test_a_file_for_each_metric(judged: RunFolder, tmp_path: Path) -> None:
    """Named after phase, mode and metric, like the logs; only of what has signals."""
    data = read_report_data(judged)
    written = write_hgrm(data.measurement, tmp_path / "hgrm")
    assert "measure-lite-latency.hgrm" in {path.name for path in written}
    assert all(rows_of(path.read_text(encoding="utf-8")) for path in written)
