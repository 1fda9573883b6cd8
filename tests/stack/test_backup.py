"""A backup policy under load: kept and restored as it should be, and a restore that loses a row."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.errors import Exit
from harness.faults.backup.check import BACKUPS_RESTORED
from tests.stack.running import Started, finish, start

pytestmark = [pytest.mark.stack, pytest.mark.pair]

SCENARIO = """
name = "policy"
about = "a short load with backups"
objectives = ["rejected < 5 %"]
engine = { workers = 1 }
[load]
warmup_s = 1
drain_s = 10
[[load.stages]]
agents = 5
rate_from = 30
duration_s = 5
[[fault]]
kind = "backup"
at_s = 1
days = 4
keep = 2
day_s = 0.8
"""
MODULES = {"whole": "harness", "broken": "tests.stack.broken_restore", "ended": "harness"}
End = tuple[int, str, Path]


def await_dump(run: Started) -> None:
    """Wait until a backup is running."""
    deadline = time.monotonic() + 60
    while run.find("/pg_dump") is None:
        assert time.monotonic() < deadline, "no backup within 60 s"
        time.sleep(0.03)  # a backup takes three times as long, and a poll costs


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, End]:
    """Runs side by side, one of them ended in the middle of a backup."""
    runs = {}
    for name, module in MODULES.items():
        folder = tmp_path_factory.mktemp(name)
        file = folder / "policy.toml"
        file.write_text(SCENARIO, encoding="utf-8")
        runs[name] = start(folder / "reports", scenario=file, module=module)
    await_dump(runs["ended"])
    families = {n: psutil.Process(r.process.pid).children(recursive=True) for n, r in runs.items()}
    runs["ended"].process.send_signal(signal.SIGINT)
    return {name: (*finish(run, families[name]), run.folder()) for name, run in runs.items()}


def check_of(folder: Path) -> dict[str, Any]:
    """The check of backups, as it was stored."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = next(
        c for c in result["judgement"]["checks"] if c["id"] == BACKUPS_RESTORED.id
    )
    return found


@pytest.mark.timeout(180)
def test_what_is_restored_is_what_there_was(ends: dict[str, End]) -> None:
    """Of the newest and of the oldest that was kept, and the right ones were kept."""
    _, output, folder = ends["whole"]
    found = check_of(folder)
    assert found["status"] == "PASS", (found, output)
    assert found["figures"]["taken"] >= 4
    assert found["figures"]["kept"] == 2


def test_a_restore_that_loses_a_row_fails(ends: dict[str, End]) -> None:
    """However many rows there are beside it."""
    code, output, folder = ends["broken"]
    assert code == Exit.FAIL, output
    assert check_of(folder)["status"] == "FAIL"
    assert "table public.nonce_locks had" in check_of(folder)["message"]


def test_nothing_is_left_of_a_backup_under_way(ends: dict[str, End]) -> None:
    """No process (`finish` has made sure of it), no restore, and a record of the backups."""
    code, output, folder = ends["ended"]
    assert code in {Exit.INVALID, Exit.FAIL}, output
    assert "is over: no session of pg_dump" in output
    assert '"restored"' not in (folder / "backup.jsonl").read_text(encoding="utf-8")
