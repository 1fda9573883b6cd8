"""Values that the tests of containers share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.stack.compose_file import ContainerSpec, HealthCheckSpec, Mount, RestartSpec
from harness.stack.docker.labels import Kind, Owner, RunIdentity
from harness.stack.docker.options import Placement

GIB = 1024**3
OWNER = Owner("host", "boot", "pid:[1]", 7, 99)
MARK = RunIdentity("cafe0001", Kind.RUN, OWNER)
PLACE = Placement(
    mark=MARK,
    networks={"inside": "harness-cafe0001-inside", "outside": "harness-cafe0001-outside"},
    volumes={"data": "harness-cafe0001-data"},
    folder=Path("/somewhere/compose"),
    publish={"engine": {9100: 17_001}},
)


def spec(**changes: Any) -> ContainerSpec:
    """A service with every option that a Compose file of ours can give."""
    values: dict[str, Any] = {
        "name": "engine",
        "image": "team/engine:1",
        "command": ("run", "--fast"),
        "entrypoint": ("tini",),
        "environment": (("PASSWORD", "hush"), ("MODE", "full")),
        "cpu_period_us": 100_000,
        "cpu_quota_us": 400_000,
        "cpu_shares": 1024,
        "memory_bytes": 8 * GIB,
        "memory_swap_bytes": 8 * GIB,
        "shm_bytes": GIB,
        "restart": RestartSpec("on-failure", 3),
        "core_unlimited": True,
        "mounts": (Mount("data", "/data", False), Mount("./code", "/code", True)),
        "tmpfs": (("/scratch", "size=3g,mode=1777"),),
        "networks": ("inside", "outside"),
        "ports": ("127.0.0.1:8443:443",),
        "needs": (),
        "health": HealthCheckSpec(("CMD", "ask"), 10_000_000_000, 3_000_000_000, 6),
        "profiles": (),
        "init": True,
    }
    return ContainerSpec(**{**values, **changes})


def inspected(**changes: Any) -> dict[str, Any]:
    """What an engine answers about a container of `spec()`, as far as it is read."""
    document: dict[str, Any] = {
        "Config": {
            "Image": "team/engine:1",
            "Cmd": ["run", "--fast"],
            "Entrypoint": ["tini"],
            "Env": ["PATH=/bin", "PASSWORD=hush", "MODE=full"],
            "Healthcheck": {
                "Test": ["CMD", "ask"],
                "Interval": 10_000_000_000,
                "Timeout": 3_000_000_000,
                "Retries": 6,
            },
        },
        "HostConfig": {
            "CpuPeriod": 100_000,
            "CpuQuota": 400_000,
            "CpuShares": 1024,
            "Memory": 8 * GIB,
            "MemorySwap": 8 * GIB,
            "ShmSize": GIB,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
            "Ulimits": [{"Name": "core", "Soft": -1, "Hard": -1}],
            "Init": True,
            "Tmpfs": {"/scratch": "size=3g,mode=1777"},
            "PortBindings": {
                "443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8443"}],
                "9100/tcp": [{"HostIp": "127.0.0.1", "HostPort": "17001"}],
            },
        },
        "Mounts": [
            {
                "Type": "volume",
                "Name": "harness-cafe0001-data",
                "Source": "/var/lib/docker/volumes/x",
                "Destination": "/data",
                "RW": True,
            },
            {
                "Type": "bind",
                "Source": "/somewhere/compose/code",
                "Destination": "/code",
                "RW": False,
            },
        ],
        "NetworkSettings": {
            "Networks": {
                "harness-cafe0001-inside": {"Aliases": ["engine", "0123456789ab"]},
                "harness-cafe0001-outside": {"Aliases": ["engine", "0123456789ab"]},
            }
        },
    }
    return {**document, **changes}
