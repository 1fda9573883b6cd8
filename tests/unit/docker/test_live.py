"""Reading a process's limits and mounts as the kernel writes them."""

from __future__ import annotations

from harness.stack.docker.live_container import LiveMount, parse_core_limit, parse_mounts

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max file size             unlimited            unlimited            bytes
Max core file size        0                    unlimited            bytes
"""
MOUNTS = r"""
22 27 0:21 / /proc rw,nosuid - proc proc rw
41 22 8:1 /volumes/a/_data /data rw,relatime - ext4 /dev/vda rw,errors=remount-ro
42 22 8:1 /code /co\040de ro,relatime - ext4 /dev/vda rw,errors=remount-ro
43 22 0:50 / /anvil rw,nosuid - tmpfs tmpfs rw,size=3145728k
44 22 0:51 / /run rw - tmpfs shm rw
""".strip()


def test_soft_limit_of_core_files() -> None:
    """The soft limit is the one in force."""
    assert parse_core_limit(LIMITS) == "0"
    assert parse_core_limit("") == ""


def test_mounts_as_the_process_sees_them() -> None:
    """Read-only is the mount's own flag; a tmpfs has its size."""
    mounts = parse_mounts(MOUNTS)
    assert mounts["/data"] == LiveMount("/data", "ext4", read_only=False, size_bytes=0)
    assert mounts["/co de"].read_only
    assert mounts["/anvil"].size_bytes == 3 * 1024**3
    assert mounts["/run"].size_bytes == 0
