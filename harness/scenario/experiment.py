"""An experiment over levels: a base scenario, what is varied, at which levels, how often.

Its file is TOML with one table, `[experiment]`. The scenario of each run is the base scenario with
one level of the varied setting: everything else of a run is as in `harness run`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import UsageError, nearest
from harness.scenario.file import EXPERIMENT, format_problems, read_toml, scenario_file
from harness.scenario.models import SEED_MAX, Scenario
from harness.scenario.system_settings import (
    QUOTA_SERVICES,
    SettingValue,
    check_postgres_setting,
    memory_mib,
)

_LARGEST = 10**15
_WORD = re.compile(r"[A-Za-z0-9_.+-]{1,40}")
LEVELS_LEAST = 5
REPEATS_LEAST = 3
_POSTGRES = "postgres."
_SIZE = re.compile(r"^(\d{1,12})(kB|MB|GB|TB)$")
_MIB_PER = {"kB": 1 / 1024, "MB": 1.0, "GB": 1024.0, "TB": 1024.0**2}


def _check_level(level: SettingValue) -> SettingValue:
    """A word has no control characters, which a terminal would obey; a number fits into a float."""
    if isinstance(level, str):
        if not _WORD.fullmatch(level):
            raise ValueError("a word has at most 40 letters, digits and signs of _.+-")
    elif not -_LARGEST <= level <= _LARGEST:
        raise ValueError("a number lies between -1e15 and 1e15")
    return level


Level = Annotated[SettingValue, AfterValidator(_check_level)]


class Measure(StrEnum):
    """What is measured at each level.

    CAPACITY: highest rate that keeps every objective, by a search; signals/s.
    LATENCY: the percentile of the scenario's first objective of latency; nanoseconds.
    THROUGHPUT: signals that become SIMULATED while more are waiting than the system can do;
        signals/s.
    """

    CAPACITY = "capacity"
    LATENCY = "latency"
    THROUGHPUT = "throughput"


@dataclass(frozen=True, slots=True)
class VariedSetting:
    """A kind of setting that can be varied.

    Attributes:
        unit: of its levels as numbers.
        is_resource: whether more of it can be expected to do more, so that scaling models apply.
        change: puts a level into the scenario's document.
    """

    unit: str
    is_resource: bool
    change: Callable[[dict[str, Any], str, SettingValue], None]


def _set_key(document: dict[str, Any], key: str, level: SettingValue) -> None:
    *parents, last = key.split(".")
    node = document
    for parent in parents:
        node = node.setdefault(parent, {})
    node[last] = level


def _set_agents(document: dict[str, Any], _: str, level: SettingValue) -> None:
    """Agents of every stage; each agent sends as often as before."""
    for stage in document["load"]["stages"]:
        if isinstance(level, int) and not isinstance(level, bool):
            factor = level / stage["agents"]
            stage |= {key: stage[key] * factor for key in ("rate_from", "rate_to")}
        stage["agents"] = level


SETTINGS: Mapping[str, VariedSetting] = MappingProxyType(
    {
        "engine.workers": VariedSetting("workers", True, _set_key),
        "load.agents": VariedSetting("agents", True, _set_agents),
        "redis.stream_maxlen": VariedSetting("entries", False, _set_key),
        "signals.hot_share": VariedSetting("", False, _set_key),
        **{
            f"quota.{service}.cpus": VariedSetting("cores", True, _set_key)
            for service in QUOTA_SERVICES
        },
        **{
            f"quota.{service}.memory": VariedSetting("GiB", True, _set_key)
            for service in QUOTA_SERVICES
        },
    }
)


class SearchOptions(BaseModel):
    """Options of the search at each level, in the words of `harness capacity`.

    Attributes:
        start: first rate; the base scenario's if None.
        minimum: no rate below it is tried.
        maximum: no rate above it is tried.
        width: distance of the bounds at the end, such as `10%`.
        confirm: trials that confirm the lower bound, such as `1x30s`.
        trial: shortest and longest trial, such as `10s-40s`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    start: str | None = None
    minimum: str | None = None
    maximum: str | None = None
    width: str | None = None
    confirm: str | None = None
    trial: str | None = None


