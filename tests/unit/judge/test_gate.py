"""A gate in the judgement: broken rounds fail a run; what was not played proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.analysis.gate.fuzz_case import draw_case
from harness.assessment.assess import Assessment
from harness.evidence.gate_log import (
    DecisionRecord,
    GateLogEntry,
    GateRound,
    NodeOpened,
    NodeReleased,
    RoundsBegun,
)
from harness.judge.check import Check
from harness.judge.gate import GATE_EXECUTION, GATE_INVARIANTS
from harness.judge.verdict import Status, Verdict
from harness.report.data import read_report_data
from harness.report.html.page import html_report
from harness.report.junit import junit_xml
from harness.report.markdown import markdown
from harness.scenario import Scenario
from harness.scenario.gate import Gate
from tests.unit.analysis.evidence import MS, T0_NS, Delays, S, World, healthy
from tests.unit.gate.outcomes import ESTIMATE, LIMIT_NS, held
from tests.unit.judge.assessing import assessed, unclean
from tests.unit.test_terminal import shown

ROUNDS = 40
GATE: dict[str, Any] = {"rounds": ROUNDS, "at_s": 2, "rate": 10.0, "timeout_s": 10}
# One second of warm-up comes before.
START_NS = T0_NS + 3 * S
NODE = "process 7"


def play(number: int, **changes: Any) -> GateRound:
    """A round of the seed that held."""
    draw = draw_case(Gate.model_validate(GATE), 1, number)
    began_ns = START_NS + 500 * MS + number * 100 * MS
    known = {
        "number": number,
        "began_ns": began_ns,
        "ended_ns": began_ns + 50 * MS,
        "draw": draw,
        "seen": held(draw),
    }
    return GateRound.model_validate({**known, **changes})


def gated(**changes: Any) -> World:
    """A run with a gate at which all was well."""
    world = healthy(None, "p99 < 5 s", **changes)
    document = {**world.scenario.model_dump(mode="json"), "gate": GATE}
    world.scenario = Scenario.model_validate(document)
    opened = NodeOpened(node=NODE, seen="up", asked_ns=START_NS + 1, mono_ns=START_NS + 200 * MS)
    begun = RoundsBegun(gas_estimate=ESTIMATE, limit_ns=LIMIT_NS, mono_ns=START_NS + 400 * MS)
    closed_ns = START_NS + 5 * S
    released = NodeReleased(
        node=NODE, closed_ns=closed_ns, mono_ns=closed_ns + 30 * MS, seen="process 7 is gone"
    )
    world.gate = [opened, begun, *map(play, range(ROUNDS)), released]
    return world


def check_of(found: Assessment, name: str) -> Check:
    """The check of that name."""
    return next(check for check in found.judgement.checks if check.id == name)


def replaced(world: World, kind: type[GateLogEntry], **changes: Any) -> None:
    """Change the first line of a kind."""
    assert world.gate is not None
    place = next(n for n, line in enumerate(world.gate) if isinstance(line, kind))
    world.gate[place] = world.gate[place].model_copy(update=changes)


def test_a_gate_that_held(tmp_path: Path) -> None:
    """Both checks are clean, and the figures tell of every kind."""
    found = assessed(gated(), tmp_path)
    assert unclean(found) == {}
    assert check_of(found, GATE_INVARIANTS.id).message == "none of 40 fuzzed rounds broke one"
    assert "40 rounds while the load was on" in check_of(found, GATE_EXECUTION.id).message
    gate = found.measurement.gate
    assert gate is not None
    assert (gate.rounds, gate.held, gate.broken, gate.unplayed) == (ROUNDS, ROUNDS, 0, 0)
    assert sum(one.rounds for one in gate.kinds) >= ROUNDS
    assert gate.simulated > 0
    assert gate.opened_s == pytest.approx(3.2)
    assert gate.released_s == pytest.approx(8.03)


def _late(one: DecisionRecord) -> DecisionRecord:
    late = {"status": "SIMULATION_TIMEOUT", "detail": "timeout", "took_ns": LIMIT_NS}
    return one.model_copy(update=late)


@pytest.mark.parametrize(("rounds", "verdict"), [(ROUNDS, Verdict.INVALID), (2, Verdict.PASS)])
def test_a_service_that_is_always_late_breaks_no_rule(
    rounds: int, verdict: Verdict, tmp_path: Path
) -> None:
    """It breaks no invariant, since it lets nothing through and refuses nothing for a reason."""
    world = gated()
    assert world.gate is not None
    for number in range(rounds):
        seen = held(play(number).draw)
        late = seen.model_copy(update={"asked": tuple(map(_late, seen.asked))})
        world.gate[2 + number] = play(number, seen=late)
    found = assessed(world, tmp_path)
    assert check_of(found, GATE_INVARIANTS.id).status is Status.PASS
    assert check_of(found, GATE_EXECUTION.id).status.verdict is verdict


def test_without_a_gate_nothing_is_said(tmp_path: Path) -> None:
    """Neither a check nor figures."""
    found = assessed(healthy(), tmp_path)
    assert found.measurement.gate is None
    assert not {GATE_INVARIANTS.id, GATE_EXECUTION.id} & {
        check.id for check in found.judgement.checks
    }


def test_a_broken_round_fails_and_is_named(tmp_path: Path) -> None:
    """A pool that leaks, whatever was thought of it at the time."""
    world = gated()
    assert world.gate is not None
    seen = held(play(5).draw)
    leaking = seen.mined.model_copy(update={"taken_out": seen.mined.taken_out - 1})
    world.gate[2 + 5] = play(5, seen=seen.model_copy(update={"mined": leaking}))
    found = assessed(world, tmp_path)
    assert unclean(found) == {GATE_INVARIANTS.id: Verdict.FAIL}
    check = check_of(found, GATE_INVARIANTS.id)
    assert check.examples[0].startswith("round 5 (")
    assert "conserved" in check.examples[0]
    assert found.judgement.verdict is Verdict.FAIL
    gate = found.measurement.gate
    assert gate is not None
    assert (gate.broken, gate.invariants["conserved"]) == (1, 1)


def _without(kind: type[GateLogEntry]) -> Callable[[World], None]:
    def spoil(world: World) -> None:
        assert world.gate is not None
        world.gate = [line for line in world.gate if not isinstance(line, kind)]

    return spoil


def _round_changed(**changes: Any) -> Callable[[World], None]:
    return lambda world: replaced(world, GateRound, **changes)


def _released(**changes: Any) -> Callable[[World], None]:
    return lambda world: replaced(world, NodeReleased, **changes)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda world: setattr(world, "gate", None), "its outcome was not recorded"),
        (lambda world: world.gate.pop(5), "39 rounds of 40"),
        (lambda world: world.gate.insert(5, world.gate[6]), "unreadable or repeated"),
        (_without(NodeOpened), "never seen to answer"),
        (_without(NodeReleased), "the release of its node was not recorded"),
        (_without(RoundsBegun), "reference values"),
        (_round_changed(draw=play(1).draw), "not as the seed draws them"),
        (_round_changed(seen=None, trouble="the wire broke"), "because of the wire broke"),
        (_round_changed(began_ns=START_NS), "39 rounds of 40"),
        (_round_changed(ended_ns=START_NS + 6 * S), "39 rounds of 40"),
        (_released(mono_ns=None), "not seen to be gone"),
        (_released(trouble="not done after 10 s"), "not done after 10 s"),
        (_released(closed_ns=T0_NS + 22 * S), "after the measured load"),
        (lambda world: replaced(world, NodeOpened, asked_ns=START_NS - 1), "before its time"),
    ],
)
def test_a_gate_that_was_not_played_is_invalid(
    spoil: Callable[[World], Any], words: str, tmp_path: Path
) -> None:
    """Too few rounds, others than planned, a node that stays: nothing follows from that."""
    world = gated()
    spoil(world)
    found = assessed(world, tmp_path)
    assert unclean(found)[GATE_EXECUTION.id] is Verdict.INVALID
    assert words in check_of(found, GATE_EXECUTION.id).message
    assert unclean(found).get(GATE_INVARIANTS.id) is None or words.startswith("not as the seed")


def test_a_gate_that_nobody_planned_is_invalid(tmp_path: Path) -> None:
    """Evidence of another question."""
    world = gated()
    world.scenario = healthy().scenario
    assert unclean(assessed(world, tmp_path))[GATE_EXECUTION.id] is Verdict.INVALID


@pytest.mark.parametrize(
    ("actions", "verdict"),
    [
        (("create", "start", "kill", "die", "destroy"), None),
        (("create", "start", "die"), Verdict.INVALID),
        ((), Verdict.INVALID),
    ],
)
def test_a_container_must_have_lived_and_gone(
    actions: tuple[str, ...], verdict: Verdict | None, tmp_path: Path
) -> None:
    """By the engine's own events."""
    world = gated()
    events = [{"container": NODE, "action": action} for action in actions]
    world.stack = {"kind": "docker", "events": events}
    assert unclean(assessed(world, tmp_path)).get(GATE_EXECUTION.id) is verdict


