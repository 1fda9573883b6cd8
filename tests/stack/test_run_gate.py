"""A gate in real runs: played beside the load, its node gone afterwards, whatever ends the run."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.cli.judge import judge_folder
from harness.errors import UsageError
from harness.evidence.gate_log import read_gate
from harness.judge.gate import GATE_EXECUTION, GATE_INVARIANTS
from harness.stack.process.anvil import find_anvil
from harness.stack.settings import ROOT
from tests.stack.running import Started, finish, start

pytestmark = [pytest.mark.stack, pytest.mark.pair]

ROUNDS = 30
SCENARIO = """
name = "gated"
about = "a short load with a gate"
objectives = ["rejected < 5 %"]
engine = {{ workers = 1 }}
[load]
warmup_s = 2
drain_s = 20
[[load.stages]]
agents = 10
rate_from = 40
duration_s = {duration_s}
[gate]
rounds = {rounds}
at_s = 1
rate = 10.0
timeout_s = {timeout_s}
"""


@pytest.fixture(scope="module", autouse=True)
def _anvil() -> None:
    try:
        find_anvil(ROOT)
    except UsageError as error:
        pytest.skip(str(error))


def begin(folder: Path, *, rounds: int, duration_s: int) -> Started:
    """A run of a scenario of its own."""
    file = folder / "gated.toml"
    text = SCENARIO.format(rounds=rounds, duration_s=duration_s, timeout_s=duration_s - 2)
    file.write_text(text, encoding="utf-8")
    return start(folder / "reports", scenario=file)


def await_rounds(run: Started) -> list[psutil.Process]:
    """Wait until rounds are played; every process of the run, the node among them."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in run.reports.glob("*/gate.jsonl"):
            if path.read_text(encoding="utf-8").count('"round"') > 2:
                family = psutil.Process(run.process.pid).children(recursive=True)
                assert any("anvil" in child.name() for child in family)
                return family
        assert run.process.poll() is None, run.process.communicate()
        time.sleep(0.1)
    raise AssertionError("no round within 60 s")


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, Path]]:
    """A gate that is played to its end, and one whose harness is killed in the middle."""
    runs = {
        "played": begin(tmp_path_factory.mktemp("played"), rounds=ROUNDS, duration_s=20),
        "killed": begin(tmp_path_factory.mktemp("killed"), rounds=300, duration_s=60),
    }
    families = {name: await_rounds(run) for name, run in runs.items()}
    runs["killed"].process.send_signal(signal.SIGKILL)
    return {name: (*finish(run, families[name]), run.folder()) for name, run in runs.items()}


@pytest.mark.timeout(200)
def test_a_gate_is_played_and_released(ends: dict[str, tuple[int, str, Path]]) -> None:
    """Every round held on the real node, and each is judged again from its line."""
    code, output, folder = ends["played"]
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    checks: dict[str, Any] = {check["id"]: check for check in result["judgement"]["checks"]}
    for name in (GATE_INVARIANTS.id, GATE_EXECUTION.id):
        assert checks[name]["status"] == "PASS", output
    gate = result["measurement"]["gate"]
    assert (gate["rounds"], gate["broken"]) == (ROUNDS, 0)
    assert {one["during"] for one in gate["latency"]} == {True, False}
    record = read_gate((folder / "gate.jsonl").read_text(encoding="utf-8").splitlines())
    assert record.opened is not None
    pid = int(record.opened.node.removeprefix("process "))
    assert not psutil.pid_exists(pid)
    assert judge_folder(folder) == code


def test_a_killed_harness_leaves_no_node(ends: dict[str, tuple[int, str, Path]]) -> None:
    """Nor the process of the rounds, nor the desk (`finish` has made sure of it)."""
    code, _, folder = ends["killed"]
    assert code == -signal.SIGKILL
    assert '"released"' not in (folder / "gate.jsonl").read_text(encoding="utf-8")
