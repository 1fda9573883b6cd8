"""Reading scenarios: what is accepted, and how clearly the rest is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.overrides import as_overrides
from harness.errors import UsageError
from harness.scenario import (
    Chain,
    Engine,
    Load,
    Phase,
    Scenario,
    Signals,
    Stage,
    load_scenario,
    parse_objective,
)

SCENARIOS = sorted((Path(__file__).resolve().parents[2] / "scenarios").glob("*.toml"))

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


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
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
    """A syntax error is told with its line."""
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


@pytest.mark.parametrize("model", [Scenario, Load, Stage, Signals, Chain, Engine])
def test_every_key_is_documented(model: type[Scenario]) -> None:
    """docs/scenarios.md names each key that a scenario may have."""
    page = (SCENARIOS[0].parents[1] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    for key in model.model_fields:
        assert key in page, key
