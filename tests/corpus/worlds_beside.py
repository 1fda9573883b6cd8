"""Runs that never were: faults, gates, backups, containers, and several runs together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.assessment.assess import Assessment, assess_and_store
from harness.evidence.backup_log import BackupLog
from harness.evidence.chaos_folder import ChaosFolder, ChaosProgress
from harness.evidence.fault_log import FaultRecord
from harness.evidence.gate_log import GateRound, NodeReleased
from harness.evidence.group_folder import GroupFolder
from harness.evidence.manifest import write_manifest
from harness.evidence.run_folder import RunFolder
from harness.experiments.repeat import repeat
from harness.faults.backup.retention import name_of
from harness.scenario import Scenario
from tests.corpus.entries import Entry, of_world
from tests.corpus.worlds_system import slow
from tests.unit.analysis.evidence import MS, S, World, healthy, load_of
from tests.unit.gate.outcomes import held
from tests.unit.judge import test_agent_pool, test_backups, test_gate, test_staleness, violations
from tests.unit.judge.test_faults import KILL, PAUSE, faulty, killed, paused
from tests.unit.test_isolate import in_blocks

Change = Callable[[World], object]


def _killed(*objectives: str, record: FaultRecord | None = None) -> Callable[[], World]:
    return lambda: faulty(KILL, record or killed(), *objectives)


def _slow_outside() -> World:
    world = healthy(None, "max < 500 ms outside faults", delays=slow(2, 4))
    world.scenario = faulty(PAUSE, None, "max < 500 ms outside faults").scenario
    world.faults = [paused()]
    return world


def _backup(book: Callable[[], BackupLog]) -> Callable[[], World]:
    def build() -> World:
        world = healthy(None, "p90 < 500 ms")
        document = {**world.scenario.model_dump(mode="json"), "fault": [test_backups.FAULT]}
        world.scenario = Scenario.model_validate(document)
        begin_ns = test_backups.AT_NS
        end_ns = begin_ns + test_backups.DAYS * S
        times = {"injected_ns": begin_ns, "proven_ns": begin_ns + MS, "held_ns": end_ns}
        record = {
            "number": 0,
            "kind": "backup",
            "target": "postgres",
            "planned_ns": begin_ns,
            "for_ns": end_ns - begin_ns,
            "healed_ns": end_ns,
            "heal_proven_ns": end_ns + MS,
            **times,
        }
        world.faults, world.backups = [FaultRecord.model_validate(record)], book()
        return world

    return build


def _wrong_ones_kept() -> BackupLog:
    there = tuple(name_of(day) for day in (3, 5))
    return test_backups.backup_log(test_backups.honest(), 4, there=there)


def _leak(world: World) -> None:
    """A pool that leaks in one round of the gate."""
    assert world.gate is not None
    seen = held(test_gate.play(5).draw)
    leaking = seen.mined.model_copy(update={"taken_out": seen.mined.taken_out - 1})
    world.gate[2 + 5] = test_gate.play(5, seen=seen.model_copy(update={"mined": leaking}))


def _play_less(world: World) -> None:
    assert world.gate is not None
    del world.gate[5]
    test_gate.replaced(world, GateRound, trouble="the wire broke", seen=None)
    test_gate.replaced(world, NodeReleased, mono_ns=None)


def _behind(*, accepts: bool) -> Callable[[], World]:
    def build() -> World:
        world = test_staleness.stalled("rejected < 1 %", "p90 < 500 ms")
        chosen = test_staleness.overtaken(world)
        if accepts:
            chosen[test_staleness.overtaken(world, after_ns=2 * S).nonzero()[0][7]] = False
        test_staleness.refuse(world, chosen)
        return world

    return build


def _with_pool(world: Callable[[], World], *snapshots: dict[str, Any]) -> Callable[[Path], Path]:
    def record(place: Path) -> Path:
        made = world()
        objectives = {"objectives": ("p90 < 500 ms",)}
        made.scenario = made.scenario.model_copy(update=objectives)
        folder = made.write(place)
        text = "".join(json.dumps(one) + "\n" for one in snapshots)
        folder.write_text(folder.pool, text)
        write_manifest(folder)
        return folder.path

    return record


def _quota_off() -> World:
    world = healthy()
    row = {"container": "redis", "setting": "memory", "specified": "4 GiB", "live": "2 GiB"}
    rows = [{**row, "ok": False, "when": "end"}]
    world.stack = {"kind": "docker", "grade_reasons": [], "verification": {"rows": rows}}
    return world


def _tiny(seed: int) -> World:
    return healthy(load_of(agents=4, rate=10.0, duration_s=20.0), "p90 < 500 ms", seed=seed)


def _group(second: Change, base: Callable[[int], World]) -> Callable[[Path], Path]:
    """Three runs, of which the second is changed; with names that are always the same."""

    def record(place: Path) -> Path:
        def once(scenario: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
            world = base(scenario.seed)
            world.scenario = scenario
            if scenario.seed == 2:
                second(world)
            made = world.write(within)
            folder = RunFolder(made.path.rename(within / f"run-{scenario.seed}"))
            return assess_and_store(folder), folder

        folder = GroupFolder(place / "group")
        folder.path.mkdir()
        repeat(base(1).scenario, 3, folder, once)
        return folder.path

    return record


def _rounds(place: Path) -> Path:
    """Two of three planned rounds; the first loses a signal."""
    worlds = [faulty(KILL, killed()), faulty(PAUSE, paused())]
    violations.lose(worlds[0])
    folder = ChaosFolder(place / "rounds")
    folder.path.mkdir()
    for number, world in enumerate(worlds, start=1):
        world.scenario = world.scenario.model_copy(update={"seed": 1 + number})
        world.plan = world.plan.model_copy(update={"seed": 1 + number})
        world.write(folder.path).path.rename(folder.path / f"run-{number}")
    choices = (("kill", "engine"), ("pause", "redis"))
    folder.write(
        ChaosProgress(seed=1, rounds=3, stack="process", choices=choices, runs=("run-1", "run-2"))
    )
    return folder.path


FAULTS = (
    of_world(
        "fail-recovery",
        "a recovery that takes longer than allowed",
        _killed("recovery < 400 ms", "p90 < 500 ms outside faults"),
    ),
    of_world(
        "invalid-unproven",
        "no probe saw the fault take hold",
        _killed("recovery < 15 s", record=killed(proven_ns=None)),
    ),
    of_world("fail-outside-faults", "a maximum is broken outside of the fault", _slow_outside),
    of_world("pass-feed-stall", "agents held up; what is stale is refused", _behind(accepts=False)),
    of_world("fail-feed-stall", "a stale signal is simulated", _behind(accepts=True)),
    of_world("pass-backups", "the right ones kept, two restored", _backup(test_backups.honest)),
    of_world("fail-backups", "a backup was gone that should be kept", _backup(_wrong_ones_kept)),
    of_world(
        "fail-restore",
        "one row less was restored",
        _backup(lambda: test_backups.of_a_row_less(test_backups.honest())),
    ),
    of_world("pass-gate", "40 rounds of a gate hold", test_gate.gated),
    of_world("fail-gate", "one round of a gate breaks an invariant", test_gate.gated, _leak),
    of_world("invalid-gate", "rounds missing, a node not seen gone", test_gate.gated, _play_less),
)

CONTAINERS = (
    of_world("invalid-quota", "a container's live quota is not the specified one", _quota_off),
    Entry(
        "pass-pool",
        "an agent made to leave the pool; what it held was claimed",
        _with_pool(test_agent_pool.world_of, *test_agent_pool.CLAIMED),
    ),
)

SEVERAL = (
    Entry(
        "group-fail",
        "one of three runs lost a signal",
        _group(violations.lose, _tiny),
    ),
    Entry(
        "group-mixed",
        "one of three runs was made on another stack",
        _group(
            lambda world: setattr(world, "stack", {"kind": "attach", "name": "other"}),
            _tiny,
        ),
    ),
    Entry("rounds-fail", "two of three rounds of chaos; one lost a signal", _rounds),
    of_world("isolation-cannot-tell", "ten blocks, and none with a treatment", in_blocks),
)

ENTRIES: tuple[Entry, ...] = (*FAULTS, *CONTAINERS, *SEVERAL)
