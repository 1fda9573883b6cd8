"""The sampler writes lines that the measurement reads, and reports when it cannot."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest

from harness.analysis.resources.self_monitoring import read_self_monitoring
from harness.clock import ManualClock, SystemClock
from harness.process.run_registry import OtherRuns
from harness.telemetry.self_monitoring import SelfMonitor, sample


def test_lines_are_read_back(tmp_path: Path) -> None:
    """One line after the end at the latest, with the processes that live."""
    path = tmp_path / "vitals.jsonl"
    sampler = SelfMonitor(path, {"main": os.getpid(), "gone": 0}, SystemClock())
    sampler.start()
    sampler.stop()
    sampler.stop()
    found = read_self_monitoring({path.name: path.read_text(encoding="utf-8").splitlines()})
    assert sampler.failure() is None
    assert not found.invalid_lines
    assert found.samples
    assert set(found.samples[-1].processes) == {"main"}


def test_full_disk_is_reported(tmp_path: Path) -> None:
    """A line that cannot be written ends the sampling with a reason."""
    sampler = SelfMonitor(tmp_path / "missing" / "vitals.jsonl", {}, SystemClock())
    sampler.start()
    sampler.stop()
    assert sampler.failure() == "vitals.jsonl cannot be written: No such file or directory"


def test_lateness_is_that_of_the_sample() -> None:
    """A sample 300 ms after its due time is late by that; an early one is not late."""
    clock = ManualClock(now_ns=1_300_000_000, wall_ns=5)
    late, early = sample({}, clock, 1_000_000_000), sample({}, clock, 2_000_000_000)
    assert (late["late_ns"], early["late_ns"]) == (300_000_000, 0)
    assert (late["mono_ns"], late["wall_ns"], late["read_ns"]) == (1_300_000_000, 5, 0)
    json.dumps(late)


def test_other_runs_are_counted_as_often_as_their_cost_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count of 10 ms is made every two seconds, and for the last line."""
    runs, cpu_ns = (
        map(OtherRuns, itertools.repeat((7, 8)), itertools.count(1)),
        itertools.count(0, 10_000_000),
    )
    monkeypatch.setattr("harness.telemetry.self_monitoring.time.thread_time_ns", cpu_ns.__next__)
    clock = ManualClock(now_ns=0, wall_ns=5)
    path = tmp_path / "vitals.jsonl"
    sampler = SelfMonitor(path, {}, clock, runs.__next__)
    for second in range(4):
        sampler._write(0, is_last=second == 3)
        clock.advance(1_000_000_000)
    found = read_self_monitoring({path.name: path.read_text(encoding="utf-8").splitlines()})
    assert [one.other_runs for one in found.samples] == [3, None, 4, 5]
    assert [one.unseen_runs for one in found.samples] == [1, 0, 2, 3]
