"""Steps of a scale-out, on a stack and with a clock that a test controls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.clock import NS_PER_S, ManualClock
from harness.errors import StackError
from harness.evidence.scale_log import (
    AgentInstance,
    AgentSignals,
    ScaleLog,
    ServiceIdentity,
    read_scale_log,
)
from harness.scenario.agent_containers import ScaleStep
from harness.stack.scale_out import ScaleRunner

T0_NS = 100 * NS_PER_S
STEPS = (ScaleStep(at_s=1, agents=3), ScaleStep(at_s=4, agents=1))


class FakeStack:
    """Agents by number; a scaling takes a second."""

    def __init__(self, clock: ManualClock, fails_at: int | None = None) -> None:
        self.clock = clock
        self.fails_at = fails_at
        self.agents: dict[int, int] = {1: 5}

    def scale(self, agents: int, is_aborted: Callable[[], bool] = lambda: False) -> None:
        assert not is_aborted()
        self.clock.advance(NS_PER_S)
        if agents == self.fails_at:
            raise StackError("no memory left", where="python-agent")
        now_ns = self.clock.now_ns()
        self.agents = {n: self.agents.get(n, now_ns) for n in range(1, agents + 1)}

    def agent_instances(self) -> tuple[AgentInstance, ...]:
        return tuple(
            AgentInstance(name=f"python-agent-{n}", host=f"h{n}", running_ns=begun_ns)
            for n, begun_ns in self.agents.items()
        )

    def service_identities(self) -> tuple[ServiceIdentity, ...]:
        return (ServiceIdentity(name="redis", id="r", pid=4, started="now", restarts=0),)


def executed(
    path: Path, *, fails_at: int | None = None, abort_in_wait: int | None = None
) -> tuple[ScaleLog, ScaleRunner]:
    """The log of a whole scale-out; time passes only in waits and scalings."""
    clock, waits = ManualClock(T0_NS), iter(range(1_000))

    def wait(abort: threading.Event, seconds: float) -> bool:
        if next(waits) == abort_in_wait:
            return True
        clock.advance(round(seconds * NS_PER_S))
        return abort.is_set()

    def signals() -> tuple[AgentSignals, ...]:
        raise StackError("relation does not exist", where="trade_tasks")

    stack = FakeStack(clock, fails_at)
    runner = ScaleRunner(
        STEPS, 2 * NS_PER_S, stack, lambda: {"agent-h1": 2}, signals, path, clock, wait
    )
    runner.start(T0_NS)
    assert runner._thread is not None
    runner._thread.join(20)
    runner.stop()
    runner.verify()
    return read_scale_log(path.read_text(encoding="utf-8").splitlines()), runner


def test_each_step_at_its_time(tmp_path: Path) -> None:
    """Asked when it is due, with agents and services of before and after."""
    log, runner = executed(tmp_path / "log")
    first, second = log.steps
    assert (first.planned_ns, first.asked_ns) == (T0_NS + 3 * NS_PER_S,) * 2
    assert first.scaled_ns == T0_NS + 4 * NS_PER_S
    assert [one.host for one in log.new_agents(first)] == ["h2", "h3"]
    assert [one.host for one in log.left_agents(second)] == ["h2", "h3"]
    assert first.before == first.services
    assert first.consumers == {"agent-h1": 2}
    assert runner.drain_messages()[0] == "scale-out: 3 agents after 1.0 s"
    assert runner.failure() is None
    assert log.unread == 0


def test_what_cannot_be_read_at_the_end_is_recorded(tmp_path: Path) -> None:
    """The rest is there."""
    log, _ = executed(tmp_path / "log")
    assert log.end is not None
    assert (log.end.signals, log.end.trouble) == (None, "trade_tasks: relation does not exist")
    assert len(log.end.services) == 1


def test_a_step_that_fails_leaves_the_next_one_to_be_done(tmp_path: Path) -> None:
    """Its record says why, and has no time at which it was done."""
    log, runner = executed(tmp_path / "log", fails_at=3)
    first, second = log.steps
    assert first.scaled_ns is None
    assert "no memory left" in first.trouble
    assert log.new_agents(second) == ()
    assert second.scaled_ns is not None
    assert "no memory left" in runner.drain_messages()[0]


def test_an_early_end_of_the_load_is_recorded(tmp_path: Path) -> None:
    """What was not done is not left out."""
    log, _ = executed(tmp_path / "log", abort_in_wait=1)
    assert [step.asked_ns is None for step in log.steps] == [False, True]
    assert log.steps[1].trouble == "the load was over before its time came"


@pytest.mark.parametrize("text", ["", "{", '{"line":"step"}', "null"])
def test_damaged_lines_are_counted(text: str, tmp_path: Path) -> None:
    """And so are repeated ones."""
    executed(tmp_path / "log")
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert read_scale_log([*lines, text, lines[0], lines[1]]).unread == 3
