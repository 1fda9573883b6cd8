"""A scale-out in the judgement: each check turns with the one thing that it is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.assessment.assess import Assessment
from harness.evidence.scale_log import (
    AgentInstance,
    AgentSignals,
    ScaleBegin,
    ScaleEnd,
    ScaleLogEntry,
    ScaleStepRecord,
    ServiceIdentity,
)
from harness.judge.check import Check
from harness.judge.scale_out import (
    AGENTS_SERVED,
    EVENTS_SPREAD,
    NOTHING_LEFT_PENDING,
    SCALE_OUT_EXECUTED,
    SCALED_IN_TIME,
    SPECS,
    ZONE_B_UNCHANGED,
)
from harness.judge.verdict import Status, Verdict
from harness.report.data import read_report_data
from harness.report.html.page import html_report
from harness.report.markdown import markdown
from harness.scenario import Scenario
from tests.unit.analysis.evidence import MS, SERVER_US, T0_NS, S, World, healthy
from tests.unit.judge.assessing import assessed, unclean
from tests.unit.judge.test_host_interference import ALL, BURNERS, judged, telemetry
from tests.unit.test_terminal import shown

# One second of warm-up comes before; the load is measured for ten.
START_NS = T0_NS + S
OUT_NS, IN_NS = START_NS + 2 * S, START_NS + 6 * S
OUT_DONE_NS, IN_DONE_NS, END_NS = OUT_NS + 500 * MS, IN_NS + 100 * MS, START_NS + 10 * S
SETTINGS = {
    "agents": 2,
    "shared_group": True,
    "think_s": 0.5,
    "claim_after_s": 1.0,
    "claimed_within_s": 1.5,
    "scaled_within_s": 1.0,
    "served_within_s": 1.0,
    "steps": [{"at_s": 2.0, "agents": 4}, {"at_s": 6.0, "agents": 2}],
}
LIMITS = {"cpu_quota_us": 400_000, "memory_bytes": 8 << 30, "swap_bytes": None}


def agent(number: int, running_ns: int) -> AgentInstance:
    """An agent by its number."""
    return AgentInstance(
        name=f"python-agent-{number}", host=f"host{number:02d}", running_ns=running_ns
    )


OLD = (agent(1, T0_NS - S), agent(2, T0_NS - S))
NEW = (agent(3, OUT_NS + 200 * MS), agent(4, OUT_NS + 300 * MS))


def services(**changes: Any) -> tuple[ServiceIdentity, ...]:
    """Zone B, with changes of the engine."""
    engine = {"id": "e" * 64, "pid": 7, "started": "12:00", "restarts": 0, "limits": LIMITS}
    redis = ServiceIdentity(name="redis", id="r" * 64, pid=8, started="12:00", restarts=0)
    return (redis, ServiceIdentity.model_validate({"name": "engine", **engine, **changes}))


def pool(first: int = 0, agents: int = 4) -> list[dict[str, Any]]:
    """Each agent has one event in turn, every 100 ms, and keeps it for half a second."""
    lines = []
    for moment_ns in range(START_NS, END_NS, 100 * MS):
        tick = (moment_ns - START_NS) // (100 * MS)
        pending: dict[str, list[str]] = {}
        for event in range(max(0, tick - 4), tick + 1):
            added_ns = START_NS + event * 100 * MS
            is_out = OUT_DONE_NS <= added_ns < IN_NS - 500 * MS
            host = 1 + first + event % (agents if is_out else 2)
            pending.setdefault(f"agent-host{host:02d}", []).append(f"{event}-0")
        lines.append({"mono_ns": moment_ns, "pending": pending})
    return lines


def scaled() -> World:
    """A run in which 2 agents became 4 and 2 again, and all was well."""
    world = healthy(None, "p99 < 5 s")
    document = {**world.scenario.model_dump(mode="json"), "agent_containers": SETTINGS}
    world.scenario = Scenario.model_validate(document)
    world.run["load_end_ns"] = END_NS
    world.scale_out = [
        ScaleBegin(mono_ns=T0_NS, agents=OLD, services=services()),
        ScaleStepRecord(
            number=1,
            wanted=4,
            planned_ns=OUT_NS,
            asked_ns=OUT_NS + MS,
            scaled_ns=OUT_DONE_NS,
            before=services(),
            services=services(),
            agents=(*OLD, *NEW),
        ),
        ScaleStepRecord(
            number=2,
            wanted=2,
            planned_ns=IN_NS,
            asked_ns=IN_NS + MS,
            scaled_ns=IN_DONE_NS,
            before=services(),
            services=services(),
            agents=OLD,
        ),
        ScaleEnd(
            mono_ns=END_NS + S,
            services=services(),
            signals=(
                AgentSignals(
                    host=NEW[0].host,
                    signals=3,
                    simulated=3,
                    first_simulated_us=SERVER_US + (NEW[0].running_ns + 400 * MS) // 1_000,
                ),
            ),
        ),
    ]
    world.pool = pool()
    return world


def change(world: World, line: int, **changes: Any) -> None:
    """Change one line of the log."""
    assert world.scale_out is not None
    old: ScaleLogEntry = world.scale_out[line]
    world.scale_out[line] = type(old).model_validate({**old.model_dump(), **changes})


def check_of(found: Assessment, name: str) -> Check:
    """The check of that name."""
    return next(check for check in found.judgement.checks if check.id == name)


def test_a_scale_out_that_went_well(tmp_path: Path) -> None:
    """Every check passes with its figures, and the reports have a table of the steps."""
    found = assessed(scaled(), tmp_path)
    assert unclean(found) == {}
    assert {check_of(found, spec.id).status for spec in SPECS} == {Status.PASS}
    assert check_of(found, ZONE_B_UNCHANGED.id).figures["values"] == 7 + 4
    served = check_of(found, AGENTS_SERVED.id).figures
    assert (served["agents"], served["simulated"]) == (2, 1)
    assert served["event_max_ns"] == 400 * MS
    # The clock of the server is known to 100 us.
    assert served["simulated_max_ns"] == pytest.approx(400 * MS, abs=MS)
    figures = found.measurement.scale_out
    assert figures is not None
    assert [(one.agents_before, one.agents, one.left) for one in figures.steps] == [
        (2, 4, 0),
        (4, 2, 2),
    ]
    assert figures.steps[0].scaled_ns == 499 * MS
    assert [one.window for one in figures.steps[0].latency] == ["before", "during", "after"]
    assert [one.agents for one in figures.consumers] == [2, 4, 2]


def test_the_reports_have_a_table_of_the_steps(tmp_path: Path) -> None:
    """Terminal, Markdown and page; with what changed of a service."""
    world = scaled()
    _restarted(world)
    terminal = shown(world, tmp_path / "shown")
    data = read_report_data(world.write(tmp_path / "stored"))
    for text in (terminal, markdown(data), html_report(data)):
        plain = text.replace("&gt;", ">").replace("\\", "")
        assert "2 -> 4" in plain
        assert "pid 7 -> 9 (after step 2)" in plain


def _restarted(world: World) -> None:
    change(world, 2, services=services(pid=9, started="12:05"))


def _requota(world: World) -> None:
    change(world, 3, services=services(limits={**LIMITS, "cpu_quota_us": 200_000}))


def _gone(world: World) -> None:
    change(world, 2, before=services()[:1])


def _slow(world: World) -> None:
    change(world, 1, asked_ns=OUT_NS, scaled_ns=OUT_NS + 1_100 * MS)


def _starved(world: World) -> None:
    world.pool = pool(agents=3)


def _left(world: World) -> None:
    for line in world.pool:
        if line["mono_ns"] >= IN_DONE_NS:
            line["pending"]["agent-host04"] = ["999-0"]


@pytest.mark.parametrize(
    ("spoil", "check", "text"),
    [
        (_restarted, ZONE_B_UNCHANGED, "engine: pid 7 -> 9 (after step 2)"),
        (_requota, ZONE_B_UNCHANGED, "engine: limit cpu_quota_us 400000 -> 200000 (end)"),
        (_gone, ZONE_B_UNCHANGED, "-> absent (before step 2)"),
        (_slow, SCALED_IN_TIME, "4 agents after 1,100 ms"),
        (_starved, AGENTS_SERVED, "1 of 2 new agents had an event"),
        (_starved, EVENTS_SPREAD, "4 agents: 0 to"),
        (_left, NOTHING_LEFT_PENDING, "1 of them still pending at the end"),
    ],
)
def test_each_thing_that_goes_wrong_fails_its_check(
    spoil: Callable[[World], None], check: Any, text: str, tmp_path: Path
) -> None:
    """By name, and with what differs."""
    world = scaled()
    spoil(world)
    found = assessed(world, tmp_path)
    spoiled = check_of(found, check.id)
    assert (spoiled.status, text in spoiled.message) == (Status.FAIL, True), spoiled.message
    assert found.judgement.verdict is Verdict.FAIL


def test_a_time_missed_while_others_had_the_host_is_invalid(tmp_path: Path) -> None:
    """The step is not the system's then; what changed in Zone B still is."""
    world = scaled()
    _slow(world)
    _restarted(world)
    found = judged(world, telemetry(BURNERS, ALL), tmp_path / "busy")
    assert check_of(found, SCALED_IN_TIME.id).status is Status.INVALID
    assert check_of(found, ZONE_B_UNCHANGED.id).status is Status.FAIL
    alone = judged(world, telemetry({}, ALL), tmp_path / "free")
    assert check_of(alone, SCALED_IN_TIME.id).status is Status.FAIL


