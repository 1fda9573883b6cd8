"""Reading scenarios: what is accepted, and how clearly the rest is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from harness.cli.overrides import as_overrides
from harness.errors import UsageError
from harness.evidence.run_folder import scenario_text
from harness.scenario import (
    SLO,
    Chain,
    Engine,
    Load,
    Phase,
    Redis,
    Scenario,
    Signals,
    Stage,
    Telemetry,
    load_scenario,
    parse_objective,
)
from harness.scenario.agent_containers import AgentContainers, ScaleStep
from harness.scenario.gate import Gate, Weights

TOMLS = sorted((Path(__file__).resolve().parents[2] / "scenarios").rglob("*.toml"))
# The others are experiments over levels, and policies of sign-offs.
OTHERS = ("[experiment]", "[policy]")
SCENARIOS = [
    path for path in TOMLS if not any(one in path.read_text(encoding="utf-8") for one in OTHERS)
]

GOOD = """
name = "good"
about = "a scenario"
objectives = ["p99 < 500 ms"]
[load]
warmup_s = 2
[[load.stages]]
agents = 5
rate_from = 10
duration_s = 4
[[load.stages]]
agents = 10
rate_from = 10
rate_to = 50
duration_s = 6
"""

BAD = """
name = "bad one"
about = "wrong in many ways"
bogus = 1
objectives = ["p101 < 5 ms", "pfoo < 3 ms", "p99 <"]
[load]
warmup_s = -1
[[load.stages]]
agents = "many"
rate_from = 10
duration_s = -5
"""


def write(folder: Path, text: str) -> Path:
    """A scenario file with this text."""
    path = folder / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_shipped_scenario_is_sound(path: Path) -> None:
    """Each file in scenarios/ loads and is named after its scenario."""
    assert load_scenario(path).name == path.stem


def test_timeline_begins_with_the_warmup(tmp_path: Path) -> None:
    """The warm-up runs at the first rate and is a phase of its own."""
    timeline = load_scenario(write(tmp_path, GOOD)).load.timeline()
    assert [stage.phase for stage in timeline] == [Phase.WARMUP, Phase.MEASURE, Phase.MEASURE]
    assert (timeline[0].rate_from, timeline[0].duration_s) == (10, 2)
    assert timeline[1].rate_to == timeline[1].rate_from == 10


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    """One message names every wrong entry with its place."""
    with pytest.raises(UsageError) as caught:
        load_scenario(write(tmp_path, BAD))
    message = str(caught.value)
    for part in (
        "name:",
        "bogus: unknown key",
        "load.warmup_s:",
        "load.stages.0.agents:",
        "load.stages.0.duration_s:",
        "unknown percentile 'p101'",
        "unknown percentile 'pfoo'",
        "'p99 <' is not an objective",
    ):
        assert part in message


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is named, with a hint."""
    with pytest.raises(UsageError, match=r"nowhere\.toml: no such file"):
        load_scenario(tmp_path / "nowhere.toml")


def test_not_toml(tmp_path: Path) -> None:
    """A syntax error is reported with its line."""
    with pytest.raises(UsageError, match=r"not TOML: .*line 1"):
        load_scenario(write(tmp_path, "name = = 3"))


def test_overrides_reach_every_key(tmp_path: Path) -> None:
    """Short options change all stages, --set any key, and the duration is shared out."""
    pairs, edit = as_overrides(
        agents=7, rate=20, duration=5, seed=9, settings=["load.warmup_s=0", "signals.memo_bytes=10"]
    )
    scenario = load_scenario(write(tmp_path, GOOD), pairs, edit)
    assert [stage.agents for stage in scenario.load.stages] == [7, 7]
    assert [stage.rate_to for stage in scenario.load.stages] == [20, 20]
    assert sum(stage.duration_s for stage in scenario.load.timeline()) == pytest.approx(5)
    assert (scenario.seed, scenario.signals.memo_bytes) == (9, 10)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "not key=value"),
        ("seed.deep=1", "is a value, not a table"),
        ("load.stages.7.agents=1", r"not one of 0\.\.1"),
        ("load.bogus=1", "load.bogus: unknown key"),
    ],
)
def test_wrong_override_is_refused(tmp_path: Path, override: str, message: str) -> None:
    """An override that fits nothing is an error, never ignored."""
    path = write(tmp_path, GOOD.replace('name = "good"', 'name = "good"\nseed = 3'))
    with pytest.raises(UsageError, match=message):
        load_scenario(path, [override])


BAD_OBJECTIVES = """
name = "bad-objectives"
about = "objectives that cannot be watched, and tables that are not objectives"
objectives = [
    { objective = "p99 < 500 ms", abort_on_fail = "yes", bogus = 1 },
    { objective = "rejected < 1 %", abort_on_fail = true },
    { objective = "stage 1 p99 < 500 ms", abort_on_fail = true },
    { objective = "p99 < 500 ms", abort_delay_s = 3 },
    { abort_on_fail = true },
    7,
    "max over any 10 s < 1 s",
    "p99 over any 0.5 s < 1 s",
    "stage peak p99 over any 2 s < 1 s",
    { objective = "p99 < 500 ms outside faults", abort_on_fail = true },
]
[load]
[[load.stages]]
agents = 5
rate_from = 10
duration_s = 4
"""


