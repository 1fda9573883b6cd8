"""The lines of a gate: what is written is what is read, and what cannot be read is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.analysis.gate.fuzz_case import draw_case
from harness.cli.stack_choice import StackChoice, StackKind
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.evidence.gate_log import GateRound, RoundsBegun, format_gate_entry, read_gate
from harness.scenario import load_scenario
from harness.scenario.gate import Gate
from harness.stack.settings import ROOT, StackSettings
from tests.unit.gate.outcomes import held

SCENARIO = ROOT / "scenarios" / "gate-g4.toml"


def test_lines_come_back_as_they_were() -> None:
    """Amounts as texts, since other programs would round them."""
    draw = draw_case(Gate(), 1, 1)
    line = GateRound(number=1, began_ns=1, ended_ns=2, draw=draw, seen=held(draw))
    text = format_gate_entry(line)
    assert read_gate([text]).rounds == (line,)
    assert json.loads(text)["draw"]["amount_in"] == str(draw.amount_in)


def test_what_cannot_be_read_is_counted() -> None:
    """A line cut short by the end of its writer, or one that stands there twice."""
    begun = format_gate_entry(RoundsBegun(gas_estimate=1, limit_ns=1, mono_ns=1))
    record = read_gate([begun, begun, begun[:20], "{}"])
    assert record.unread == 3
    assert record.begun is not None


def test_the_scenario_of_the_gate() -> None:
    """Asks for a thousand rounds inside the stage that is named after them, and for a node."""
    scenario = load_scenario(SCENARIO)
    gate = scenario.gate
    assert gate is not None
    assert gate.rounds == 1_000
    begin_s = scenario.load.stages[0].duration_s
    assert begin_s <= gate.at_s
    assert gate.at_s + gate.timeout_s <= begin_s + scenario.load.stages[1].duration_s
    settings = StackSettings.of(scenario, Contract())
    assert (settings.gate, settings.anvil) == (True, False)


def test_a_gate_is_not_attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign system has another decision service."""
    monkeypatch.setenv("DESK_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("DESK_PG_DSN", "host=127.0.0.1")
    contract_file = ROOT / "examples" / "foreign" / "desk.toml"
    choice = StackChoice(StackKind.ATTACH, "offline", [], 0, {}, contract_file)
    with pytest.raises(UsageError, match="decision service"):
        choice.check(load_scenario(SCENARIO), Contract(), tmp_path)
