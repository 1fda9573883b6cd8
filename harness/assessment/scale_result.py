"""The result of an experiment over levels, as it is stored."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.analysis.scaling.figures import LevelFigures, ScalingFigures, TrendFigures
from harness.evidence.result_digests import ResultDigests
from harness.judge.grade import Grade
from harness.judge.verdict import Verdict
from harness.scenario.experiment import Measure
from harness.scenario.system_settings import SettingValue

SCALE_SCHEMA_VERSION = 1


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CellStatus(StrEnum):
    """What a run says of its level.

    MEASURED: it has a figure.
    INVALID: it is not valid, or has no figure; it is repeated.
    FAILED: the system violated an integrity check, so its figure does not count.
    """

    MEASURED = "measured"
    INVALID = "invalid"
    FAILED = "failed"


class CellFigures(_Value):
    """One run, or one search of a capacity.

    Attributes:
        position: of its cell in the order of the experiment.
        level: of the varied setting.
        level_number: the same as a number in the setting's unit; None of a word.
        repeat: from 1.
        attempt: from 1.
        value: figure, signals/s or nanoseconds; None where it has none.
        lower, upper: interval within the run; None without one.
        verdict: of the run; a load that is meant to be too much for the system fails objectives.
        reasons: checks because of which the figure does not count, or why there is none.
    """

    position: int
    level: SettingValue
    level_number: float | None
    repeat: int
    attempt: int
    run_id: str
    seed: int
    status: CellStatus
    verdict: Verdict
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    reasons: tuple[str, ...] = ()


class WordLevel(_Value):
    """The runs of a level that is a word."""

    level: SettingValue
    runs: int
    least: float
    most: float


class ScaleResult(_Value):
    """The result of an experiment.

    Attributes:
        kind: tells it from results of runs.
        verdict: PASS where every level has as many measured runs as planned; FAIL where a run
            violated an integrity check; INVALID where a level has none; else INCONCLUSIVE.
        unit: of the levels.
        value_unit: of the figures.
        cells: every attempt, in order.
        planned: number of cells.
        measured: number of cells with a figure.
        levels: figures of each numeric level.
        word_levels: of each level that is a word.
        scaling: the models; None of a latency, of a setting that is no resource, or of too few
            runs.
        trend: over numeric levels; None of less than two.
        is_indicative: fewer levels or repeats than a conclusion needs.
        grade: never a sign-off: the runs differ on purpose.
    """

    schema_version: int = SCALE_SCHEMA_VERSION
    kind: Literal["scale"] = "scale"
    experiment_id: str
    name: str
    about: str
    base: str
    stack: str
    vary: str
    unit: str
    measure: Measure
    value_unit: Literal["signals/s", "ns"]
    verdict: Verdict
    exit_code: int
    planned: int
    measured: int
    cells: tuple[CellFigures, ...]
    levels: tuple[LevelFigures, ...]
    word_levels: tuple[WordLevel, ...] = ()
    scaling: ScalingFigures | None
    trend: TrendFigures | None
    is_indicative: bool
    grade: Grade
    bound: ResultDigests | None = None
