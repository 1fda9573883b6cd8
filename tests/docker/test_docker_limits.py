"""A scenario's own quotas and PostgreSQL settings are in force in real containers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.scenario.system_settings import ServiceQuota
from harness.stack.docker.client import Client
from harness.stack.docker.settings import ENGINE, POSTGRES
from harness.stack.docker.stack import DockerStack
from harness.stack.settings import StackSettings
from tests.docker.interrupted import settings

pytestmark = pytest.mark.docker

CHANGED = StackSettings(
    quotas={
        ENGINE: ServiceQuota(cpus=0.75),
        POSTGRES: ServiceQuota(memory="2g"),
    },
    postgres={"work_mem": "8MB", "shared_buffers": "512MB"},
)


def test_changed_limits_are_in_force(client: Client, images: None, tmp_path: Path) -> None:
    """The verifier compares with the changed values; what was not changed is as specified."""
    stack = DockerStack(replace(settings(), stack=CHANGED), tmp_path, SystemClock())
    try:
        stack.start()
        rows = stack.verify("end")
        assert [str(row) for row in rows if not row.ok] == []
        live = {(row.container, row.setting): row.live for row in rows}
        assert live[ENGINE, "CPU"].startswith("0.75 ")
        assert live[ENGINE, "memory"] == "8 GiB"
        assert live[POSTGRES, "memory"] == "2 GiB"
        assert live[POSTGRES, "CPU"].startswith("2.00 ")
        assert live[POSTGRES, "SHOW work_mem"] == "8MB"
        assert live[POSTGRES, "SHOW shared_buffers"] == "512MB"
        assert live[POSTGRES, "SHOW effective_cache_size"] == "3GB"
        limits = client.api.inspect_container(f"harness-{stack.token}-{ENGINE}")["HostConfig"]
        assert (limits["CpuQuota"], limits["CpuPeriod"]) == (75_000, 100_000)
    finally:
        stack.stop()
