"""Growing files of JSON lines, and the usage of services in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.run.live.json_lines_tail import JsonLinesTail
from harness.run.live.service_usage import UsageTail, cpu_share
from harness.run.live.summary import ServiceUsage

S = 1_000_000_000


def test_each_whole_line_comes_once(tmp_path: Path) -> None:
    """A missing file, a line that is being written, and one that is no JSON."""
    path = tmp_path / "lines.jsonl"
    lines = JsonLinesTail(path)
    assert lines.read_new() == []
    path.write_text('{"n": 1}\nnonsense\n[3]\n{"n": 2', encoding="utf-8")
    assert lines.read_new() == [{"n": 1}]
    assert lines.read_new() == []
    with path.open("a", encoding="utf-8") as file:
        file.write("}\n")
    assert lines.read_new() == [{"n": 2}]


def test_newest_second_of_each_service(tmp_path: Path) -> None:
    """Rates come from the last two samples, limits from the newest line."""
    path = tmp_path / "telemetry.jsonl"
    tail = UsageTail(path)
    assert tail.read() == ()
    write(
        path,
        {"kind": "start", "mono_ns": 0, "every_ns": S},
        {
            "kind": "columns",
            "of": "proc",
            "first": 0,
            "columns": [
                ["service.redis.cpu_cores", "time"],
                ["service.engine.cpu_cores", "time"],
                ["service.engine.memory_bytes", "level"],
                ["service.engine.cpu_busiest_cores", "time"],
            ],
        },
        limit("service.engine.cpu_cores", 4.0),
        sample(1, [0, 0, 100, 0]),
    )
    assert tail.read() == (ServiceUsage("engine", None, None, 100.0, None),)
    write(path, sample(2, [S // 4, S, 200, S]), sample(3, [S // 2, 4 * S, 300, S]))
    assert tail.read() == (
        ServiceUsage("engine", 3.0, 4.0, 300.0, None),
        ServiceUsage("redis", 0.25, None, None, None),
    )
    write(path, limit("service.engine.cpu_cores", None), sample(4, [S, 4 * S, 300, S]))
    first, second = tail.read()
    assert first == ServiceUsage("redis", 0.5, None, None, None), "nearest its quota comes first"
    assert second.cpu_limit_cores is None
    assert tail.read() == (first, second), "nothing new changes nothing"
    assert sum(len(samples) for samples in tail._samples.values()) == 2


def test_share_of_the_quota() -> None:
    """Without a quota a core is the measure."""
    assert cpu_share(ServiceUsage("engine", 1.0, 4.0)) == pytest.approx(0.25)
    assert cpu_share(ServiceUsage("engine", 0.5)) == pytest.approx(0.5)
    assert cpu_share(ServiceUsage("engine")) == 0


def write(path: Path, *lines: dict[str, Any]) -> None:
    """Append lines."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def sample(at_s: int, values: list[int]) -> dict[str, Any]:
    """A sample of running totals."""
    return {"kind": "look", "of": "proc", "mono_ns": at_s * S, "values": values}


def limit(track: str, value: float | None) -> dict[str, Any]:
    """A limit that was read."""
    return {"kind": "limit", "track": track, "value": value, "source": "cgroup"}