def slow_between(begin_s: float, end_s: float) -> Delays:
    """Commits take 300 ms in a stretch of the load, 10 ms elsewhere."""
    intended = healthy().attempts[0]["intended_ns"] - T0_NS

    def draw(count: int) -> Any:
        at_ns = intended[:count]
        slow = (at_ns >= begin_s * S) & (at_ns < end_s * S)
        return np.where(slow, 300 * MS, 10 * MS).astype(np.int64)

    return draw


def test_latency_with_and_without_the_gate(tmp_path: Path) -> None:
    """Signals that were due while the node was there, against the others; together all of them."""
    found = assessed(gated(delays=slow_between(3.2, 8.03)), tmp_path).measurement
    assert found.gate is not None
    during, outside = found.gate.latency
    assert (during.during, outside.during) == (True, False)
    assert during.percentiles_ns["p99"] > 290 * MS
    assert outside.max_ns < 50 * MS
    whole = found.of("latency", "measure", "lite")
    assert whole is not None
    assert during.count + outside.count == whole.count


def test_every_report_tells_of_the_gate(tmp_path: Path) -> None:
    """Terminal, Markdown, page and JUnit."""
    world = gated()
    text = shown(world, tmp_path / "shown")
    for part in ("rounds with", "rpc_timeout", "while the gate was on", GATE_INVARIANTS.name):
        assert part in text, part
    data = read_report_data(world.write(tmp_path / "stored"))
    assert "| rounds with | played | held | broken |" in markdown(data)
    assert "Rounds of the gate" in html_report(data)
    assert GATE_INVARIANTS.name in junit_xml(data)


def test_a_gate_must_fit_its_load() -> None:
    """Before the end of the measured load, and with time for its rounds."""
    world = healthy()
    document = world.scenario.model_dump(mode="json")
    for changes, words in (
        ({"timeout_s": 18.0}, "the measured load ends at 21 s"),
        ({"rate": 3.0}, "40 rounds at 3/s take"),
        ({"rounds": 0}, "greater than or equal to 1"),
        ({"weights": dict.fromkeys(("gas", "liquidity", "price"), 0), "at_s": 2}, None),
        ({"weights": dict.fromkeys(Gate().weights.by_kind(), 0)}, "every weight is 0"),
    ):
        asked = {**document, "gate": {**GATE, **changes}}
        if words is None:
            Scenario.model_validate(asked)
            continue
        with pytest.raises(ValidationError, match=words):
            Scenario.model_validate(asked)
