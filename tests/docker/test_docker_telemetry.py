"""Telemetry of containers: the limits in force are those that the specification gives."""

from __future__ import annotations

import pytest

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S, SystemClock
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.services import Services
from harness.telemetry.sources.pages import PageSampler
from tests.docker.conftest import Running

pytestmark = pytest.mark.docker

GIB = 1024**3
QUOTAS = {
    "redis": (2.0, 4 * GIB),
    "postgres": (2.0, 4 * GIB),
    "go-execution-engine": (4.0, 8 * GIB),
    "mev-router": (1.0, GIB // 2),
    "data-processor": (1.0, GIB),
    "chain-adapter": (1.0, GIB),
    "archiver": (0.5, GIB),
}


def test_limits_are_those_in_force(running: Running) -> None:
    """Of each container: quota and memory limit from its group, use far below them."""
    lines: list[str] = []
    services, sheet, clock = Services(), SampleBatch("kernel", lines.append), SystemClock()
    services.follow({state.name: state.pid for state in running.stack.services()})
    pages, pages_sheet = (
        PageSampler(running.endpoints.metrics_urls, clock),
        SampleBatch("p", lines.append),
    )
    for second in (1, 2):
        services.sample(sheet, second * NS_PER_S)
        sheet.end(second * NS_PER_S)
        pages.sample(pages_sheet)
        pages_sheet.end(second * NS_PER_S)
    services.close()
    pages.close()
    found = read_telemetry("".join(lines), 0)
    assert found.invalid_lines == 0
    for name, (cores, memory_bytes) in QUOTAS.items():
        cpu, memory = (
            found.time_series[f"service.{name}.{of}"] for of in ("cpu_cores", "memory_bytes")
        )
        assert (cpu.limit, cpu.limit_source) == (cores, "cgroup"), name
        assert (memory.limit, memory.limit_source) == (memory_bytes, "cgroup"), name
        assert 0 < memory.values[-1] < memory_bytes
        assert found.time_series[f"service.{name}.throttled_share"].values
        assert found.time_series[f"service.{name}.cpu_busiest_cores"].values
    assert services.memory_limit_bytes("redis") == 4 * GIB
    assert not [subject for subject in found.unread if subject.startswith("page.")]
    assert "page.go-execution-engine.defi_recovered.per_s" in found.time_series
