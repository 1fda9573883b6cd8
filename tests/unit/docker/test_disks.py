"""File systems of limited size: for whom, and where a container has one."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from harness.errors import StackError, UsageError
from harness.faults.docker.factory import own_disks
from harness.faults.kinds.disk_fill import DiskFill
from harness.faults.kinds.process_exit import Kill
from harness.faults.kinds.slow_disk import SlowDisk
from harness.stack.compose_file import Mount
from harness.stack.docker import disks, loop_devices
from harness.stack.docker.disks import Disks, data_volume, disk_targets, own_disk
from harness.stack.docker.settings import ENGINE
from tests.unit.docker.samples import spec

FILL = DiskFill(kind="disk_fill", target="engine", at_s=(1,), for_s=1)
SLOW = SlowDisk(kind="slow_disk", target="redis", at_s=(9,), for_s=1)
KILL = Kill(kind="kill", target="postgres", at_s=(5,))


def test_only_faults_of_disks_ask_for_one() -> None:
    """A run without them has the engine's ordinary volumes."""
    assert disk_targets([FILL, KILL, SLOW]) == {"engine", "redis"}
    assert own_disks([FILL, KILL, SLOW]) == {ENGINE, "redis"}
    assert own_disks([KILL]) == frozenset()


def test_data_lie_on_the_first_volume_that_is_written() -> None:
    """A folder of the host is none."""
    code, cores = Mount("./code", "/code", True), Mount("cores", "/crash", False)
    assert data_volume(spec(mounts=(code, Mount("data", "/data", False), cores))) == "data"
    with pytest.raises(UsageError, match="no volume"):
        data_volume(spec(mounts=(code, Mount("./data", "/data", False))))


def test_a_file_system_is_held_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made on the device, emptied, reported, and released once."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(disks, "_run", lambda *command: ran.append(command))
    monkeypatch.setattr(disks, "_program", lambda name: name)
    read, write = os.pipe()
    made = Disks(lambda size: (f"/dev/loop{size >> 30}", read))
    assert made.make("data") == {"type": "ext4", "device": "/dev/loop2"}
    assert [command[0] for command in ran] == ["mkfs.ext4", "debugfs"]
    assert all(command[-1] == "/dev/loop2" for command in ran)
    assert made.describe() == {"data": {"device": "/dev/loop2", "bytes": disks.DISK_BYTES}}
    assert made.reasons() == ["data lies on a file system of 2 GiB in a file"]
    made.close()
    made.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read)
    os.close(write)


def test_a_missing_program_is_reported_before_a_device_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With what brings it."""
    monkeypatch.setattr(disks, "_PLACES", "/nowhere")
    made = Disks(lambda _: pytest.fail("a device was used"))
    with pytest.raises(StackError, match="not installed"):
        made.make("data")


def mount(kind: str, name: str, target: str) -> dict[str, Any]:
    """A mount as the engine reports it."""
    return {"Type": kind, "Name": name, "Destination": target}


def test_a_container_s_own_disk_is_the_volume_on_a_loop_device() -> None:
    """One on the host's disk is none, and a container without one has nothing to be filled."""
    options = {"a": {}, "b": {"type": "ext4", "device": "/dev/loop3"}, "c": {"device": "/dev/sda"}}
    document = {"Mounts": [mount("bind", "", "/x"), *(mount("volume", n, f"/{n}") for n in "abc")]}
    assert own_disk(document, options.__getitem__) == "/b"
    with pytest.raises(StackError, match="no file system of its own"):
        own_disk({"Mounts": document["Mounts"][:2]}, options.__getitem__)


def test_the_kernel_s_structure_is_as_long_as_it_says() -> None:
    """`struct loop_config` has 304 bytes; AUTOCLEAR is what makes it vanish by itself."""
    config = loop_devices.packed(7, loop_devices.name_of(42))
    assert len(config) == 304
    assert struct.unpack_from("=I", config, 0) == (7,)
    flags_at = 8 + 5 * 8 + 3 * 4
    assert struct.unpack_from("=I", config, flags_at) == (4,)
    assert config[flags_at + 4 :].startswith(b"signal-harness/42\0")


def test_a_host_without_room_is_reported(tmp_path: Path) -> None:
    """Before a device is used; nothing stays in the folder."""
    with pytest.raises(StackError, match="no room"):
        loop_devices.attach_loop_device(1 << 60, tmp_path)
    assert list(tmp_path.iterdir()) == []