class Experiment(BaseModel):
    """The table `[experiment]`.

    Attributes:
        base: scenario file in the folder of the experiment's file, or a shipped one.
        vary: key of `SETTINGS`, or `postgres.NAME`.
        levels: values of the varied setting, each once.
        repeats: valid runs of each level.
        attempts: runs of a level and repeat until one is valid.
        seed: of the order of the runs, and of the runs.
        indicative: whether fewer levels or repeats than a conclusion needs are meant.
        set: `KEY=VALUE` of the base scenario, as with `--set`.
        search: of a capacity only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    about: Annotated[str, Field(min_length=1, max_length=200)]
    base: Annotated[str, Field(min_length=1, max_length=400)]
    vary: str
    levels: Annotated[tuple[Level, ...], Field(min_length=2, max_length=64, strict=False)]
    repeats: Annotated[int, Field(ge=1, le=100)] = REPEATS_LEAST
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    measure: Annotated[Measure, Field(strict=False)]
    seed: Annotated[int, Field(ge=0, le=SEED_MAX // 2)] = 1
    indicative: bool = False
    set: Annotated[tuple[str, ...], Field(max_length=100, strict=False)] = ()
    search: SearchOptions = SearchOptions()

    @model_validator(mode="after")
    def _varies_something(self) -> Experiment:
        if self.vary.startswith(_POSTGRES):
            check_postgres_setting(self.vary.removeprefix(_POSTGRES))
        elif self.vary not in SETTINGS:
            similar = nearest(self.vary, SETTINGS)
            hint = f"did you mean {similar}?" if similar else f"one of {', '.join(SETTINGS)}"
            raise ValueError(f"vary: {self.vary[:60]!r} cannot be varied: {hint}")
        return self

    @model_validator(mode="after")
    def _levels_are_enough(self) -> Experiment:
        # 1 and true are equal, and two levels all the same.
        if len({(type(level), level) for level in self.levels}) < len(self.levels):
            raise ValueError("levels: one is there twice")
        numbers = [number for level in self.levels if (number := self.number(level)) is not None]
        if len(set(numbers)) < len(numbers):
            raise ValueError("levels: two are equal")
        if not self.indicative and len(self.levels) < LEVELS_LEAST:
            raise ValueError(
                f"levels: {len(self.levels)} are fewer than {LEVELS_LEAST}: a conclusion needs"
                " more, or write indicative = true"
            )
        if not self.indicative and self.repeats < REPEATS_LEAST:
            raise ValueError(
                f"repeats: {self.repeats} are fewer than {REPEATS_LEAST}: a conclusion needs more,"
                " or write indicative = true"
            )
        return self

    @model_validator(mode="after")
    def _search_is_of_a_capacity(self) -> Experiment:
        if self.measure is not Measure.CAPACITY and self.search != SearchOptions():
            raise ValueError(f"search: a {self.measure} is measured without a search")
        return self

    @property
    def setting(self) -> VariedSetting:
        """The kind of the varied setting."""
        if self.vary.startswith(_POSTGRES):
            is_size = all(_SIZE.match(str(level)) for level in self.levels)
            return VariedSetting("MiB" if is_size else "", False, _set_key)
        return SETTINGS[self.vary]

    def number(self, level: SettingValue) -> float | None:
        """A level as a number in the unit of its setting; None of a word."""
        if isinstance(level, str):
            if self.vary.endswith(".memory"):
                try:
                    return memory_mib(level) / 1024
                except ValueError:
                    return None
            match = _SIZE.match(level)
            return int(match[1]) * _MIB_PER[match[2]] if match else None
        return None if isinstance(level, bool) else float(level)

    def scenario_at(self, base: Scenario, level: SettingValue, seed: int) -> Scenario:
        """The scenario of a run.

        Args:
            base: with `set` applied.
            level: of the varied setting.
            seed: of the run.

        Raises:
            UsageError: the level is none of this setting, or has no effect on the base.
        """
        if self.vary == "signals.hot_share" and base.signals.addresses != "hot":
            raise UsageError(
                "signals.hot_share has no effect on distinct addresses",
                where="experiment.vary",
                hint='add set = ["signals.addresses=hot"]',
            )
        document = base.model_dump(mode="json", exclude_none=True)
        if self.measure is not Measure.CAPACITY:
            document["load"].pop("until_decided_s", None)
        self.setting.change(document, self.vary, level)
        try:
            return Scenario.model_validate(document | {"seed": seed})
        except ValidationError as error:
            problems = format_problems(error, "scenario", model=Scenario)
            raise UsageError(
                f"{level!r} is no level of {self.vary}: {problems}",
                where="experiment.levels",
                hint="docs/scenarios.md lists every key",
            ) from error

    def cells(self) -> tuple[Cell, ...]:
        """Every level as often as it is repeated, in the seeded random order of the runs."""
        cells = [
            Cell(number, repeat)
            for number in range(len(self.levels))
            for repeat in range(self.repeats)
        ]
        random.Random(self.seed).shuffle(cells)  # noqa: S311 - an order of runs, no secret
        return tuple(cells)

    def seed_of(self, position: int, attempt: int) -> int:
        """The seed of a run: another one for each cell, and for each attempt at it.

        Args:
            position: of the cell in `cells`.
            attempt: from 0.
        """
        return self.seed + 1 + position + attempt * len(self.levels) * self.repeats


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the plan.

    Attributes:
        level: index in `Experiment.levels`.
        repeat: from 0.
    """

    level: int
    repeat: int


def load_experiment(path: Path, overrides: Mapping[str, object] | None = None) -> Experiment:
    """Read an experiment.

    Args:
        path: of its file, given by the user.
        overrides: keys of the table with other values.

    Raises:
        UsageError: it is missing, no TOML, a scenario, or has wrong entries, which are all named.
    """
    document = read_toml(path)
    table = document.get(EXPERIMENT)
    if table is None:
        raise UsageError(
            "is a scenario, not an experiment: it has no [experiment]",
            where=str(path),
            hint=f"run it with `harness run {path}`; `harness scale` takes an experiment",
        )
    if not isinstance(table, dict) or len(document) > 1:
        raise UsageError(
            "an experiment is one table [experiment]",
            where=str(path),
            hint="docs/scaling.md lists its keys",
        )
    try:
        return Experiment.model_validate({**table, **(overrides or {})})
    except ValidationError as error:
        raise UsageError(
            format_problems(error, EXPERIMENT, model=Experiment),
            where=str(path),
            hint="docs/scaling.md lists every key",
        ) from error


def base_file(experiment: Experiment, folder: Path, shipped: Path) -> Path:
    """The file of the base scenario: in the experiment's folder, or one that is shipped.

    Args:
        experiment: names it.
        folder: of the experiment's file.
        shipped: folder that has `scenarios`.

    Raises:
        UsageError: there is none, or its path leaves the folder, also by a link.
    """
    return scenario_file(experiment.base, "experiment.base", folder, shipped)
