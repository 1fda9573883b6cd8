"""Agents out of the pool: planned or not, and what they held claimed or not."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.assessment.assess import Assessment, assess
from harness.evidence.fault_log import FaultRecord
from harness.evidence.manifest import write_manifest
from harness.judge.agent_pool import AGENT_POOL, PENDING_TAKEOVER
from harness.judge.check import Check
from harness.judge.verdict import Status, Verdict
from harness.report.terminal import render
from harness.scenario import Scenario
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy
from tests.unit.judge.assessing import unclean

AGENT, HOST = "python-agent-1", "0123456789ab"
KILLS = {"kind": "kill", "target": AGENT, "at_s": 2, "times": 4, "every_s": 2}
GONE_NS = T0_NS + 9 * S + 30 * MS
DEAD, HEIR = f"agent-{HOST}", "agent-ba9876543210"


def rows(container: str) -> list[dict[str, Any]]:
    """What the verification says of a container that has exited, and of another one."""
    good = {"container": "redis", "setting": "memory", "specified": "4 GiB", "live": "4 GiB"}
    gone = {"container": container, "setting": "state", "specified": "running", "live": "exited"}
    return [{**good, "ok": True, "when": "end"}, {**gone, "ok": False, "when": "end"}]


def world_of(
    *, kills: int = 4, proven: int = 4, agents: int = 3, shared: bool = True, lost: bool = True
) -> World:
    """A run in which an agent ended four times, `kills` of them planned."""
    world = healthy(None, "recovery < 15 s")
    document = {
        **world.scenario.model_dump(mode="json"),
        "fault": [{**KILLS, "times": kills, "every_s": 2 if kills > 1 else 0}],
        "agent_containers": {"shared_group": shared},
    }
    world.scenario = Scenario.model_validate(document)
    world.faults = [
        FaultRecord(
            number=number,
            kind="kill",
            target=AGENT,
            planned_ns=(at_ns := T0_NS + (3 + 2 * number) * S),
            injected_ns=at_ns + MS,
            proven_ns=at_ns + 20 * MS if number < proven else None,
            healed_ns=at_ns + 20 * MS,
            heal_proven_ns=at_ns + 400 * MS,
        )
        for number in range(kills)
    ]
    ends = [{"mono_ns": GONE_NS - (3 - number) * 2 * S, "code": -9} for number in range(4)]
    others = {f"python-agent-{n}": {"lost": False, "host": ""} for n in range(2, agents + 1)}
    world.stack = {
        "kind": "docker",
        "grade_reasons": [],
        "verification": {"rows": rows(AGENT if agents > 1 else "python-agent")},
        "services": {AGENT: {"lost": lost, "host": HOST, "restarts": 3, "exits": ends}, **others},
    }
    what = f"{AGENT} is out of the pool: it ended with -9 after 3 restarts"
    world.run["events"].append({"kind": "out_of_pool", "what": what, "mono_ns": GONE_NS})
    return world


def snapshot(after_s: float, **pending: list[str]) -> dict[str, Any]:
    """A snapshot of the group, so long after the agent was gone."""
    named = {DEAD: pending.get("dead"), HEIR: pending.get("heir")}
    return {
        "mono_ns": GONE_NS + round(after_s * S),
        "pending": {name: ids for name, ids in named.items() if ids},
    }


CLAIMED = (
    snapshot(-1, dead=["1-0"]),
    snapshot(0.2, dead=["2-0", "3-0"], heir=["4-0"]),
    snapshot(3.0, heir=["2-0", "3-0"]),
    snapshot(5.0),
)


def judged(world: World, reports: Path, *snapshots: dict[str, Any]) -> Assessment:
    """The assessment of a run with these snapshots."""
    folder = world.write(reports)
    if snapshots:
        folder.write_text(folder.pool, "".join(json.dumps(one) + "\n" for one in snapshots))
        write_manifest(folder)
    return assess(folder)


def check_of(found: Assessment, name: str) -> Check:
    """The check of that name."""
    return next(check for check in found.judgement.checks if check.id == name)


@pytest.mark.parametrize("agents", [1, 3])
def test_an_agent_that_was_made_to_leave_is_no_reason(agents: int, tmp_path: Path) -> None:
    """It need not run at the end, and the others have what it held."""
    found = judged(world_of(agents=agents), tmp_path, *CLAIMED)
    assert unclean(found) == {}
    assert "after 4 ends, each of them planned" in check_of(found, AGENT_POOL.id).message
    assert "1 of what was made to leave" in check_of(found, "quotas_enforced").message
    used = check_of(found, PENDING_TAKEOVER.id)
    assert f"{AGENT} ({DEAD}) held 2 events when it left (2-0 to 3-0)" in used.message
    assert f"{HEIR} claimed 2; nothing was pending for it after 3,000 ms" in used.message
    assert used.figures["emptied_ns"] == 3 * S
    console = Console(record=True, width=300, file=io.StringIO())
    console.print(render(found.measurement, found.judgement, tmp_path))
    assert f"pass; {AGENT} is out of the pool after 4 ends" in console.export_text()


@pytest.mark.parametrize(
    "world",
    [world_of(kills=3, proven=3), world_of(proven=3)],
    ids=["an end too many", "an end that nobody proved"],
)
def test_an_end_that_was_not_planned_makes_the_run_invalid(world: World, tmp_path: Path) -> None:
    """Then it is a crash, and the agent should be there."""
    found = judged(world, tmp_path, *CLAIMED)
    assert unclean(found)[AGENT_POOL.id] is Verdict.INVALID
    assert "3 of its 4 ends were planned" in check_of(found, AGENT_POOL.id).message
    assert unclean(found)["quotas_enforced"] is Verdict.INVALID


def test_an_alert_that_the_stack_knows_nothing_of_is_no_good(tmp_path: Path) -> None:
    """Two pieces of evidence that speak against each other."""
    found = judged(world_of(lost=False), tmp_path, *CLAIMED)
    assert "stack.json does not confirm it" in check_of(found, AGENT_POOL.id).message
    assert unclean(found)[AGENT_POOL.id] is Verdict.INVALID


@pytest.mark.parametrize(("subject", "verdict"), [(AGENT, None), ("other", Verdict.INVALID)])
def test_the_subject_of_an_alert_is_its_container(
    subject: str, verdict: Verdict | None, tmp_path: Path
) -> None:
    """Whatever its sentence says."""
    world = world_of()
    world.run["events"][-1] |= {"what": "made up", "subject": subject}
    assert unclean(judged(world, tmp_path, *CLAIMED)).get(AGENT_POOL.id) is verdict


@pytest.mark.parametrize(
    ("snapshots", "status", "text"),
    [
        ((snapshot(0.2, dead=["2-0"]), snapshot(16.0, dead=["2-0"])), Status.FAIL, "still pending"),
        ((snapshot(0.2, dead=["2-0"]), snapshot(16.0, heir=["2-0"])), Status.FAIL, "after 16.0 s"),
        (
            (snapshot(0.2, dead=["2-0"]), snapshot(5.0, dead=["2-0"])),
            Status.INCONCLUSIVE,
            "1 event",
        ),
        ((snapshot(0.2, dead=["2-0"]), snapshot(5.0)), Status.PASS, "1 were acknowledged between"),
        (
            (snapshot(0.2, dead=["2-0"]), {**snapshot(5.0), "whole": False}),
            Status.INCONCLUSIVE,
            "more was pending than was listed",
        ),
        ((snapshot(-1, dead=["1-0"]), snapshot(0.2)), Status.NOT_APPLICABLE, "held no event"),
        ((snapshot(0.2, heir=["2-0"]),), Status.NOT_APPLICABLE, "no consumer"),
        ((snapshot(-1, dead=["1-0"]),), Status.INCONCLUSIVE, "the group was not sampled after"),
        (
            (snapshot(-1, dead=["1-0"]), {**snapshot(2.0), "pending": None}),
            Status.INCONCLUSIVE,
            "the group was not sampled after",
        ),
        ((), Status.INVALID, "was not sampled"),
    ],
)
def test_what_is_pending_for_the_dead(
    snapshots: tuple[dict[str, Any], ...], status: Status, text: str, tmp_path: Path
) -> None:
    """It has to be somebody else's within the stated time."""
    check = check_of(judged(world_of(), tmp_path, *snapshots), PENDING_TAKEOVER.id)
    assert (check.status, text in check.message) == (status, True), check.message


def test_where_nobody_shares_nothing_is_asked(tmp_path: Path) -> None:
    """Nor where nobody left."""
    names = {c.id for c in judged(world_of(shared=False), tmp_path).judgement.checks}
    assert AGENT_POOL.id in names
    assert PENDING_TAKEOVER.id not in names
    names = {c.id for c in judged(healthy(), tmp_path).judgement.checks}
    assert not names & {AGENT_POOL.id, PENDING_TAKEOVER.id}
