"""The runner on fakes: the node is released and recorded in any case; rounds keep their time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.gate.fuzz_case import draw_case
from harness.clock import NS_PER_S, ManualClock
from harness.errors import StackError
from harness.evidence.gate_log import GateLog, GateRound, read_gate
from harness.gate.node_provider import OpenNode
from harness.gate.plan import GatePlan
from harness.gate.runner import GateFiles, GateRunner
from harness.gate.worker import Rounds
from harness.scenario.gate import Gate
from tests.unit.gate.outcomes import held

T0_NS = 100 * NS_PER_S
GATE = Gate(rounds=20, rate=4.0, at_s=2.0, timeout_s=10.0)


@dataclass
class Node:
    """A provider of a node that does not exist."""

    raises: str = ""
    stays: bool = False
    calls: list[str] = field(default_factory=list)

    def open(self) -> OpenNode:
        self.calls.append("open")
        if self.raises == "open":
            raise StackError("does not answer", where="gate's anvil")
        return OpenNode("process 7", "http://127.0.0.1:1", "up")

    def close(self) -> None:
        self.calls.append("close")
        if self.raises == "close":
            raise OSError("made up")

    def gone(self) -> str:
        return "" if self.stays else "process 7 is gone"


@dataclass
class Child:
    """A made-up process of rounds; `codes` are its exit codes, poll by poll."""

    codes: list[int | None]
    raises: bool = False
    latest: dict[str, Any] | None = None
    stopped: bool = False

    def start(self) -> None:
        if self.raises:
            raise StackError("cannot be started", where="gate")
        self.latest = {"done": 20, "broken": 1}

    def poll(self) -> int | None:
        return self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]

    def stop(self, timeout_s: float = 5.0) -> int | None:
        del timeout_s
        self.stopped = True
        return 0

    def last_log_message(self) -> str:
        return "gate: something went wrong"


def play(
    node: Node, child: Child, folder: Path, *, abort_in_wait: int | None = None
) -> tuple[GateLog, GateRunner]:
    """A gate from its plan to its last line; time passes only in waits."""
    clock, waits = ManualClock(T0_NS), iter(range(10_000))

    def wait(abort: threading.Event, seconds: float) -> bool:
        if next(waits) == abort_in_wait:
            return True
        clock.advance(round(seconds * NS_PER_S) + 1)
        return abort.is_set()

    def make(plan: GatePlan, log: Path) -> Child:
        assert (plan.gate, plan.seed, log.name) == (GATE, 3, "gate.log")
        return child

    files = GateFiles(folder / "gate.jsonl", folder, folder)
    runner = GateRunner(GATE, 2 * NS_PER_S, 3, node, files, clock, make, wait)
    runner.start(T0_NS)
    assert runner._thread is not None
    runner._thread.join(20)
    runner.stop()
    return read_gate(files.path.read_text(encoding="utf-8").splitlines()), runner


def test_a_gate_from_its_plan_to_its_release(tmp_path: Path) -> None:
    """The node is up at its time, and gone when the rounds are done."""
    node, child = Node(), Child([None, None, 0])
    record, runner = play(node, child, tmp_path)
    assert node.calls == ["open", "close"]
    assert child.stopped
    assert record.opened is not None
    assert record.released is not None
    assert record.opened.asked_ns >= T0_NS + 2 * NS_PER_S
    assert (record.released.seen, record.released.trouble) == ("process 7 is gone", "")
    assert record.released.mono_ns is not None
    assert "gate: 20 rounds of 20, 1 broken" in runner.drain_messages()
    assert runner.failure() is None


@pytest.mark.parametrize(
    ("node", "child", "abort", "trouble"),
    [
        (Node(raises="open"), Child([0]), None, "gate's anvil: does not answer"),
        (Node(), Child([0], raises=True), None, "cannot be started"),
        (Node(), Child([None]), None, "not done after 10 s"),
        (Node(), Child([None]), 3, "the load was over before it was done"),
        (Node(), Child([None]), 0, "the load was over before its time came"),
        (Node(), Child([4]), None, "ended with 4: gate: something went wrong"),
        (Node(raises="close"), Child([0]), None, "OSError: made up"),
    ],
)
def test_whatever_happens_the_node_is_released(
    node: Node, child: Child, abort: int | None, trouble: str, tmp_path: Path
) -> None:
    """And the cause is recorded."""
    record, _ = play(node, child, tmp_path, abort_in_wait=abort)
    assert node.calls[-1] == "close"
    assert record.released is not None
    assert trouble in record.released.trouble
    assert record.released.mono_ns is not None


def test_a_node_that_stays_is_reported(tmp_path: Path) -> None:
    """It counts as released only with evidence."""
    record, runner = play(Node(stays=True), Child([0]), tmp_path)
    assert record.released is not None
    assert (record.released.mono_ns, record.released.seen) == (None, "")
    assert any("no evidence" in message for message in runner.drain_messages())


def rounds(
    play_one: Callable[[int], GateRound], clock: ManualClock, folder: Path
) -> tuple[Rounds, list[GateRound]]:
    """Rounds that write into a list."""
    written: list[Any] = []
    plan = GatePlan(gate=GATE, seed=3, url="", path=folder, log=folder, root=folder)

    def wait(ended: threading.Event, seconds: float) -> bool:
        clock.advance(round(seconds * NS_PER_S))
        return ended.is_set()

    return Rounds(plan, play_one, written.append, clock, threading.Event(), wait), written


def one(number: int, clock: ManualClock, trouble: str = "") -> GateRound:
    """A round of no duration."""
    draw, now_ns = draw_case(GATE, 3, number), clock.now_ns()
    seen = None if trouble else held(draw)
    return GateRound(
        number=number, began_ns=now_ns, ended_ns=now_ns, draw=draw, seen=seen, trouble=trouble
    )


def test_rounds_keep_their_time(tmp_path: Path) -> None:
    """Four a second; rounds after a long one catch up."""
    clock = ManualClock(T0_NS)

    def play_one(number: int) -> GateRound:
        found = one(number, clock)
        if number == 3:
            clock.advance(NS_PER_S)
        return found

    played, written = rounds(play_one, clock, tmp_path)
    reports: list[dict[str, int]] = []
    played.run(reports.append)
    began = [(line.began_ns - T0_NS) / NS_PER_S for line in written]
    assert began[:4] == [0.0, 0.25, 0.5, 0.75]
    assert began[4:9] == [1.75, 1.75, 1.75, 1.75, 2.0]
    assert reports[-1] == {"done": 20, "broken": 0}


def test_a_node_that_is_lost_ends_the_rounds(tmp_path: Path) -> None:
    """After ten in a row that could not be played, each of them recorded."""
    clock = ManualClock(T0_NS)
    played, written = rounds(lambda number: one(number, clock, "no answer"), clock, tmp_path)
    played.run(lambda _: None)
    assert len(written) == 10
    assert played.done == 0
