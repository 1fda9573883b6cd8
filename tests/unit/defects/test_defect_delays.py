"""What costs CPU, and what holds up an RPC node."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.zone_b.zone_b_values import order
from zone_b.defects.delays import compute
from zone_b.defects.install import defective
from zone_b.defects.node import slow_rpc
from zone_b.defects.parts import DefectiveDecisionService
from zone_b.full import FullSimulator
from zone_b.lite import LiteSimulator
from zone_b.settings import Settings, SettingsError
from zone_b.trade import Trade

URL = "redis://:secret@127.0.0.1:1/0"


def settings(tmp_path: Path, defects: str, **more: Any) -> Settings:
    """Settings with a defect and its log."""
    log = str(tmp_path / "defects.jsonl")
    return Settings(redis_url=URL, defects=defects, defect_log=log, **more)


def logged(tmp_path: Path) -> list[str]:
    """The defects that acted."""
    text = (tmp_path / "defects.jsonl").read_text(encoding="utf-8")
    return [json.loads(line)["defect"] for line in text.splitlines()]


def test_computing_uses_cpu() -> None:
    """As much as was asked for, by the thread's own clock."""
    before_s = time.thread_time()
    compute(0.01)
    assert time.thread_time() - before_s >= 0.01


def test_a_cold_cache_misses_each_time(tmp_path: Path) -> None:
    """Two orders of one block are two misses, both computed for, and decided as ever."""
    lite = LiteSimulator()
    kit = defective(settings(tmp_path, "cold_cache:rate=1,cost_ms=5"))
    decision_service = kit.decision_service(lite, FullSimulator(""), 2, lambda *_: False)
    assert isinstance(decision_service, DefectiveDecisionService)
    decision_service._defects[0].context.origin.begin()  # as the first signal does
    before_s = time.thread_time()
    assert all(isinstance(decision_service.decide(order(), 1), Trade) for _ in range(2))
    assert time.thread_time() - before_s >= 0.01
    assert (lite.misses, lite.hits) == (2, 0)
    assert logged(tmp_path) == ["cold_cache"] * 2


def test_a_slow_node_waits_with_each_answer(tmp_path: Path) -> None:
    """And notes that once."""
    waits: list[float] = []
    hold_up = slow_rpc(settings(tmp_path, "slow_rpc:rate=1,delay_ms=80"), waits.append)
    for _ in range(3):
        hold_up()
    assert waits == [0.08] * 3
    assert logged(tmp_path) == ["slow_rpc"]


def test_a_slow_node_keeps_its_rate_and_its_times(tmp_path: Path) -> None:
    """A share of the answers, and none before its time."""
    waits: list[float] = []
    now_ns = 0
    wishes = settings(tmp_path, "slow_rpc:rate=0.5,after_s=10,delay_ms=80")
    hold_up = slow_rpc(wishes, waits.append, lambda: now_ns)
    for _ in range(50):
        hold_up()
    assert waits == []
    now_ns = 11 * 10**9
    for _ in range(50):
        hold_up()
    assert 10 < len(waits) < 40


@pytest.mark.parametrize(
    ("defects", "log", "problem"),
    [
        ("slow_all:rate=1", "x", "slow_rpc only"),
        ("slow_rpc:rate=1; slow_all:rate=1", "x", "slow_rpc only"),
        ("slow_rpc:rate=1", "", "DEFI_DEFECT_LOG is missing"),
        ("slow_rpc:rate=1", "x", "slow_rpc has no delay_ms"),
    ],
)
def test_a_node_knows_its_own_defect_only(defects: str, log: str, problem: str) -> None:
    """Another service's wish is a mistake."""
    with pytest.raises(SettingsError, match=problem):
        slow_rpc(Settings(redis_url=URL, defects=defects, defect_log=log))


def test_an_engine_refuses_a_nodes_defect(tmp_path: Path) -> None:
    """It would do nothing there."""
    with pytest.raises(SettingsError, match="slow_rpc is no defect of the engine"):
        defective(settings(tmp_path, "slow_rpc:rate=1"))
