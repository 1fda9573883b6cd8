"""Disks, arrays and encryption, from files as the kernel shows them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.doctor.storage import disks_below, is_encrypted, nearest

UUID = "CRYPT-LUKS2-0123456789abcdef-luks"


class Kernel:
    """A small `/sys` and `/proc`, in which the test's own folder lies on a chosen device."""

    def __init__(self, root: Path) -> None:
        self.sys = root / "sys"
        self.proc = root / "proc"
        self.folder = root
        self._numbers = self.sys / "dev" / "block"
        self._numbers.mkdir(parents=True)
        (self.proc / "self").mkdir(parents=True)

    def disk(self, name: str) -> Path:
        """A whole disk."""
        path = self.sys / "devices" / "block" / name
        (path / "slaves").mkdir(parents=True)
        return path

    def partition(self, disk: Path, name: str) -> Path:
        """A partition of a disk."""
        path = disk / name
        path.mkdir()
        (path / "partition").write_text("1\n", encoding="ascii")
        return path

    def mapping(self, name: str, *below: Path, uuid: str = "") -> Path:
        """A device made of others."""
        path = self.disk(name)
        for one in below:
            (path / "slaves" / one.name).symlink_to(one)
        if uuid:
            (path / "dm").mkdir()
            (path / "dm" / "uuid").write_text(f"{uuid}\n", encoding="ascii")
        return path

    def mount(self, device: Path) -> None:
        """Let the folder lie on a device."""
        number = self.folder.stat().st_dev
        (self._numbers / f"{os.major(number)}:{os.minor(number)}").symlink_to(device)

    def disks(self) -> tuple[str, ...] | None:
        """Disks below the folder."""
        return disks_below(self.folder, sys=self.sys, proc=self.proc)

    def encrypted(self) -> bool | None:
        """Whether the folder is encrypted."""
        return is_encrypted(self.folder, sys=self.sys, proc=self.proc)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """An empty machine."""
    made = Kernel(tmp_path)
    (made.proc / "self" / "mountinfo").write_text("", encoding="ascii")
    return made


def test_a_plain_partition(kernel: Kernel) -> None:
    """The disk is found, and it is not encrypted."""
    kernel.mount(kernel.partition(kernel.disk("nvme0n1"), "nvme0n1p2"))
    assert kernel.disks() == ("nvme0n1",)
    assert kernel.encrypted() is False


def test_a_volume_on_an_encrypted_partition(kernel: Kernel) -> None:
    """LVM on LUKS on a partition."""
    part = kernel.partition(kernel.disk("sda"), "sda3")
    crypt = kernel.mapping("dm-0", part, uuid=UUID)
    kernel.mount(kernel.mapping("dm-1", crypt, uuid="LVM-abc"))
    assert kernel.disks() == ("sda",)
    assert kernel.encrypted() is True


def test_a_half_encrypted_array(kernel: Kernel) -> None:
    """One plain half gives everything away."""
    half = kernel.mapping("dm-0", kernel.disk("nvme0n1"), uuid=UUID)
    kernel.mount(kernel.mapping("md0", half, kernel.disk("sdb")))
    assert kernel.disks() == ("nvme0n1", "sdb")
    assert kernel.encrypted() is False


def test_an_array_of_encrypted_halves(kernel: Kernel) -> None:
    """Every way down is sealed, also below a partition of the array."""
    halves = [
        kernel.mapping(f"dm-{n}", kernel.disk(f"nvme{n}n1"), uuid=f"{UUID}{n}") for n in (0, 1)
    ]
    array = kernel.mapping("md0", *halves)
    kernel.mount(kernel.partition(array, "md0p1"))
    assert kernel.encrypted() is True


def test_a_file_system_without_a_device(kernel: Kernel) -> None:
    """Overlay, ZFS and network file systems do not report it: not seen is not "no"."""
    number = kernel.folder.stat().st_dev
    line = f"1 0 {os.major(number)}:{os.minor(number)} / / rw - overlay overlay rw\n"
    (kernel.proc / "self" / "mountinfo").write_text(line, encoding="ascii")
    assert kernel.disks() is None
    assert kernel.encrypted() is None


def test_a_loop_in_the_tree_ends(kernel: Kernel) -> None:
    """A tree that the kernel never shows does not hang the doctor."""
    one = kernel.mapping("dm-0")
    two = kernel.mapping("dm-1", one)
    (one / "slaves" / two.name).symlink_to(two)
    kernel.mount(one)
    assert kernel.encrypted() is False


def test_nearest_folder(tmp_path: Path) -> None:
    """A folder that is not there yet will lie on its parent's disk."""
    assert nearest(tmp_path / "a" / "b") == tmp_path
