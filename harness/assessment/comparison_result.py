"""The result of a comparison, as `--json` writes it and an interleaved experiment stores it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.analysis.comparison import ComparisonVerdict
from harness.assessment.compared_figures import FigureKind
from harness.assessment.fingerprint import Difference
from harness.evidence.result_digests import ResultDigests
from harness.judge.verdict import Verdict
from harness.printable import SingleLineText

COMPARE_SCHEMA_VERSION = 1


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reason(StrEnum):
    """Why the verdict is what it is.

    DECIDED: by interval and margin. INTERVAL_TOO_WIDE: more runs are needed. TOO_FEW_RUNS: a side
    has fewer than four that count. NO_VALID_RUN: a side has none.
    """

    DECIDED = "decided"
    INTERVAL_TOO_WIDE = "interval_too_wide"
    TOO_FEW_RUNS = "too_few_runs"
    NO_VALID_RUN = "no_valid_run"


class LeftOut(StrEnum):
    """Why a run does not count.

    INVALID: it is no valid measurement. NO_ESTIMATE: it has neither an estimate of the percentile
    nor a lower bound. UNREADABLE: its evidence is missing or damaged.
    """

    INVALID = "invalid"
    NO_ESTIMATE = "no_estimate"
    UNREADABLE = "unreadable"


class RunEntry(_Value):
    """One run of a side.

    Attributes:
        verdict: its own; None where it could not be read.
        commit: of the checkout that its services came from; "+" where files were changed.
        value_ns: the compared percentile; None where the run does not count.
        is_lower_bound: whether the true percentile is unknown and larger.
        left_out: why it does not count; None where it does.
        detail: the check or the error because of which it does not.
    """

    run_id: SingleLineText
    verdict: Verdict | None
    commit: SingleLineText = ""
    value_ns: float | None = None
    is_lower_bound: bool = False
    left_out: LeftOut | None = None
    detail: SingleLineText = ""


class ComparedSide(_Value):
    """BASE or NEW.

    Attributes:
        source: where its runs come from, as it was given.
        counted: number of runs that count.
        median_ns: of their percentiles; None without any.
        median_is_lower_bound: whether the true median is unknown and larger.
    """

    source: SingleLineText
    runs: tuple[RunEntry, ...]
    counted: int
    median_ns: float | None = None
    median_is_lower_bound: bool = False


class RatioFigures(_Value):
    """The ratio, new over base; see `harness.analysis.comparison.RatioInterval`."""

    estimate_least: float | None
    estimate_most: float | None
    lower: float | None
    upper: float | None


class RunsMore(_Value):
    """About how many runs more each side needs for a verdict other than CANNOT_TELL."""

    base: int
    new: int


class FigureChange(_Value):
    """The change of one explaining figure.

    Attributes:
        mode: of its signals; empty where it is about all of them.
        unit: "ns" or "s" of CPU time for each signal.
        base, new: geometric means over the runs.
        base_runs, new_runs: number of runs that have the figure.
        ratio: new over base.
        lower, upper: its two-sided 95 % interval, of this figure alone.
        p_value: of no change.
        p_adjusted: the same, adjusted for all figures of the comparison (Holm).
        is_significant: whether that is at most 5 %.
    """

    kind: FigureKind
    name: SingleLineText
    mode: SingleLineText
    unit: SingleLineText
    base: float
    new: float
    base_runs: int
    new_runs: int
    ratio: float
    lower: float
    upper: float
    p_value: float
    p_adjusted: float
    is_significant: bool


class ComparisonResult(_Value):
    """A comparison of two groups of runs.

    Attributes:
        kind: marks a result of a comparison among those of runs and experiments.
        percentile: the compared figure, as in an objective: `p99`.
        mode: of its signals; empty where no run has any.
        margin: a change that does not matter, as a share.
        confidence: of the interval.
        ratio: None where a side has no run that counts.
        runs_more: None where the comparison is decided, or no number follows.
        changes: every explaining figure, the significant ones first, then by kind, then by their
            difference; none decides the verdict.
        allowed: differences between the runs that were allowed.
    """

    schema_version: int = COMPARE_SCHEMA_VERSION
    kind: Literal["compare"] = "compare"
    verdict: ComparisonVerdict
    exit_code: int
    reason: Reason
    percentile: SingleLineText
    mode: SingleLineText
    margin: float
    confidence: float
    ratio: RatioFigures | None
    runs_more: RunsMore | None
    base: ComparedSide
    new: ComparedSide
    changes: tuple[FigureChange, ...]
    allowed: tuple[Difference, ...] = ()
    bound: ResultDigests | None = None
