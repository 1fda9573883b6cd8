"""Rounds on a real Anvil, without a load: a true pool holds, one that leaks is named."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.gate.pool_code import PoolCode
from harness.clock import SystemClock
from harness.errors import UsageError
from harness.evidence.gate_log import GateLog, read_gate
from harness.gate import worker
from harness.gate.plan import GatePlan
from harness.process.reaper_client import ReaperClient
from harness.scenario.gate import KINDS, Gate, Weights
from harness.stack.process.anvil import find_anvil
from harness.stack.process.gate_node import GateNode
from harness.stack.settings import ROOT

pytestmark = pytest.mark.stack

# ONE_PPM - FEE_PPM, as the compiler has it; a little more for ONE_PPM gives more than the curve.
TRUE, LEAKING = "610bb8620f4240", "610bb8620f5240"


@pytest.fixture(name="url", scope="module")
def _url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        binary = find_anvil(ROOT)
    except UsageError as error:
        pytest.skip(f"no Anvil: {error.hint}")
    folder = tmp_path_factory.mktemp("gate")
    reaper = ReaperClient()
    reaper.start()
    node = GateNode(binary, folder, folder / "anvil.log", reaper, SystemClock())
    try:
        yield node.open().url
        assert node.gone() == ""
    finally:
        node.close()
        reaper.stop()
    assert "is gone" in node.gone()


def play(url: str, folder: Path, gate: Gate) -> GateLog:
    """Rounds as their process plays them."""
    path, log = folder / "gate.jsonl", folder / "desk.log"
    plan = GatePlan(gate=gate, seed=11, url=url, path=path, log=log, root=ROOT)
    file = io.StringIO()
    worker.work(plan, file, threading.Event(), SystemClock())
    record = read_gate(file.getvalue().splitlines())
    assert [one.trouble for one in record.rounds if one.trouble] == []
    assert len(record.rounds) == gate.rounds
    return record


def test_a_true_pool_holds(url: str, tmp_path: Path) -> None:
    """In every kind of round."""
    record = play(url, tmp_path, Gate(rounds=40, rate=1_000.0))
    assert {one.number: one.broken for one in record.rounds if one.broken} == {}
    assert {kind for one in record.rounds for kind in one.draw.kinds} == set(KINDS)


def test_a_pool_that_leaks_is_named(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own events tell what it gives away, and the desk believes it."""
    true = PoolCode.read(ROOT)
    leaking = replace(true, code=true.code.replace(TRUE, LEAKING))
    assert leaking != true
    monkeypatch.setattr(PoolCode, "read", lambda _: leaking)
    record = play(url, tmp_path, Gate(rounds=6, rate=1_000.0, weights=Weights(rpc_timeout=0)))
    for one in record.rounds:
        assert one.seen is not None
        assert "outcome" in one.broken
        if one.seen.succeeded:
            assert "product" in one.broken
