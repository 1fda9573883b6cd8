"""A full disk and a slow one: never the host's, and what their probes accept as in force."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.clock import NS_PER_MS
from harness.errors import StackError
from harness.faults.docker.container_inspection import own_device
from harness.faults.kinds import disk_fill, slow_disk
from harness.faults.kinds.disk_fill import DiskFill, FillInjector, FillProbe
from harness.faults.kinds.fork_storm import ForkStorm
from harness.faults.kinds.slow_disk import SlowDisk, ThrottleInjector, ThrottleProbe, median_ns

FULL = os.strerror(errno.ENOSPC)


def test_the_host_s_own_disk_is_no_target(tmp_path: Path) -> None:
    """Whatever the engine reports of the volume, the kernel's answer counts."""
    with pytest.raises(StackError, match="file system of its own"):
        own_device(tmp_path)
    with pytest.raises(StackError, match="file system of its own"):
        FillInjector(lambda: tmp_path, 1.0).inject()
    with pytest.raises(StackError, match="file system of its own"):
        ThrottleInjector(lambda: tmp_path, lambda: 1, 10).inject()
    with pytest.raises(StackError, match="cannot be reached"):
        own_device(tmp_path / "gone")


class Disk:
    """A file system as the probe finds it."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.why, self.free, self.folder, self.answer = "", 1_000 << 20, folder, "it answers"
        patch.setattr(disk_fill, "own_device", lambda _: (7, 0))
        patch.setattr(disk_fill, "free_bytes", lambda _: self.free)
        patch.setattr(FillProbe, "_refused", lambda _: self.why)

    def probe(self) -> FillProbe:
        return FillProbe(lambda: self.folder, lambda: self.answer)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    """With 1,000 MiB free."""
    return Disk(monkeypatch, tmp_path)


def test_full_is_when_a_write_finds_no_room(disk: Disk) -> None:
    """And for no other reason."""
    probe = disk.probe()
    probe.before()
    assert probe.holds() == ""
    disk.why = os.strerror(errno.EROFS)
    assert probe.holds() == ""
    disk.why, disk.free = FULL, 0
    assert "0 MiB are free, 1,000 MiB before" in probe.holds()


def test_over_is_when_there_is_room_and_it_answers(disk: Disk) -> None:
    """All three: a write, most of the room, an answer."""
    probe = disk.probe()
    probe.before()
    disk.why, disk.free = FULL, 0
    assert probe.ended() == ""
    disk.why, disk.free = "", 100 << 20
    assert probe.ended() == ""
    disk.free, disk.answer = 900 << 20, ""
    assert probe.ended() == ""
    disk.answer = "it answers"
    assert probe.ended() == "900 MiB are free again; it answers"


def test_a_disk_that_is_full_before_proves_nothing(disk: Disk) -> None:
    """It would not be known what filled it."""
    disk.why = FULL
    with pytest.raises(StackError, match="before its fault"):
        disk.probe().before()


def test_a_probe_writes_for_real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And leaves nothing."""
    monkeypatch.setattr(disk_fill, "own_device", lambda _: (7, 0))
    probe = FillProbe(lambda: tmp_path, None)
    probe.before()
    assert probe.holds() == ""
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(os, "fdatasync", _no_room)
    assert FULL in probe._refused()


def _no_room(_: int) -> None:
    raise OSError(errno.ENOSPC, FULL)


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("blkio.throttle.write_iops_device", ["7:3 10\n", "7:3 0\n"]),
        ("io.max", ["7:3 wiops=10\n", "7:3 wiops=max\n"]),
    ],
)
def test_a_limit_is_the_container_s_own(
    name: str, limits: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In its control group of either version, for its own device, and removed."""
    monkeypatch.setattr(slow_disk, "own_device", lambda _: (7, 3))
    monkeypatch.setattr(slow_disk, "container_pid", lambda of: of())
    monkeypatch.setattr(slow_disk, "io_group", lambda _: tmp_path)
    file = tmp_path / name
    file.touch()
    injector = ThrottleInjector(lambda: tmp_path, lambda: 5, 10)
    injector.inject()
    found = [file.read_text(encoding="ascii")]
    injector.heal()
    found.append(file.read_text(encoding="ascii"))
    assert found == limits
    file.unlink()
    tmp_path.rmdir()
    injector.heal()  # a group that is gone took its limit along


def test_slow_is_when_a_write_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten a second: half of 100 ms at least, and at rest far less."""
    times: list[int | None] = [2, None, 40, 60, 60, None, 20]
    monkeypatch.setattr(slow_disk, "container_pid", lambda of: of())

    def timed(*_: object) -> int | None:
        found = times.pop(0)
        return None if found is None else found * NS_PER_MS

    monkeypatch.setattr(slow_disk, "time_writes", timed)
    probe = ThrottleProbe(Path, lambda: 5, lambda: "it answers", 10)
    probe.before()
    assert [bool(probe.holds()) for _ in range(3)] == [False, False, True]
    assert [bool(probe.ended()) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(("found", "text"), [(None, "cannot be written"), (50, "50 ms")])
def test_a_disk_that_is_slow_before_proves_nothing(
    found: int | None, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked for would not show."""
    monkeypatch.setattr(slow_disk, "container_pid", lambda of: of())
    ns = None if found is None else found * NS_PER_MS
    monkeypatch.setattr(slow_disk, "time_writes", lambda *_: ns)
    with pytest.raises(StackError, match=text):
        ThrottleProbe(Path, lambda: 5, None, 10).before()


def test_a_time_counts_when_every_write_reported_one() -> None:
    """The first may find an unused turn."""
    assert median_ns("1\n300\n200\n") == 200
    assert median_ns("1\n300\n") is None
    assert median_ns("Traceback") is None


def test_bounds_of_what_may_be_asked() -> None:
    """A storm cannot end the host, and a disk cannot stop."""
    with pytest.raises(ValueError, match="processes"):
        ForkStorm(kind="fork_storm", target="engine", at_s=(1,), for_s=1, processes=100_000)
    with pytest.raises(ValueError, match="writes_per_s"):
        SlowDisk(kind="slow_disk", target="redis", at_s=(1,), for_s=1, writes_per_s=1)
    with pytest.raises(ValueError, match="for_s"):
        DiskFill.model_validate({"kind": "disk_fill", "target": "redis", "at_s": (1,)})
