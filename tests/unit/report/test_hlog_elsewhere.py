"""Our histogram logs, read by implementations that are not ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from harness.analysis.histogram import DIGITS, HIGHEST_NS, LOWEST_NS
from harness.analysis.histogram_encoding import decode
from harness.evidence.run_folder import RunFolder
from harness.report.data import ReportData, read_report_data
from harness.report.hgrm import hgrm_text

ROOT = Path(__file__).resolve().parents[3]
RANKS = (1.0, 50.0, 90.0, 99.0, 99.9, 100.0)
NAME = "measure-lite-latency.hlog"


@pytest.fixture
def data(judged: RunFolder) -> ReportData:
    """A run of some seconds, judged."""
    return read_report_data(judged)


def expected(data: ReportData) -> list[dict[str, Any]]:
    """Each interval as we read it; values are the upper ends of buckets."""
    log = next(log for log in data.latency if (log.phase, log.mode) == ("measure", "lite"))
    return [
        {
            "count": part.histogram.count,
            "values": [part.histogram.percentile_ns(rank) for rank in RANKS],
            "tag": "measure-lite-latency",
            "start": round(part.start_s * 1_000),
            "end": round((part.start_s + part.length_s) * 1_000),
        }
        for part in log.intervals()
    ]


def whole(data: ReportData) -> dict[str, Any]:
    """All of them together, from the result."""
    figures = data.measurement.of("latency", "measure", "lite")
    assert figures is not None
    histogram = decode(figures.histogram)
    return {
        "count": figures.count,
        "values": [histogram.percentile_ns(rank) for rank in RANKS],
    }


def in_javascript(script: str, *arguments: str) -> str:
    """What a script prints that uses npm's hdr-histogram-js."""
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "hdr-histogram-js").is_dir():
        pytest.skip("needs node and hdr-histogram-js (npm install)")
    command = [node, str(Path(__file__).with_name(script)), str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_javascript_reads_the_same_percentiles(data: ReportData) -> None:
    """Npm's hdr-histogram-js: every interval and the whole, in ns."""
    path = data.folder.histograms / NAME
    text = in_javascript("read_hlog.mjs", str(path), *map(str, RANKS))
    *intervals, last = [json.loads(line) for line in text.splitlines()]
    assert len(intervals) > 5
    assert intervals == expected(data)
    assert last == whole(data)


def test_javascript_writes_the_same_distribution(data: ReportData) -> None:
    """Its own .hgrm of the same histogram has our lines; the footer's maximum may round."""
    figures = data.measurement.of("latency", "measure", "lite")
    assert figures is not None
    theirs, ours = (
        [line.split() for line in text.splitlines() if line.strip() and "#[Max" not in line]
        for text in (
            in_javascript("write_hgrm.mjs", figures.histogram),
            hgrm_text(figures.histogram),
        )
    )
    assert len(ours) > 20
    assert ours == theirs


def test_python_package_reads_the_same_intervals(data: ReportData) -> None:
    """Hdrhistogram's own reader: times, tags, and every bucket."""
    reference = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    reader = HistogramLogReader(str(data.folder.histograms / NAME), reference)
    found = []
    try:
        while (part := reader.get_next_interval_histogram()) is not None:
            found.append(part)
    finally:
        reader.input_file.close()
    assert reader.get_start_time_sec() == 0.0
    wanted = expected(data)
    assert [part.get_total_count() for part in found] == [one["count"] for one in wanted]
    assert [part.get_start_time_stamp() for part in found] == [one["start"] for one in wanted]
    assert [part.get_end_time_stamp() for part in found] == [one["end"] for one in wanted]
    assert {part.get_tag() for part in found} == {"measure-lite-latency"}
    for part, one in zip(found, wanted, strict=True):
        assert part.get_max_value() == one["values"][-1]


@pytest.mark.parametrize("metric", ["lateness", "service", "committed"])
def test_every_log_is_legal(data: ReportData, metric: str) -> None:
    """The logs of the other metrics are read as one interval of the whole run."""
    path = data.folder.histograms / f"measure-lite-{metric}.hlog"
    reader = HistogramLogReader(str(path), HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS))
    part = reader.get_next_interval_histogram()
    reader.input_file.close()
    figures = data.measurement.of(metric, "measure", "lite")
    assert figures is not None
    assert part.get_total_count() == figures.count