def test_a_restart_is_named_once(tmp_path: Path) -> None:
    """The later readings show the same values."""
    world = scaled()
    _restarted(world)
    change(world, 3, services=services(pid=9, started="12:05"))
    examples = check_of(assessed(world, tmp_path), ZONE_B_UNCHANGED.id).examples
    assert examples == (
        "engine: pid 7 -> 9 (after step 2)",
        "engine: started 12:00 -> 12:05 (after step 2)",
    )


@pytest.mark.parametrize(
    ("line", "changes", "text"),
    [
        (1, {"asked_ns": None, "scaled_ns": None, "trouble": "no such image"}, "no such image"),
        (1, {"asked_ns": OUT_NS - 1}, "was done before its time"),
        (2, {"scaled_ns": END_NS + 1}, "was done only after the load"),
        (1, {"agents": (*OLD, NEW[0])}, "3 agents run"),
        (2, {"wanted": 3}, "of 2 planned steps were recorded"),
        (3, {"trouble": "cg:agents: no such group"}, "no such group"),
    ],
)
def test_what_was_not_done_as_planned_proves_nothing(
    line: int, changes: dict[str, Any], text: str, tmp_path: Path
) -> None:
    """The run is INVALID and says which step."""
    world = scaled()
    change(world, line, **changes)
    found = check_of(assessed(world, tmp_path), SCALE_OUT_EXECUTED.id)
    assert (found.status, text in found.message) == (Status.INVALID, True), found.message


