"""Whose the processes of a host are, from a process table of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.resources.telemetry import TimeSeries
from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S
from harness.process.run_registry import RUN_NAME
from harness.telemetry.host_processes import HostProcesses
from harness.telemetry.sample_batch import SampleBatch

MAIN, ENGINE, OTHER = 100, 200, 300
SERVICES = {"engine": ENGINE}


class Host:
    """A process table, and samples of it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lines: list[str] = [json.dumps({"kind": "start", "mono_ns": 0, "every_ns": NS_PER_S})]
        self._batch = SampleBatch("kernel", self._lines.append)
        self._programs = HostProcesses(MAIN, root)
        self._samples = 0
        self.put(1, "init", 0)
        self.put(MAIN, "harness", 1)
        self.put(ENGINE, "engine", MAIN)

    def put(self, pid: int, name: str, parent: int, ticks: int = 0, **more: Any) -> None:
        """A process as it is now; `waited` are the ticks of its ended children."""
        folder = self._root / str(pid)
        folder.mkdir(exist_ok=True)
        fields = [more.get("state", "S"), str(parent), *["0"] * 9]
        fields += [str(ticks), "0", str(more.get("waited", 0)), "0", "20", "0", "1", *["0"] * 20]
        text = f"{pid} ({name}) {' '.join(fields)}\n"
        (folder / "stat").write_text(text.ljust(200), encoding="ascii")

    def end(self, pid: int) -> None:
        """A process is gone."""
        (self._root / str(pid) / "stat").unlink()
        (self._root / str(pid)).rmdir()

    def sample(self, services: dict[str, int] | None = None) -> None:
        """One second later."""
        self._samples += 1
        now_ns = self._samples * NS_PER_S
        self._programs.sample(self._batch, SERVICES if services is None else services, now_ns)
        self._batch.end(now_ns)

    def series(self, name: str) -> TimeSeries | None:
        """A time series that was written."""
        return read_telemetry("\n".join(self._lines).splitlines(), 0).time_series.get(name)

    def last(self, name: str) -> float:
        """The newest value."""
        series = self.series(name)
        assert series is not None, name
        return series.values[-1]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """With an engine that the harness started."""
    return Host(tmp_path)


def test_each_process_is_on_the_side_of_who_started_it(host: Host) -> None:
    """Services are the system, all else below the main process the harness, the rest foreign."""
    host.put(101, "swarm", MAIN)
    host.put(201, "worker", ENGINE)
    host.put(OTHER, "cc1", 1, ticks=5_000)
    host.put(2, "kthreadd", 0)
    host.put(3, "kworker", 2)
    host.sample()
    host.put(101, "swarm", MAIN, ticks=10)
    host.put(201, "worker", ENGINE, ticks=30)
    host.put(OTHER, "cc1", 1, ticks=5_080)
    host.put(3, "kworker", 2, ticks=40)
    host.sample()
    host.put(OTHER, "cc1", 1, ticks=5_160)
    host.sample()
    found = [host.series(f"host.{side}_cores") for side in ("system", "harness", "foreign")]
    assert [series.values if series else None for series in found] == [
        pytest.approx((0.3, 0.0)),
        pytest.approx((0.1, 0.0)),
        pytest.approx((0.8, 0.8)),
    ]
    assert host.last("foreign.cc1.cpu_cores") == pytest.approx(0.8)
    assert host.series("foreign.kworker.cpu_cores") is None


def test_a_child_that_ended_is_counted_once(host: Host) -> None:
    """A make whose compilers end within an interval, and one that is seen before its end."""
    host.put(OTHER, "make", 1)
    host.sample()
    host.put(OTHER, "make", 1, waited=50)
    host.put(301, "cc1", OTHER, ticks=20)
    host.sample()
    host.end(301)
    host.put(OTHER, "make", 1, waited=50 + 25)
    host.sample()
    series = host.series("host.foreign_cores")
    assert series is not None
    assert series.values == pytest.approx((0.7, 0.05))


def test_what_was_ours_stays_ours(host: Host) -> None:
    """A daemon of the system whose parent has ended; and a service that is started anew."""
    host.put(201, "daemon", ENGINE)
    host.sample()
    host.put(201, "daemon", 1, ticks=40)
    host.sample()
    assert host.last("host.system_cores") == pytest.approx(0.4)
    host.put(102, "probe", MAIN)
    host.sample()
    host.put(102, "probe", 1)
    host.put(ENGINE, "engine", 1)
    host.put(202, "engine", MAIN)
    host.sample({"engine": 202})
    host.put(102, "probe", 1, ticks=20)
    host.put(ENGINE, "engine", 1, ticks=30)
    host.sample({"engine": 202})
    assert host.last("host.harness_cores") == pytest.approx(0.2)
    assert host.last("host.foreign_cores") == 0
    assert host.last("host.system_cores") == pytest.approx(0.3)


def test_containers_of_the_system_are_not_foreign(host: Host) -> None:
    """Its shim, whoever is below it (docker exec), and Docker itself; another's shim is foreign."""
    host.put(400, "containerd-shim", 1)
    host.put(401, "redis", 400)
    host.put(402, "redis-cli", 400)
    host.put(500, "containerd-shim", 1)
    host.put(501, "miner", 500)
    host.put(600, "dockerd", 1)
    services = {**SERVICES, "redis": 401}
    host.sample(services)
    host.put(402, "redis-cli", 400, ticks=10)
    host.put(501, "miner", 500, ticks=90)
    host.put(600, "dockerd", 1, ticks=20)
    host.sample(services)
    found = [host.last(f"host.{side}_cores") for side in ("system", "harness", "foreign")]
    assert found == pytest.approx([0.1, 0.2, 0.9])


def test_tasks_that_wait_for_storage(host: Host) -> None:
    """By side; of others by their names."""
    host.put(OTHER, "fsync er", 1, state="D")
    host.put(ENGINE, "engine", MAIN, state="D")
    host.sample()
    host.sample()
    assert host.last("host.foreign_blocked_count") == host.last("host.system_blocked_count") == 1
    assert host.last("foreign.fsync_er.blocked_count") == 1


def test_without_services_the_sides_are_unknown(host: Host) -> None:
    """Of an attached system no process is known."""
    host.sample({})
    host.sample({})
    assert host.series("host.foreign_cores") is None


def test_other_runs_of_a_harness_are_counted(host: Host) -> None:
    """Also one that was seen before its run began; this run itself is none."""
    host.put(MAIN, RUN_NAME, 1)
    host.put(OTHER, "python3", 1)
    host.sample()
    assert host.last("host.other_runs_count") == 0
    host.put(OTHER, RUN_NAME, 1)
    host.put(OTHER + 1, RUN_NAME, 1)
    host.sample()
    assert host.last("host.other_runs_count") == 2


def test_a_child_of_another_run_between_fork_and_exec_is_no_run(host: Host) -> None:
    """It has the name of its parent."""
    host.put(OTHER, RUN_NAME, 1)
    host.put(OTHER + 1, RUN_NAME, OTHER)
    host.sample()
    assert host.last("host.other_runs_count") == 1
