"""The runner on fakes: what is written of a fault, and that it is always healed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.clock import NS_PER_S, ManualClock
from harness.errors import StackError
from harness.evidence.fault_log import FaultRecord, read_faults
from harness.faults.instance import FaultInstance
from harness.faults.kinds.pause import Pause
from harness.faults.kinds.process_exit import Kill
from harness.faults.runner import HEAL_PROOF_MAX_NS, FaultRunner
from harness.scenario.fault import Fault, PlannedFault, plan_faults

T0_NS = 100 * NS_PER_S
KILL = Kill(kind="kill", target="engine", at_s=(2,))
PAUSE = Pause(kind="pause", target="redis", at_s=(2,), for_s=3)


@dataclass
class Thing:
    """A system that a fault is done to; injector and probe in one, for brevity."""

    is_down: bool = False
    works: bool = True
    raises: str = ""
    calls: list[str] = field(default_factory=list)
    on_inject: Callable[[], None] = lambda: None

    def create(self, fault: Fault) -> FaultInstance:
        return FaultInstance(self, self)

    def before(self) -> None:
        self.calls.append("before")
        if self.raises == "before":
            raise StackError("does not run", where="engine")

    def inject(self) -> None:
        self.calls.append("inject")
        self.on_inject()
        if self.raises == "inject":
            raise OSError("made up")
        self.is_down = self.works

    def heal(self) -> None:
        self.calls.append("heal")
        self.is_down = False

    def holds(self) -> str:
        return "it is down" if self.is_down else ""

    def ended(self) -> str:
        return "" if self.is_down else "it is up"


class _Stubborn(Thing):
    def heal(self) -> None:
        self.calls.append("heal")


def play(
    thing: Thing, fault: Fault, folder: Path, *, abort_in_wait: int | None = None
) -> tuple[FaultRecord, FaultRunner]:
    """One fault from its plan to its line; time passes only in waits."""
    clock = ManualClock(T0_NS)
    waits = iter(range(100))

    def wait(abort: threading.Event, seconds: float) -> bool:
        if next(waits) == abort_in_wait:
            return True
        clock.advance(round(seconds * NS_PER_S) + 1)
        return abort.is_set()

    (planned,) = plan_faults((fault,), 1, NS_PER_S)
    path = folder / "faults.jsonl"
    runner = FaultRunner((planned,), thing, path, clock, wait)
    runner.start(T0_NS)
    for job in runner._jobs:
        assert job.thread is not None
        job.thread.join(20)
    runner.stop()
    (record,) = read_faults(path.read_text(encoding="utf-8").splitlines())
    return record, runner


def test_a_pause_from_plan_to_heal(tmp_path: Path) -> None:
    """Every time is written, and the order is that of the steps."""
    thing = Thing()
    record, runner = play(thing, PAUSE, tmp_path)
    assert thing.calls == ["before", "inject", "heal"]
    assert record.planned_ns == T0_NS + 3 * NS_PER_S
    times = (
        record.planned_ns,
        record.injected_ns,
        record.proven_ns,
        record.held_ns,
        record.healed_ns,
        record.heal_proven_ns,
    )
    known = [time for time in times if time is not None]
    assert len(known) == len(times)
    assert known == sorted(known)
    assert known[4] - known[1] >= 3 * NS_PER_S
    assert (record.seen, record.seen_healed, record.trouble) == ("it is down", "it is up", "")
    assert len(runner.drain_messages()) == 2
    assert runner.drain_messages() == ()


@pytest.mark.parametrize("fault", [KILL, PAUSE])
def test_an_injector_that_does_nothing_proves_nothing(fault: Fault, tmp_path: Path) -> None:
    """The probe does not know what the injector believes."""
    record, _ = play(Thing(works=False), fault, tmp_path)
    assert record.injected_ns is not None
    assert record.proven_ns is None
    assert record.held_ns is None


@pytest.mark.parametrize("answer", ["another took over", ""])
def test_what_the_system_does_about_it_is_reported(answer: str, tmp_path: Path) -> None:
    """While the fault lasts, not only when it is over; if it does nothing, nothing is recorded."""

    class Answering(Thing):
        def create(self, fault: Fault) -> FaultInstance:
            return FaultInstance(self, self, lambda: answer if self.is_down else "")

    record, runner = play(Answering(), PAUSE, tmp_path)
    assert record.answer == answer
    assert (record.answered_ns is not None) == bool(answer)
    if record.answered_ns is not None and record.proven_ns and record.healed_ns:
        assert record.proven_ns <= record.answered_ns < record.healed_ns
    assert any(answer in news for news in runner.drain_messages())
    assert record.held_ns is not None


def test_a_fault_that_stays_is_not_proven_healed(tmp_path: Path) -> None:
    """After so long the wait ends."""
    record, _ = play(_Stubborn(), PAUSE, tmp_path)
    assert record.heal_proven_ns is None
    assert HEAL_PROOF_MAX_NS < 60 * NS_PER_S


@pytest.mark.parametrize("raises", ["before", "inject"])
def test_trouble_is_reported_and_healed(raises: str, tmp_path: Path) -> None:
    """A service that was not there; an injector that broke half way."""
    thing = Thing(raises=raises)
    record, runner = play(thing, KILL, tmp_path)
    assert record.trouble in {"engine: does not run", "OSError: made up"}
    assert record.proven_ns is None
    assert ("heal" in thing.calls) == (raises == "inject")
    assert runner.failure() is None


def test_an_injector_that_breaks_while_it_heals_is_asked_again(tmp_path: Path) -> None:
    """What it had not undone yet would stay; that it failed is recorded."""

    class Breaking(Thing):
        def heal(self) -> None:
            if "heal" not in self.calls:
                self.calls.append("heal")
                raise OSError("made up")
            super().heal()

    thing = Breaking()
    record, _ = play(thing, PAUSE, tmp_path)
    assert thing.calls == ["before", "inject", "heal", "heal"]
    assert not thing.is_down
    assert record.heal_proven_ns is not None
    assert record.trouble == "OSError: made up"


def test_on_abort_what_is_in_force_is_healed_now(tmp_path: Path) -> None:
    """The second wait is the one for the end of the pause."""
    thing = Thing()
    record, _ = play(thing, PAUSE, tmp_path, abort_in_wait=1)
    assert thing.calls[-1] == "heal"
    assert record.healed_ns is not None
    assert record.injected_ns is not None
    assert record.healed_ns - record.injected_ns < NS_PER_S


def test_on_abort_nothing_is_begun(tmp_path: Path) -> None:
    """A fault whose time had not come is recorded as not injected."""
    thing = Thing()
    record, _ = play(thing, PAUSE, tmp_path, abort_in_wait=0)
    assert thing.calls == []
    assert record.injected_ns is None
    assert "the run was over" in record.trouble


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    """Without the file the faults could not be judged."""
    path = tmp_path / "faults.jsonl"

    def spoil() -> None:
        path.unlink()
        path.mkdir()

    planned = PlannedFault(0, KILL, 0, 0)
    clock = ManualClock(T0_NS)
    runner = FaultRunner((planned,), Thing(on_inject=spoil), path, clock)
    runner.start(T0_NS)
    for job in runner._jobs:
        assert job.thread is not None
        job.thread.join(20)
    assert "cannot write" in (runner.failure() or "")


def test_every_effect_is_verified_and_every_resource_released(tmp_path: Path) -> None:
    """Also of the faults after one that cannot be released."""
    calls: list[str] = []

    def fail() -> None:
        calls.append("fail")
        raise StackError("made up", where="engine")

    class Lasting(Thing):
        def create(self, fault: Fault) -> FaultInstance:
            name = fault.target
            close = fail if name == "redis" else lambda: calls.append(f"close {name}")
            return FaultInstance(
                self, self, verify=lambda: calls.append(f"verify {name}"), close=close
            )

    clock = ManualClock(T0_NS)
    faults = tuple(Kill(kind="kill", target=name, at_s=(1,)) for name in ("redis", "engine"))
    planned = plan_faults(faults, 1, NS_PER_S)
    runner = FaultRunner(planned, Lasting(), tmp_path / "faults.jsonl", clock, lambda *_: True)
    runner.start(T0_NS)
    runner.stop(abort=True)
    runner.verify()
    with pytest.raises(StackError, match="made up"):
        runner.close()
    assert calls[:2] == ["verify redis", "verify engine"]
    assert sorted(calls[2:]) == ["close engine", "fail"]


def test_what_is_ready_is_released_when_another_fault_cannot_be_made(tmp_path: Path) -> None:
    """The run ends before its load, and leaves nothing."""
    closed: list[str] = []

    class Half(Thing):
        def create(self, fault: Fault) -> FaultInstance:
            if fault.target == "engine":
                raise StackError("made up", where="engine")
            return FaultInstance(self, self, close=lambda: closed.append(fault.target))

    faults = tuple(Kill(kind="kill", target=name, at_s=(1,)) for name in ("redis", "engine"))
    planned = plan_faults(faults, 1, NS_PER_S)
    runner = FaultRunner(planned, Half(), tmp_path / "faults.jsonl", ManualClock(T0_NS))
    with pytest.raises(StackError, match="made up"):
        runner.start(T0_NS)
    runner.stop(abort=True)
    runner.close()
    assert closed == ["redis"]