def test_all_problems_of_objectives_are_reported_at_once(tmp_path: Path) -> None:
    """Texts and tables alike, each with its place."""
    with pytest.raises(UsageError) as caught:
        load_scenario(write(tmp_path, BAD_OBJECTIVES))
    message = str(caught.value)
    for part in (
        "objectives.0.table.abort_on_fail:",
        "objectives.0.table.bogus: unknown key",
        "objectives.1.table: abort_on_fail is for percentiles and max of latency, not 'rejected",
        "objectives.2.table: abort_on_fail is for",
        "objectives.3.table: abort_delay_s needs abort_on_fail",
        "objectives.4.table.objective: Field required",
        "objectives.5.text:",
        "objectives.6.text: the max over any window is the max",
        "objectives.7.text: a window is at least 1 s long",
        "objectives.8.text: write either 'stage ...' or 'over any ...'",
        "objectives.9.table: abort_on_fail is for",
    ):
        assert part in message


def test_objectives_must_fit_the_load(tmp_path: Path) -> None:
    """A stage that is not there or not measured, a window that is too long, names given twice."""
    wanted = (
        'objectives = ["stage peak p99 < 1 s", "stage 3 p50 < 1 s", "stage idle p50 < 1 s",'
        ' "p99 over any 20 s < 1 s", "stage 2 max < 1 s"]'
    )
    text = GOOD.replace('objectives = ["p99 < 500 ms"]', wanted)
    text = text.replace("duration_s = 4", 'duration_s = 4\nname = "idle"\nphase = "warmup"')
    with pytest.raises(UsageError) as caught:
        load_scenario(write(tmp_path, text))
    message = str(caught.value)
    for part in (
        "no stage 'peak'",
        "no stage '3'",
        "stage 'idle' is not measured",
        "measured load, 6 s",
    ):
        assert part in message
    assert "stage 2" not in message
    with pytest.raises(UsageError, match="two stages are named 'twin'"):
        load_scenario(write(tmp_path, GOOD.replace("agents", 'name = "twin"\nagents')))


@pytest.mark.parametrize("name", ["1", "Peak", "two parts", "x" * 40])
def test_stage_names_are_identifiers(name: str, tmp_path: Path) -> None:
    """A name that is a number, or that the grammar cannot read, is refused."""
    with pytest.raises(UsageError, match=r"load\.stages\.0\.name"):
        load_scenario(write(tmp_path, GOOD.replace("agents = 5", f'name = "{name}"\nagents = 5')))


def test_objectives_come_from_texts_and_tables(tmp_path: Path) -> None:
    """Both forms may stand side by side."""
    mixed = """objectives = [
        "p99 < 500 ms",
        { objective = "p99 over any 2 s < 500 ms", abort_on_fail = true, abort_delay_s = 2.5 },
    ]"""
    scenario = load_scenario(write(tmp_path, GOOD.replace('objectives = ["p99 < 500 ms"]', mixed)))
    plain, watched = scenario.slos()
    assert (plain.abort_on_fail, plain.parsed.percentile) == (False, 99.0)
    assert (watched.abort_on_fail, watched.abort_delay_s) == (True, 2.5)
    assert [one.window_ns for one in scenario.parsed_objectives()] == [None, 2 * 10**9]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["p99 < 500 ms", "rate >= 99 %", "recovery < 15 s", "stage 1 max < 1 s"]
            ),
            st.builds(
                SLO,
                objective=st.sampled_from(["p99 over any 2 s < 1 s", "lite p90 < 5 ms"]),
                abort_on_fail=st.just(True),
                abort_delay_s=st.floats(min_value=0, max_value=1_000),
            ),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_objectives_survive_the_scenario_file(entries: list[str | SLO]) -> None:
    """The resolved scenario, written as TOML, is the same when it is read again."""
    stage = Stage(name="only", agents=1, rate_from=10.0, rate_to=10.0, duration_s=9.0)
    scenario = Scenario(
        name="written", about="x", load=Load(stages=(stage,)), objectives=tuple(entries)
    )
    document = tomllib.loads(scenario_text(scenario))
    assert Scenario.model_validate(document) == scenario


TOKENS = st.sampled_from(
    ["p99", "p99.9", "max", "lite", "full", "of", "latency", "service", "over", "any", "10", "s",
     "2", "ms", "<", ">=", "%", "stage", "peak", "recovery", "rejected", "rate", "simulated", "p"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=40), st.lists(TOKENS, max_size=9).map(" ".join)))
def test_reading_an_objective_never_crashes(text: str) -> None:
    """Any text is an objective or is refused with the grammar."""
    try:
        objective = parse_objective(text)
    except ValueError:
        return
    assert parse_objective(objective.text) == objective
    assert (objective.limit_ns is None) != (objective.limit_share is None)