def test_a_run_that_ended_before_its_steps_is_judged(tmp_path: Path) -> None:
    """Nothing was scaled, and what the agents had before is known."""
    world = scaled()
    for line in (1, 2):
        change(world, line, asked_ns=None, scaled_ns=None, agents=(), trouble="the load was over")
    found = assessed(world, tmp_path)
    assert check_of(found, SCALE_OUT_EXECUTED.id).status is Status.INVALID
    assert check_of(found, ZONE_B_UNCHANGED.id).status is Status.PASS
    for spec in (SCALED_IN_TIME, AGENTS_SERVED, NOTHING_LEFT_PENDING):
        assert check_of(found, spec.id).status is Status.NOT_APPLICABLE


def test_steps_without_a_record_prove_nothing(tmp_path: Path) -> None:
    """Only the check of the execution is there."""
    world = scaled()
    world.scale_out = None
    found = assessed(world, tmp_path)
    assert check_of(found, SCALE_OUT_EXECUTED.id).status is Status.INVALID
    assert not {check.id for check in found.judgement.checks} & {spec.id for spec in SPECS[1:]}


def test_a_group_that_was_not_sampled_proves_nothing(tmp_path: Path) -> None:
    """Who had an event is not known."""
    world = scaled()
    world.pool = []
    found = assessed(world, tmp_path)
    assert check_of(found, SCALE_OUT_EXECUTED.id).status is Status.INVALID
    assert check_of(found, AGENTS_SERVED.id).status is Status.NOT_APPLICABLE


def test_without_steps_there_is_no_such_check(tmp_path: Path) -> None:
    """Nor a figure."""
    found = assessed(healthy(), tmp_path)
    assert not {check.id for check in found.judgement.checks} & {spec.id for spec in SPECS}
    assert found.measurement.scale_out is None
