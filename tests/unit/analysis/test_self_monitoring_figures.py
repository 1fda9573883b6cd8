"""Running totals into shares."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.resources import self_monitoring as self_monitoring_module
from harness.analysis.resources.self_monitoring import SelfMonitoring
from harness.analysis.resources.self_monitoring_figures import self_monitoring_figures
from tests.unit.analysis.status_lines import S, observer_status, self_monitoring_line, swarm_status


def read_monitoring(files: dict[str, str]) -> SelfMonitoring:
    """From whole texts."""
    return self_monitoring_module.read_self_monitoring(
        {name: own.splitlines() for name, own in files.items()}
    )


def text(lines: list[dict[str, object]]) -> str:
    """As a file."""
    return "".join(json.dumps(line) + "\n" for line in lines)


@given(st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)), min_size=2, max_size=20))
def test_shares_are_those_of_the_totals(seconds: list[tuple[int, int]]) -> None:
    """However use and waits spread over the seconds, the shares are their means."""
    lines, used, waited = [], 0, 0
    for number, (use, wait) in enumerate([(0, 0), *seconds]):
        used, waited = used + use * S // 1_000, waited + wait * S // 1_000
        line = self_monitoring_line(number * S)
        line["processes"]["swarm-0"] |= {"cpu_ns": used, "wait_ns": waited, "total_ns": used}
        lines.append(line)
    figures = self_monitoring_figures(
        read_monitoring({"vitals.jsonl": text(lines)}), 0, len(seconds) * S
    )
    assert figures is not None
    swarm = figures.process("swarm-0")
    assert swarm is not None
    assert swarm.cpu_share == pytest.approx(sum(use for use, _ in seconds) / len(seconds) / 1_000)
    assert swarm.wait_share == pytest.approx(sum(w for _, w in seconds) / len(seconds) / 1_000)
    assert swarm.wait_share_max == pytest.approx(max(w for _, w in seconds) / 1_000)
    assert figures.host.busy_share + figures.host.iowait_share <= 1


def test_only_the_interval_counts() -> None:
    """Samples before and after it are left out, except the nearest ones."""
    lines = [self_monitoring_line(number * S) for number in range(20)]
    for line in lines:
        line["processes"]["swarm-0"]["wait_ns"] = max(0, line["mono_ns"] - 12 * S)
    monitoring = read_monitoring({"vitals.jsonl": text(lines)})
    idle, starved = (
        self_monitoring_figures(monitoring, 2 * S, 10 * S),
        self_monitoring_figures(monitoring, 12 * S, 18 * S),
    )
    assert idle is not None
    assert starved is not None
    assert idle.processes[-1].wait_share == 0
    assert starved.processes[-1].wait_share == 1
    assert (idle.samples, idle.gap_max_ns) == (9, S)
    assert self_monitoring_figures(monitoring, 30 * S, 40 * S) is None


def test_status_lines_cover_the_time_before_them() -> None:
    """A stall in the line after the edge counts; one in the line at the edge does not."""
    lines_of_process = [swarm_status(0, number * S) for number in range(10)]
    lines_of_process[3] |= {"wake_late_max_ns": 7, "stalled_ns": 7}
    monitoring = read_monitoring(
        {
            "vitals.jsonl": text([self_monitoring_line(number * S) for number in range(10)]),
            "swarm.jsonl": text(lines_of_process),
        }
    )
    inside, outside = (
        self_monitoring_figures(monitoring, 2 * S, 9 * S),
        self_monitoring_figures(monitoring, 3 * S, 9 * S),
    )
    assert inside is not None
    assert outside is not None
    assert inside.swarm[0].stalled_share == 7 / (7 * S)
    assert outside.swarm[0].stalled_share == 0


def test_silence_while_cut_off_is_not_the_observers() -> None:
    """An observer that reads after a restart of the server what it missed has its hands full."""
    lines_of_process = [
        observer_status(0),
        {**observer_status(9 * S), "gaps": 1},
        observer_status(10 * S),
    ]
    lines_of_process[2]["gaps"] = 1
    monitoring = read_monitoring(
        {
            "vitals.jsonl": text([self_monitoring_line(0), self_monitoring_line(10 * S)]),
            "observer.jsonl": text(lines_of_process),
        }
    )
    figures = self_monitoring_figures(monitoring, 0, 10 * S)
    assert figures is not None
    assert figures.observer.silent_max_ns == S


def test_kernels_that_report_little() -> None:
    """Without scheduler statistics and cores the rest still stands."""
    lines = [self_monitoring_line(number * S) for number in range(4)]
    for line in lines:
        line["cores"], line["pressure_us"], line["load_1min"] = [], {}, None
        for process in line["processes"].values():
            process["wait_ns"] = None
    figures = self_monitoring_figures(read_monitoring({"vitals.jsonl": text(lines)}), 0, 3 * S)
    assert figures is not None
    assert (figures.host.cores, figures.host.busy_share, figures.host.load_max) == (0, 0.0, None)
    assert {one.wait_share for one in figures.processes} == {None}


def test_unreadable_lines_are_counted() -> None:
    """By file; the others stand."""
    monitoring = read_monitoring(
        {
            "vitals.jsonl": text([self_monitoring_line(0)]) + "{\n[]\n",
            "swarm.jsonl": '{"process": 0}\n{"kind": "done", "error": "not a plan"}\n',
            "observer.jsonl": text([{"kind": "ready"}, observer_status(S)]),
        }
    )
    assert dict(monitoring.invalid_lines) == {"vitals.jsonl": 2, "swarm.jsonl": 1}
    assert (len(monitoring.samples), len(monitoring.swarm), len(monitoring.observer)) == (1, 1, 2)