@given(
    st.sampled_from(["p50", "p99", "p99.99"]),
    st.sampled_from(["", "lite ", "full "]),
    st.sampled_from(["", " of service", " of lateness"]),
    st.integers(10, 10_000),
)
def test_windows_read_back(rank: str, mode: str, metric: str, tenths: int) -> None:
    """Any percentile, any mode, any length of a tenth of a second."""
    objective = parse_objective(f"{mode}{rank}{metric} over any {tenths / 10:.1f} s < 5 ms")
    assert objective.window_ns == tenths * 100_000_000
    assert objective.percentile == float(rank[1:])
    assert objective.mode == (mode.strip() or None)


def test_other_forms_read_back() -> None:
    """Stages by name and number, recovery, shares."""
    staged = parse_objective("stage  peak lite p99 of service < 2 s")
    assert (staged.stage, staged.mode, staged.metric) == ("peak", "lite", "service")
    assert parse_objective("stage 2 max < 1 s").stage == "2"
    recovery = parse_objective("recovery < 15 s")
    assert (recovery.metric, recovery.limit_ns) == ("recovery", 15 * 10**9)
    simulated = parse_objective("simulated >= 99.5 %")
    assert simulated.metric == "simulated"
    assert simulated.limit_share == pytest.approx(0.995)


@given(
    st.floats(min_value=0.001, max_value=99.999, allow_nan=False),
    st.integers(min_value=1, max_value=100_000),
    st.sampled_from(["latency", "service", "lateness"]),
    st.sampled_from(["", "lite ", "full "]),
)
def test_objectives_read_back(percentile: float, limit: int, metric: str, mode: str) -> None:
    """What the grammar can write is read back with its figures."""
    rank = f"{percentile:.3f}"
    objective = parse_objective(f"{mode}p{rank} of {metric} < {limit} ms")
    assert objective.percentile == float(rank)
    assert objective.limit_ns == limit * 1_000_000
    assert objective.metric == metric
    assert objective.mode == (mode.strip() or None)


@pytest.mark.parametrize(
    "text",
    ["", "p0 < 1 ms", "p100 < 1 ms", "p99 > 1 ms", "p99 < 1", "rejected < 101 %", "p99 < -1 ms"],
)
def test_nonsense_is_no_objective(text: str) -> None:
    """What cannot be judged is refused when it is read."""
    with pytest.raises(ValueError, match=r"objective|percentile|more than all"):
        parse_objective(text)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"service": "mmc"}, "service_rate belong together"),
        ({"service_rate": 300.0}, "service_rate belong together"),
        ({"service": "mmc", "service_rate": 300.0, "workers": 2}, "needs workers = 1"),
        ({"service": "token_bucket", "service_rate": 300.0, "servers": 2}, 'of service = "mmc"'),
        ({"service": "mmc", "service_rate": 300.0, "defects": ["stuck_row"]}, "has no defects"),
    ],
)
def test_a_service_of_the_engine_is_whole(keys: dict[str, object], message: str) -> None:
    """The error says which keys do not fit together."""
    with pytest.raises(ValidationError, match=message):
        Engine.model_validate({"workers": 1, **keys})


@pytest.mark.parametrize(
    "model",
    [
        *(Scenario, Load, Stage, Signals, Chain, Redis, Engine, SLO, Telemetry),
        *(Gate, Weights, AgentContainers, ScaleStep),
    ],
)
def test_every_key_is_documented(model: type[BaseModel]) -> None:
    """docs/scenarios.md names each key that a scenario may have."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text(
        encoding="utf-8"
    )
    for key in model.model_fields:
        assert key in page, key


def test_agents_do_not_claim_events_in_progress() -> None:
    """An event in progress is not pending for too long."""
    AgentContainers(think_s=2, claim_after_s=3)
    with pytest.raises(ValidationError, match="longer than think_s"):
        AgentContainers(think_s=3, claim_after_s=3)


STEPS = {"agents": 3, "shared_group": True, "think_s": 1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shared_group": False}, "steps need shared_group = true"),
        ({"think_s": 0.4}, "think_s >= 0.5"),
        ({"agents": 0}, "steps need agents"),
        ({"steps": [{"at_s": 2.0, "agents": 5}, {"at_s": 2.0, "agents": 3}]}, "in the order"),
        ({"steps": [{"at_s": 2.0, "agents": 101}]}, "less than or equal to 100"),
    ],
)
def test_steps_that_cannot_be_observed_are_refused(changes: dict[str, Any], message: str) -> None:
    """The message says what they need."""
    steps = [{"at_s": 2.0, "agents": 5}, {"at_s": 4.0, "agents": 3}]
    AgentContainers.model_validate({**STEPS, "steps": steps})
    with pytest.raises(ValidationError, match=message):
        AgentContainers.model_validate({**STEPS, "steps": steps, **changes})


def test_steps_lie_within_the_measured_load() -> None:
    """One that comes later would never be done."""
    document = {
        "name": "s",
        "about": "a",
        "objectives": ["p99 < 1 s"],
        "load": {"stages": [{"agents": 1, "rate_from": 10.0, "duration_s": 5.0}]},
        "agent_containers": {**STEPS, "steps": [{"at_s": 5.0, "agents": 5}]},
    }
    with pytest.raises(ValidationError, match="the last one is at 5 s"):
        Scenario.model_validate(document)
