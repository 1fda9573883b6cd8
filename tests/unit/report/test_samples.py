"""Samples and telemetry as CSV."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.analysis.run_analysis import analyze_run
from harness.analysis.signal_batches import read_signals
from harness.contract.names import State
from harness.errors import EvidenceError
from harness.evidence.run_folder import RunFolder
from harness.report.data import read_report_data
from harness.report.samples import SAMPLE_COLUMNS, write_csv
from tests.unit.analysis.evidence import healthy, load_of, without


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a file, by column."""
    with gzip.open(path, "rt", encoding="ascii") as file:
        return list(csv.DictReader(file))


def test_every_signal_once_with_its_times(judged: RunFolder, tmp_path: Path) -> None:
    """The rows add up to the outcomes and to the percentiles that were judged."""
    data = read_report_data(judged)
    (path,) = write_csv(data, tmp_path / "deep" / "csv")
    rows = rows_of(path)
    assert tuple(rows[0]) == SAMPLE_COLUMNS
    assert len({row["trace_id"] for row in rows}) == len(rows) == data.measurement.account.attempted
    own = [row for row in rows if (row["phase"], row["mode"]) == ("measure", "lite")]
    figures = data.measurement.of("latency", "measure", "lite")
    assert figures is not None
    latencies = [int(row["seen_ns"]) - int(row["intended_ns"]) for row in own]
    assert (len(latencies), sum(latencies), max(latencies)) == (
        figures.count,
        figures.sum_ns,
        figures.max_ns,
    )
    assert {(row["phase"], row["stage"], row["agents"]) for row in rows} == {
        ("warmup", "0", "5"),
        ("measure", "1", "5"),
    }
    committed = data.measurement.of("committed", "measure", "lite")
    assert committed is not None
    assert committed.sum_ns == sum(int(r["committed_ns"]) - int(r["intended_ns"]) for r in own)


def test_classes_are_those_of_the_account(tmp_path: Path) -> None:
    """Lost and rejected signals have their rows, and no unknown time."""
    world = healthy(load_of(duration_s=3.0))
    attempts = world.attempts[0]
    world.reject(attempts[3:5], State.INVARIANT_BROKEN)
    assert world.tasks is not None
    world.sightings = without(world.sightings, world.of(world.sightings, 10))
    world.tasks = without(world.tasks, world.of(world.tasks, 10))
    folder = world.write(tmp_path)
    data = read_report_data(folder)
    (path,) = write_csv(data, tmp_path / "csv")
    rows = rows_of(path)
    found = analyze_run(folder, data.plan, data.run)
    assert Counter(row["class"] for row in rows) == {
        outcome.name.lower(): count for outcome, count in found.signals.outcomes().outcomes.items()
    }
    lost = next(row for row in rows if row["class"] == "lost")
    assert lost["trace_id"] == world.trace(10)
    assert (lost["seen_ns"], lost["committed_ns"], lost["state"]) == ("", "", "")
    assert {row["state"] for row in rows if row["class"] == "rejected"} == {"INVARIANT_BROKEN"}


def test_portions_are_small(judged: RunFolder) -> None:
    """No portion holds the run: it is written as it is read."""
    data = read_report_data(judged)
    sizes = [len(own.samples) for own in read_signals(judged, data.plan, data.run, chunk=64)]
    assert sum(sizes) == data.measurement.account.attempted
    assert max(sizes) < sum(sizes) / 4


def test_telemetry_is_a_row_for_each_figure(judged: RunFolder, tmp_path: Path) -> None:
    """Time, track with its unit, value, limit where there is one, and the stage of the load."""
    tracks = {
        "redis.memory_bytes": TimeSeries(
            "redis.memory_bytes", (1.0, 20.0), (5.0, 6.0), 9.0, "setting"
        ),
        "host.busy_cores": TimeSeries("host.busy_cores", (0.5,), (0.5,)),
    }
    data = replace(read_report_data(judged), telemetry=Telemetry(time_series=tracks, present=True))
    _, path = write_csv(data, tmp_path / "csv")
    assert path.read_text(encoding="utf-8").splitlines() == [
        "at_s,track,value,limit,stage,agents",
        "0.500,host.busy_cores,0.5,,0,5",
        "1.000,redis.memory_bytes,5.0,9.0,1,5",
        "20.000,redis.memory_bytes,6.0,9.0,,",
    ]


def test_folder_that_cannot_be_made_is_an_error(judged: RunFolder, tmp_path: Path) -> None:
    """A file in the way is an error with its name."""
    (tmp_path / "occupied").write_text("x", encoding="utf-8")
    with pytest.raises(EvidenceError, match="occupied"):
        write_csv(read_report_data(judged), tmp_path / "occupied")
