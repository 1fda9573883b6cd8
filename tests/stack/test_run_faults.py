"""Faults in real runs: proven and survived, unproven and INVALID, healed whatever ends the run."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.cli.judge import judge_folder
from harness.errors import Exit
from tests.stack.running import Started, finish, start

pytestmark = [pytest.mark.stack, pytest.mark.alone]

HEAD = """
name = "faulty"
about = "a short load with faults"
objectives = ["recovery < 15 s", "rejected < 5 %"]
engine = {{ workers = 1 }}
[load]
warmup_s = 2
drain_s = 25
[[load.stages]]
agents = 10
rate_from = 50
duration_s = {duration_s}
"""
PROVEN = """
[[fault]]
kind = "kill"
target = "engine"
at_s = 5
[[fault]]
kind = "checkpoint"
at_s = 6
[[fault]]
kind = "pause"
target = "redis"
at_s = 8
for_s = 1
[[fault]]
kind = "aof_rewrite"
at_s = 10
"""
PAUSE = """
[[fault]]
kind = "pause"
target = "{target}"
at_s = 1
for_s = {for_s}
"""
# Both lie behind the chain at once; one in ten of the signals that are stale by then is accepted.
BEHIND = """
[chain]
block_time_s = 0.5
watermark_max_lag = 2
nodes = 2
[[fault]]
kind = "feed_stall"
at_s = 1
for_s = 5
[[fault]]
kind = "rpc_stale"
at_s = 1
for_s = 5
"""
ACCEPTS_STALE = "accepts_stale:rate=0.1"
NAME = "faults_proven"
INTERRUPTS = {
    "interrupt": (signal.SIGINT, "engine"),
    "kill": (signal.SIGKILL, "postgres"),
}
VICTIMS = {"postgres": "/bin/postgres", "engine": "zone_b.engine"}
End = tuple[int, str, Path]


def begin(
    folder: Path,
    text: str,
    duration_s: int,
    module: str = "harness",
    options: Sequence[str] = (),
) -> Started:
    """A run of a scenario of its own."""
    file = folder / "faulty.toml"
    file.write_text(HEAD.format(duration_s=duration_s) + text, encoding="utf-8")
    return start(folder / "reports", scenario=file, module=module, options=options)


def await_frozen(run: Started, target: str) -> None:
    """Wait until the fault is in force."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        victim = run.find(VICTIMS[target])
        if victim is not None and victim.status() == psutil.STATUS_STOPPED:
            return
        time.sleep(0.05)
    raise AssertionError("not frozen within 60 s")


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, End]:
    """Runs side by side, some of them ended while a service is frozen."""
    runs = {"proven": begin(tmp_path_factory.mktemp("proven"), PROVEN, 13)}
    # Their start takes every core, and this one must have had a calm before its first fault.
    runs["proven"].await_load()
    broken = PAUSE.format(target="redis", for_s=1)
    place = tmp_path_factory.mktemp("broken")
    runs["broken"] = begin(place, broken, 5, "tests.stack.broken_pause")
    place = tmp_path_factory.mktemp("behind")
    runs["behind"] = begin(place, BEHIND, 8, options=("--defect", ACCEPTS_STALE))
    for name, (_, target) in INTERRUPTS.items():
        text = PAUSE.format(target=target, for_s=30)
        runs[name] = begin(tmp_path_factory.mktemp(name), text, 40)
    families = {}
    for name, run in runs.items():
        run.await_load()
        families[name] = psutil.Process(run.process.pid).children(recursive=True)
        if name in INTERRUPTS:
            number, target = INTERRUPTS[name]
            await_frozen(run, target)
            run.process.send_signal(number)
    return {name: (*finish(run, families[name]), run.folder()) for name, run in runs.items()}


def result_of(folder: Path) -> dict[str, Any]:
    """What was stored of a run."""
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def check_of(folder: Path, name: str = NAME) -> dict[str, Any]:
    """A check, that of faults if none is named, as it was stored."""
    checks = result_of(folder)["judgement"]["checks"]
    found: dict[str, Any] = next(check for check in checks if check["id"] == name)
    return found


@pytest.mark.timeout(300)
def test_faults_are_proven_and_survived(ends: dict[str, End]) -> None:
    """Nothing is lost, nothing happens twice, and each fault has its recovery."""
    code, output, folder = ends["proven"]
    assert check_of(folder)["status"] == "PASS", output
    result = result_of(folder)
    kinds = {"integrity", "objective"}
    assert [
        c
        for c in result["judgement"]["checks"]
        if c["kind"] in kinds and c["status"] not in ("PASS", "NOT_APPLICABLE")
    ] == []
    measurement = result["measurement"]
    assert measurement["account"]["lost"] == measurement["duplicated"] == 0
    assert {one["kind"] for one in measurement["recoveries"]} >= {"kill", "pause"}
    assert any(one["metric"] == "latency" for one in measurement["outside_faults"])
    assert judge_folder(folder) == code


def test_a_fault_that_does_nothing_is_invalid(ends: dict[str, End]) -> None:
    """The injector believes that it froze Redis; the probe saw nothing of it."""
    code, output, folder = ends["broken"]
    assert code == Exit.INVALID, output
    found = check_of(folder)
    assert found["status"] == "INVALID"
    assert "never seen to take hold" in found["message"]


def test_who_lies_behind_the_chain_is_noticed(ends: dict[str, End]) -> None:
    """The node is left; stale signals are refused, but for those that the defect lets through."""
    _, output, folder = ends["behind"]
    assert check_of(folder)["status"] == "PASS", output
    assert check_of(folder, "stale_node_avoided")["status"] == "PASS"
    found = check_of(folder, "stale_refused_in_time")
    assert found["status"] == "FAIL"
    struck = (folder / "defects.jsonl").read_text(encoding="utf-8")
    assert found["examples"]
    assert all(trace in struck for trace in found["examples"])
    account = result_of(folder)["measurement"]["account"]
    assert account["behind_rejected"] == account["rejected_by"]["STALE_DATA_ERROR"]
    assert account["behind_rejected"] > 2 * len(found["examples"])
    (stood,) = result_of(folder)["measurement"]["standstills"]
    assert stood["first_refused_s"] < stood["stale_s"] + 1


@pytest.mark.parametrize("name", INTERRUPTS)
def test_nothing_is_left_of_a_fault_under_way(ends: dict[str, End], name: str) -> None:
    """No process of the run, frozen or not (`finish` has made sure of it)."""
    code, output, _ = ends[name]
    if INTERRUPTS[name][0] == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code in {Exit.INVALID, Exit.FAIL}, output
        assert "is over: none of its processes is in state T" in output
