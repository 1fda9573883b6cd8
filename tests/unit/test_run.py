"""The lifecycle of a run on fakes: what is written, in which order, and what always happens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.assessment.assess import Assessment
from harness.clock import NS_PER_S
from harness.contract.names import Contract
from harness.errors import StackError
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Status, Verdict
from harness.process.interrupt import Interrupted
from harness.run.lifecycle import run
from harness.run.parts import Feature
from harness.scenario import Telemetry
from tests.unit.fakes import SCENARIO, World


def play(world: World, reports: Path) -> tuple[Assessment, RunFolder]:
    """A whole run on fakes."""
    folder = RunFolder.create(reports, "fake", world.clock.wall_ns())
    return run(world.scenario, Contract(), world.parts(), folder), folder


def kinds(folder: RunFolder) -> list[str]:
    """The kinds of events that the run recorded."""
    return [event.kind for event in folder.read_run().events]


def test_everything_is_written_before_it_is_judged(tmp_path: Path) -> None:
    """Each document is there, the stack is described before it ends, and no secret is in any."""
    world = World()
    _, folder = play(world, tmp_path)
    for path in (folder.scenario, folder.environment, folder.plan, folder.run, folder.stack):
        assert path.is_file(), path
        assert "secret" not in path.read_text(encoding="utf-8")
    assert world.stack.calls == ["start", "describe", "stop"]
    assert world.observer.calls[0] == "start"
    assert world.pages.calls == ["begin", "end at 50"]
    assert kinds(folder) == []


def test_a_run_that_sent_nothing_never_passes(tmp_path: Path) -> None:
    """These fakes journal nothing, and no silence is a PASS."""
    assessment, folder = play(World(), tmp_path)
    assert assessment.judgement.verdict in {Verdict.INVALID, Verdict.FAIL}
    stored = json.loads(folder.result.read_text(encoding="utf-8"))
    assert stored["verdict"] == assessment.judgement.verdict.value


def test_interrupt_ends_in_evidence_and_a_verdict(tmp_path: Path) -> None:
    """Ctrl-C in the middle: everything is stopped, and what was measured so far is judged."""

    def interrupt() -> None:
        raise Interrupted(2)

    world = World(at={6 * NS_PER_S: interrupt})
    assessment, folder = play(world, tmp_path)
    assert kinds(folder) == ["interrupted"]
    assert assessment.judgement.verdict is not Verdict.PASS
    assert world.stack.calls[-1] == "stop"
    assert world.swarm is not None
    assert world.swarm.stopped


def test_lost_stack_is_an_error_with_its_evidence_kept(tmp_path: Path) -> None:
    """A stack that is lost ends the run with exit code 5, after everything was written."""
    world = World()
    world.stack.lost = "is lost: it ended 9 times"
    with pytest.raises(StackError, match="is lost"):
        play(world, tmp_path)
    assert world.stack.calls == ["start", "describe", "stop"]
    assert next(tmp_path.glob("*/result.json")).is_file()


def test_unreadable_final_state_is_noted(tmp_path: Path) -> None:
    """A final state that cannot be read is an event for the judge, not a crash."""
    world = World()

    def unreadable(*_: object) -> None:
        raise StackError("no answer after 60 s", where="postgres")

    world.read_final = unreadable
    assessment, folder = play(world, tmp_path)
    assert kinds(folder) == ["final_state_unread"]
    assert assessment.judgement.verdict is not Verdict.PASS


def test_a_defect_in_reading_the_final_state_costs_no_evidence(tmp_path: Path) -> None:
    """The load is over by then; the run is judged, and reports what is missing."""

    def mistaken(*_: object) -> None:
        b"\xff".decode()

    world = World()
    world.read_final = mistaken
    _, folder = play(world, tmp_path)
    assert kinds(folder) == ["final_state_unread"]
    assert folder.seal.exists()


def test_processes_of_the_harness_are_monitored(tmp_path: Path) -> None:
    """From before the first signal to after the last; a failure is an event for the judge."""
    world = World()
    world.self_monitoring.failed = "vitals.jsonl cannot be written: No space left on device"
    assessment, folder = play(world, tmp_path)
    assert world.self_monitoring.calls[:2] == ["start", "stop"]
    assert world.self_monitoring.pids == {"observer": 9, "swarm-0": 8}
    assert kinds(folder) == ["vitals_lost"]
    assert assessment.judgement.verdict is not Verdict.PASS


def test_lost_telemetry_is_noted_and_fails_nothing(tmp_path: Path) -> None:
    """No measurement depends on it: its end is an event that leaves the run valid."""
    world = World()
    world.telemetry.failed = "the telemetry process was ended by signal 9"
    assessment, folder = play(world, tmp_path)
    assert world.telemetry.calls[:2] == ["start", "stop"]
    assert world.telemetry.followed == {"engine": 7}
    assert kinds(folder) == ["telemetry_lost"]
    assert folder.telemetry.name in folder.read_run().kept
    checks = {check.id: check for check in assessment.judgement.checks}
    assert checks["unplanned_events"].status is Status.PASS
    assert "ended by signal 9" in checks["unplanned_events"].message


def test_a_run_without_telemetry_names_none(tmp_path: Path) -> None:
    """A file that was not requested is not missing."""
    world = World(SCENARIO.model_copy(update={"telemetry": Telemetry(enabled=False)}))
    _, folder = play(world, tmp_path)
    assert folder.telemetry.name not in folder.read_run().kept


def test_failed_start_stops_what_was_started(tmp_path: Path) -> None:
    """An observer that cannot watch ends the run before a signal is sent."""
    world = World()

    def cannot() -> None:
        raise StackError("did not begin to watch", where="observer")

    world.observer.start = cannot  # type: ignore[method-assign] # this observer cannot
    with pytest.raises(StackError, match="did not begin to watch"):
        play(world, tmp_path)
    assert world.stack.calls == ["start", "stop"]
    assert world.swarm is None


class _Gate:
    """A made-up gate."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self, t0_ns: int) -> None:
        self.calls.append(f"start at {t0_ns > 0}")

    def drain_messages(self) -> tuple[str, ...]:
        messages = ("gate: released: it is gone",) if self.calls[-1] == "stop" else ()
        self.calls += ["messages"] if messages else []
        return messages

    def failure(self) -> str | None:
        return "gate.jsonl cannot be written"

    def stop(self, *, abort: bool = False) -> None:
        del abort
        self.calls.append("stop")


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_gate_is_ended_before_anything_else(tmp_path: Path, interrupted: bool) -> None:
    """Also on Ctrl-C; its messages are kept, and its evidence is named."""

    def interrupt() -> None:
        raise Interrupted(2)

    gate = _Gate()
    world = World(at={6 * NS_PER_S: interrupt} if interrupted else {})
    folder = RunFolder.create(tmp_path, "fake", world.clock.wall_ns())
    feature = Feature(lambda *_: gate, "gate_told", "gate_untold", (folder.gate.name,))
    run(world.scenario, Contract(), replace(world.parts(), features=(feature,)), folder)
    assert gate.calls[:3] == ["start at True", "stop", "messages"]
    assert kinds(folder)[-2:] == ["gate_told", "gate_untold"]
    assert folder.gate.name in folder.read_run().kept
