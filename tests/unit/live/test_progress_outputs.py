"""Outputs of a run: its terminal and its page, of one run or of several."""

from __future__ import annotations

import http.client
import json
import re
import socket
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.assessment.assess import Assessment, assess_and_store
from harness.cli import run_command
from harness.cli.overrides import as_overrides
from harness.cli.progress_outputs import MetricsChoice, ProgressOutputs, exporting
from harness.cli.stack_choice import StackChoice, StackKind
from harness.clock import ManualClock
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.run.live.exporter import Exporter
from harness.run.live.terminal_progress import ProgressView
from harness.run.parts import Progress
from harness.scenario import Scenario
from tests.unit.analysis.evidence import healthy
from tests.unit.live.snapshots import full_snapshot

ROOT = Path(__file__).resolve().parents[3]
CHOICE = StackChoice(StackKind.PROCESS, "offline", [], 0, {})
OVERRIDES = as_overrides(agents=None, rate=None, duration=None, seed=41, settings=[])


def test_terminal_and_page_get_the_same_snapshot_with_the_usage(tmp_path: Path) -> None:
    """The run's telemetry is added once, for both."""
    folder = RunFolder.create(tmp_path, "smoke", 0)
    lines = (
        {
            "kind": "columns",
            "of": "proc",
            "first": 0,
            "columns": [["service.engine.cpu_cores", "level"]],
        },
        {"kind": "look", "of": "proc", "mono_ns": 1, "values": [0.25]},
    )
    folder.telemetry.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    file, exporter = StringIO(), Exporter(ManualClock())
    with ProgressView(Console(file=file, width=200)) as view:
        ProgressOutputs(view, exporter, folder).show(
            Progress(phase="start", elapsed_ns=0, total_ns=1)
        )
    assert file.getvalue().rstrip().endswith("engine 0.25 cores")
    parts = exporter.app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
    assert b'harness_service_cpu_cores{service="engine"} 0.25' in b"".join(parts)


def test_one_page_serves_all_runs_of_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From before the first run until after the last."""
    pages: list[str] = []

    def without_a_stack(
        own: Scenario, reports: Path, *rest: object
    ) -> tuple[Assessment, RunFolder]:
        exporter = rest[-1]
        assert isinstance(exporter, Exporter)
        exporter.show(full_snapshot())
        found = re.search(r"http://([\d.:]+)/metrics", capsys.readouterr().out + urls.pop())
        assert found
        urls.append(found[0])
        connection = http.client.HTTPConnection(found[1], timeout=5)
        connection.request("GET", "/metrics")
        pages.append(connection.getresponse().read().decode())
        connection.close()
        folder = healthy(None, "p99 < 500 ms", seed=own.seed).write(reports)
        return assess_and_store(folder), folder

    urls = [""]
    monkeypatch.setattr(run_command, "run_once", without_a_stack)
    run_command.run_scenario(
        ROOT / "scenarios" / "smoke.toml",
        OVERRIDES,
        reports=tmp_path,
        choice=CHOICE,
        root=ROOT,
        times=2,
        metrics=MetricsChoice(0),
    )
    assert [page.count("harness_signals_sent_total 412.0") for page in pages] == [1, 1]


def test_port_in_use_ends_the_command_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder is created."""
    monkeypatch.setattr(run_command, "run_once", lambda *_: pytest.fail("a run was begun"))
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen(1)
        with pytest.raises(UsageError, match="already in use"):
            run_command.run_scenario(
                ROOT / "scenarios" / "smoke.toml",
                OVERRIDES,
                reports=tmp_path,
                choice=CHOICE,
                root=ROOT,
                metrics=MetricsChoice(occupied.getsockname()[1]),
            )
    assert list(tmp_path.iterdir()) == []


def test_no_page_unless_it_is_requested() -> None:
    """An address alone is wrong usage."""
    console = Console(file=StringIO())
    with exporting(MetricsChoice(), console) as exporter:
        assert exporter is None
    with (
        pytest.raises(UsageError, match="no page"),
        exporting(MetricsChoice(None, "127.0.0.1"), console),
    ):
        pass
