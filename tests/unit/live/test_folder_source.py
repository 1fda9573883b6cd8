"""A run read from its folder, from its first file to its verdict."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from harness.clock import NS_PER_MS, NS_PER_S, ManualClock
from harness.contract import trace_id
from harness.contract.names import State
from harness.evidence.event_log import append_event
from harness.evidence.records import ATTEMPT, SIGHTING
from harness.evidence.run_documents import RunEvent
from harness.evidence.run_folder import RunFolder
from harness.run.live.folder_source import FolderSource, RunView
from harness.scenario import Load, Stage
from tests.unit.analysis.evidence import healthy

WALL_NS = 1_700_000_000 * NS_PER_S
T0_NS = 50 * NS_PER_S
TAG = 9
LOAD = Load(
    warmup_s=2.0,
    stages=(Stage(agents=2, rate_from=10.0, rate_to=10.0, duration_s=8.0),),
)


class Scene:
    """A folder that grows under a clock that a test moves."""

    def __init__(self, reports: Path) -> None:
        self.folder = RunFolder.create(reports, "smoke", WALL_NS)
        self.clock = ManualClock(now_ns=T0_NS - 5 * NS_PER_S, wall_ns=WALL_NS)
        self.source = FolderSource(self.folder, self.clock)

    def poll(self, *, fresh: bool = True) -> RunView:
        """A view; `fresh`: something in the folder has just been written."""
        if fresh:
            os.utime(self.folder.path, ns=(self.clock.wall_ns(), self.clock.wall_ns()))
        return self.source.poll()

    def old(self) -> None:
        """Everything was last written when the scene began."""
        for path in (self.folder.path, *self.folder.path.rglob("*")):
            os.utime(path, ns=(WALL_NS, WALL_NS))

    def plan(self) -> None:
        """The plan of the swarm."""
        document = {"run_tag": TAG, "seed": 1, "t0_ns": T0_NS, "load": LOAD.model_dump(mode="json")}
        self.folder.write_json(self.folder.plan, document)

    def status(self, **fields: int) -> None:
        """A status line of the swarm."""
        with self.folder.swarm_status.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": "status", "process": 0, **fields}) + "\n")

    def signals(self, count: int, seen: int) -> None:
        """`count` signals are sent at 3 s, `seen` of them are observed 20 ms later."""
        attempts, sightings = np.zeros(count, ATTEMPT), np.zeros(seen, SIGHTING)
        for number in range(count):
            names = trace_id.pack(TAG, 0, number)
            due_ns = T0_NS + 3 * NS_PER_S
            attempts[number]["trace_hi"], attempts[number]["trace_lo"] = names
            attempts[number]["intended_ns"] = due_ns
            if number < seen:
                sightings[number]["trace_hi"], sightings[number]["trace_lo"] = names
                sightings[number]["seen_ns"] = due_ns + 20 * NS_PER_MS
                sightings[number]["state"] = State.SIMULATED
        (self.folder.journal / "attempts-0.bin").write_bytes(attempts.tobytes())
        self.folder.sightings.write_bytes(sightings.tobytes())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A run that has just begun."""
    return Scene(tmp_path)


def test_before_the_plan_the_stack_is_starting(scene: Scene) -> None:
    """There is nothing to show yet; after ten minutes without a write the run has ended."""
    view = scene.poll()
    assert (view.run_id, view.progress, view.ended) == (scene.folder.run_id, None, False)
    assert view.message == "the stack is starting"
    scene.old()
    scene.clock.advance(601 * NS_PER_S)
    assert scene.poll(fresh=False) == RunView(
        scene.folder.run_id, None, ended=True, message="the run ended before its first signal"
    )


def test_a_run_under_way_is_seen_as_it_sees_itself(scene: Scene) -> None:
    """Phase, rates, counts, percentiles, backlog and events, from the files as they grow."""
    scene.plan()
    assert scene.poll().progress is not None
    scene.clock.advance(9 * NS_PER_S)
    scene.status(sent=20, due=21, accepted=19, mono_ns=T0_NS + 2 * NS_PER_S, agents=2)
    scene.status(sent=40, due=40, accepted=38, mono_ns=T0_NS + 4 * NS_PER_S, agents=2)
    scene.signals(40, 35)
    restarted = RunEvent(kind="service_restarted", what="engine ended with -9", mono_ns=1)
    append_event(scene.folder, restarted)
    progress = scene.poll().progress
    assert progress is not None
    assert (progress.phase, progress.elapsed_ns) == ("measure", 4 * NS_PER_S)
    assert (progress.sent, progress.due, progress.accepted, progress.agents) == (40, 40, 38, 2)
    assert (progress.summary.final, progress.backlog) == (35, 5)
    assert progress.summary.oldest_open_ns == NS_PER_S
    assert progress.summary.latency.p50_ns == pytest.approx(20 * NS_PER_MS, rel=0.01)
    assert (progress.rate_sent, progress.rate_intended) == (10.0, 10.0)
    assert [event.what for event in progress.events] == ["engine ended with -9"]


def test_a_run_whose_process_is_gone_is_over(scene: Scene) -> None:
    """There will be no verdict to wait for; the last figures are shown."""
    scene.plan()
    scene.status(sent=20, due=20, accepted=20, mono_ns=T0_NS + 2 * NS_PER_S)
    scene.old()
    scene.clock.advance(15 * NS_PER_S)
    assert not scene.poll(fresh=False).ended
    scene.clock.advance(3_600 * NS_PER_S)
    view = scene.poll(fresh=False)
    assert view.ended
    assert "nothing has been written for 3,615 s" in view.message
    assert view.progress is not None
    assert view.progress.elapsed_ns == 2 * NS_PER_S


def test_a_run_that_has_ended_is_shown_once_and_not_touched(tmp_path: Path) -> None:
    """From its verdict on nothing changes; reading it writes nothing."""
    folder = healthy(LOAD).write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    clock = ManualClock(now_ns=10**18, wall_ns=folder.run.stat().st_mtime_ns)
    source = FolderSource(folder, clock)
    judging = source.poll()
    assert not judging.ended
    assert judging.progress is not None
    assert judging.progress.phase == "finish"
    assert judging.progress.summary.final > 0
    assert judging.progress.backlog == 0
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before
    folder.write_json(folder.result, {"verdict": 0})
    assert source.poll().ended
