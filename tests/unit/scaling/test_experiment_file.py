"""The file of an experiment: what it may say, and the scenario of each run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.errors import UsageError
from harness.scenario import load_scenario
from harness.scenario.experiment import (
    SETTINGS,
    Experiment,
    Measure,
    base_file,
    load_experiment,
)
from harness.stack.settings import ROOT
from tests.unit.scaling.experiments import base, experiment

SHIPPED = [
    path
    for path in sorted((ROOT / "scenarios").glob("*.toml"))
    if "[experiment]" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_experiment_is_sound(path: Path) -> None:
    """It has enough levels, and a scenario at each of them."""
    found = load_experiment(path)
    assert found.name == path.stem
    assert not found.indicative
    scenario = load_scenario(base_file(found, path.parent, ROOT), found.set)
    for level in found.levels:
        assert found.scenario_at(scenario, level, 1).seed == 1


def test_there_are_the_experiments_that_were_asked_for() -> None:
    """Agents, workers, a CPU quota and the length of the stream."""
    varied = {load_experiment(path).vary for path in SHIPPED}
    assert varied == {"load.agents", "engine.workers", "quota.engine.cpus", "redis.stream_maxlen"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vary": "engine.worker"}, "did you mean engine.workers"),
        ({"vary": "quota.engin.cpus"}, "did you mean quota.engine.cpus"),
        ({"vary": "postgres.fsync"}, "has to be on disk"),
        ({"vary": "postgres.ssl"}, "no setting that may be changed"),
        ({"levels": [1, 2, 3, 4]}, "indicative"),
        ({"levels": [1, 1, 2, 3, 4]}, "twice"),
        ({"levels": [1, 1.0, 2, 3, 4]}, "equal"),
        ({"levels": ["4 MB; DROP", "\x1b[2J", "a", "b", "c"]}, "40 letters"),
        ({"levels": [float("nan"), 1, 2, 3, 4]}, "1e15"),
        ({"levels": [10**400, 1, 2, 3, 4]}, "1e15"),
        ({"repeats": 2}, "indicative"),
        ({"measure": "speed"}, "capacity"),
        ({"search": {"width": "10%"}}, "without a search"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str) -> None:
    """Each with what is possible."""
    with pytest.raises(ValidationError, match=message):
        experiment(**changes)


def test_few_levels_have_to_be_stated() -> None:
    """Two levels, once each."""
    found = experiment(levels=[1, 2], repeats=1, indicative=True)
    assert len(found.cells()) == 2


def test_the_order_is_random_and_that_of_the_seed() -> None:
    """Each level as often as it is repeated; the next seed has another order."""
    cells = experiment().cells()
    assert set(Counter(cell.level for cell in cells).values()) == {3}
    assert len(set(cells)) == 15
    assert cells == experiment().cells()
    assert cells != experiment(seed=2).cells()
    assert list(cells) != sorted(cells, key=lambda cell: (cell.level, cell.repeat))


def test_each_run_has_a_seed_of_its_own() -> None:
    """Also each attempt."""
    found = experiment()
    seeds = [found.seed_of(number, attempt) for attempt in range(3) for number in range(15)]
    assert len(set(seeds)) == 45


def test_agents_keep_their_rate() -> None:
    """50 agents send 100 signals/s, so 75 send 150."""
    found = experiment(vary="load.agents", levels=[10, 25, 50, 75, 100], measure="latency")
    stage = found.scenario_at(base(), 75, 9).load.stages[0]
    assert (stage.agents, stage.rate_from, stage.rate_to) == (75, 150.0, 150.0)


def test_a_run_has_a_fixed_length_unless_a_search_decides_it() -> None:
    """Runs of different lengths are not comparable."""
    assert base().load.until_decided_s is not None
    assert experiment().scenario_at(base(), 1, 1).load.until_decided_s is None
    searched = experiment(measure="capacity").scenario_at(base(), 1, 1)
    assert searched.load.until_decided_s == base().load.until_decided_s


@pytest.mark.parametrize(
    ("vary", "levels", "shown"),
    [
        ("quota.engine.cpus", [0.5, 1, 1.5, 2, 4], "quota.engine.cpus=0.5"),
        ("quota.postgres.memory", ["512m", "1g", "2g", "3g", "4g"], "quota.postgres.memory=512m"),
        ("postgres.work_mem", ["4MB", "8MB", "16MB", "32MB", "64MB"], "postgres.work_mem=4MB"),
        ("postgres.random_page_cost", [1.1, 2.0, 3.0, 4.0, 5.0], "postgres.random_page_cost=1.1"),
        ("postgres.jit", [True, False], "postgres.jit=on"),
    ],
)
def test_a_changed_system_is_named(vary: str, levels: list[Any], shown: str) -> None:
    """The scenario of the run says so, and its grade after it."""
    found = experiment(vary=vary, levels=levels, indicative=True)
    assert found.scenario_at(base(), levels[0], 1).system_changes == (shown,)


def test_sizes_are_numbers_of_their_unit() -> None:
    """Of a quota in GiB, of a setting in MiB; a word is no number."""
    memory = experiment(vary="quota.redis.memory", levels=["512m", "1g", "2g", "3g", "4g"])
    assert [memory.number(level) for level in memory.levels] == [0.5, 1, 2, 3, 4]
    setting = experiment(
        vary="postgres.wal_compression", levels=["off", "pglz", "lz4"], indicative=True
    )
    assert [setting.number(level) for level in setting.levels] == [None] * 3
    work = experiment(vary="postgres.work_mem", levels=["4MB", "1GB"], indicative=True)
    assert (work.setting.unit, work.number("1GB")) == ("MiB", 1024)


@pytest.mark.parametrize(
    ("vary", "level"),
    [
        ("engine.workers", 0),
        ("engine.workers", 2.5),
        ("load.agents", "many"),
        ("signals.hot_share", 1.5),
        ("quota.engine.memory", "lots"),
        ("quota.engine.cpus", -1.0),
    ],
)
def test_a_level_that_is_none_is_refused(vary: str, level: Any) -> None:
    """With the key and the value."""
    found = experiment(vary=vary, levels=[level, 1], indicative=True)
    scenario = base().model_copy(
        update={"signals": base().signals.model_copy(update={"addresses": "hot"})}
    )
    with pytest.raises(UsageError, match="is no level of"):
        found.scenario_at(scenario, level, 1)


def test_a_hot_share_without_a_hot_address_has_no_effect() -> None:
    """Refused before anything runs."""
    found = experiment(vary="signals.hot_share", levels=[0.1, 0.2, 0.5, 0.7, 1.0])
    with pytest.raises(UsageError, match="no effect"):
        found.scenario_at(base(), 0.5, 1)


def test_the_table_of_settings_says_what_a_model_applies_to() -> None:
    """More workers may do more; a longer stream is no resource."""
    resources = {vary for vary, setting in SETTINGS.items() if setting.is_resource}
    assert {"engine.workers", "load.agents", "quota.engine.cpus"} <= resources
    assert not {"redis.stream_maxlen", "signals.hot_share"} & resources
    assert not experiment(
        vary="postgres.jit", levels=[True, False], indicative=True
    ).setting.is_resource


def write(path: Path, text: str) -> Path:
    """A file of an experiment."""
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scenario_is_no_experiment_and_the_other_way_round(tmp_path: Path) -> None:
    """Each error names the command."""
    with pytest.raises(UsageError, match="harness run"):
        load_experiment(ROOT / "scenarios" / "smoke.toml")
    with pytest.raises(UsageError, match="harness scale"):
        load_scenario(SHIPPED[0])
    with pytest.raises(UsageError, match="one table"):
        load_experiment(write(tmp_path / "both.toml", 'name = "x"\n[experiment]\nvary = "x"\n'))
    with pytest.raises(UsageError, match="levels: Field required"):
        load_experiment(write(tmp_path / "few.toml", '[experiment]\nvary = "engine.workers"\n'))


def located(base_path: str, folder: Path) -> Path:
    """Where a base scenario is found."""
    return base_file(experiment(base=base_path), folder, ROOT)


def test_the_base_lies_in_the_folder_or_is_shipped(tmp_path: Path) -> None:
    """One in the folder comes first."""
    assert located("scenarios/smoke.toml", tmp_path) == ROOT / "scenarios" / "smoke.toml"
    own = write(tmp_path / "own.toml", "")
    assert located("own.toml", tmp_path) == own
    with pytest.raises(UsageError, match="no scenario"):
        located("other.toml", tmp_path)


def test_the_base_does_not_leave_the_folder(tmp_path: Path) -> None:
    """Neither by its path, nor by a link of any part of it."""
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    target = write(outside / "secret.toml", "")
    (inside / "link.toml").symlink_to(target)
    (inside / "folder").symlink_to(outside)
    for path in (str(target), "../outside/secret.toml"):
        with pytest.raises(UsageError, match="leaves the folder"):
            located(path, inside)
    for path in ("link.toml", "folder/secret.toml"):
        with pytest.raises(UsageError, match="a link"):
            located(path, inside)


def test_an_experiment_comes_back_from_json() -> None:
    """As it is stored in scale.json; levels keep their types."""
    found = experiment(levels=[1, 2, 3, 4, 5], set=["load.warmup_s=1"])
    again = Experiment.model_validate_json(found.model_dump_json())
    assert again == found
    assert again.measure is Measure.THROUGHPUT
    words = experiment(vary="postgres.jit", levels=[True, False], indicative=True)
    assert Experiment.model_validate_json(words.model_dump_json()).levels == (True, False)
