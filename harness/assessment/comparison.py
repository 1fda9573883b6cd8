"""From two groups of stored runs to the result of their comparison; pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from harness.analysis.comparison import (
    CONFIDENCE,
    MARGIN,
    RUNS_MIN,
    ComparisonVerdict,
    RatioInterval,
    RunValue,
    decide_change,
    holm,
    mean_ratio,
    median_value,
    ratio_interval,
    runs_needed,
)
from harness.assessment.compared_figures import FigureKey, FigureKind, PercentileKey
from harness.assessment.compared_run import ComparedRun
from harness.assessment.comparison_result import (
    ComparedSide,
    ComparisonResult,
    FigureChange,
    LeftOut,
    RatioFigures,
    Reason,
    RunEntry,
    RunsMore,
)
from harness.assessment.fingerprint import differences, require_equal
from harness.errors import UsageError
from harness.scenario import Objective

SIGNIFICANT = 1 - CONFIDENCE


@dataclass(frozen=True, slots=True)
class UnreadRun:
    """A run that cannot be read, and why."""

    run_id: str
    error: str


@dataclass(frozen=True, slots=True)
class RunSet:
    """One side of a comparison.

    Attributes:
        source: where the runs come from, for the reader.
        runs: those that could be read, in order of time.
    """

    source: str
    runs: tuple[ComparedRun, ...]
    unread: tuple[UnreadRun, ...] = ()


class Sizes(NamedTuple):
    """Number of runs that count, of each side."""

    base: int
    new: int


@dataclass(frozen=True, slots=True)
class ComparisonQuestion:
    """What is compared.

    Attributes:
        objective: the percentile; None for the one that the first run's scenario is about.
        margin: a change that does not matter, as a share; above zero.
        allowed: aspects of the fingerprint in which runs may differ.
    """

    objective: Objective | None = None
    margin: float = MARGIN
    allowed: Collection[str] = ()


def compare_runs(base: RunSet, new: RunSet, question: ComparisonQuestion) -> ComparisonResult:
    """Compare NEW with BASE; the same runs always give the same result.

    Raises:
        UsageError: the runs differ in an aspect that is not allowed, one is on both sides, or none
            has the percentile that was asked for.
    """
    _require_apart(base, new)
    base_valid, new_valid = (
        tuple(run for run in side.runs if not run.invalid) for side in (base, new)
    )
    found = differences(
        [run.fingerprint for run in base_valid], [run.fingerprint for run in new_valid]
    )
    allowed = require_equal(found, question.allowed)
    key = _percentile_key((*base.runs, *new.runs), (*base_valid, *new_valid), question)
    base_counted, new_counted = (
        tuple(run for run in side if key in run.percentiles) for side in (base_valid, new_valid)
    )
    base_values = [run.percentiles[key] for run in base_counted]
    new_values = [run.percentiles[key] for run in new_counted]
    sizes = Sizes(len(base_values), len(new_values))
    interval = ratio_interval(base_values, new_values) if min(sizes) else None
    verdict, reason = _decide(interval, sizes, question.margin)
    return ComparisonResult(
        verdict=verdict,
        exit_code=int(verdict.exit_code),
        reason=reason,
        percentile=key.name,
        mode=key.mode,
        margin=question.margin,
        confidence=CONFIDENCE,
        ratio=RatioFigures(**asdict(interval)) if interval else None,
        runs_more=_runs_more(reason, interval, sizes, question.margin),
        base=_side(base, key, base_values),
        new=_side(new, key, new_values),
        changes=_changes(base_counted, new_counted, key),
        allowed=allowed,
    )


def _require_apart(base: RunSet, new: RunSet) -> None:
    """A run on both sides would be compared with itself."""
    both = {run.run_id for run in base.runs} & {run.run_id for run in new.runs}
    if both:
        raise UsageError(
            f"{min(both)} is a run of BASE and of NEW",
            where=f"{base.source}, {new.source}",
            hint="name other runs for one side",
        )


def _percentile_key(
    runs: Sequence[ComparedRun], valid: Sequence[ComparedRun], question: ComparisonQuestion
) -> PercentileKey:
    """The percentile that is compared, of the named mode, or of that which the most runs have.

    Raises:
        UsageError: no valid run has it.
    """
    objective = question.objective or (runs[0].objective if runs else None)
    if objective is None:
        return PercentileKey("latency", 99.0, "")
    metric, percentile = objective.metric, objective.percentile or 99.0
    modes = Counter(
        key.mode
        for run in valid
        for key in run.percentiles
        if key[:2] == (metric, percentile) and objective.mode in (None, key.mode)
    )
    # Of equals "lite", which most signals are.
    mode = max(sorted(modes, reverse=True), key=lambda one: modes[one], default="")
    found = PercentileKey(metric, percentile, mode)
    if question.objective and valid and not modes:
        known = sorted(
            {f"{key.mode} {key.name}".lstrip() for run in valid for key in run.percentiles}
        )
        raise UsageError(
            f"no run has a figure of {' '.join(filter(None, (objective.mode, found.name)))}",
            where="--percentile",
            hint=f"the runs have {', '.join(known) or 'too few signals for any'}",
        )
    return found


def _decide(
    interval: RatioInterval | None, sizes: Sizes, margin: float
) -> tuple[ComparisonVerdict, Reason]:
    if interval is None:
        return ComparisonVerdict.INVALID, Reason.NO_VALID_RUN
    if min(sizes) < RUNS_MIN:
        return ComparisonVerdict.CANNOT_TELL, Reason.TOO_FEW_RUNS
    verdict = decide_change(interval, margin)
    is_open = verdict is ComparisonVerdict.CANNOT_TELL
    return verdict, Reason.INTERVAL_TOO_WIDE if is_open else Reason.DECIDED


def _runs_more(
    reason: Reason, interval: RatioInterval | None, sizes: Sizes, margin: float
) -> RunsMore | None:
    needed: int | None = None
    if reason is Reason.TOO_FEW_RUNS:
        needed = RUNS_MIN
    elif reason is Reason.INTERVAL_TOO_WIDE and interval is not None:
        needed = runs_needed(interval, sizes.base, sizes.new, margin)
    if needed is None:
        return None
    return RunsMore(base=max(0, needed - sizes.base), new=max(0, needed - sizes.new))


def _side(runs: RunSet, key: PercentileKey, values: Sequence[RunValue]) -> ComparedSide:
    median = median_value(values) if values else None
    entries = [_entry(run, key) for run in runs.runs]
    entries += [
        RunEntry(run_id=one.run_id, verdict=None, left_out=LeftOut.UNREADABLE, detail=one.error)
        for one in runs.unread
    ]
    return ComparedSide(
        source=runs.source,
        runs=tuple(entries),
        counted=len(values),
        median_ns=median.value if median else None,
        median_is_lower_bound=bool(median and median.is_lower_bound),
    )


def _entry(run: ComparedRun, key: PercentileKey) -> RunEntry:
    entry = RunEntry(run_id=run.run_id, verdict=run.verdict, commit=run.commit)
    if run.invalid:
        return entry.model_copy(update={"left_out": LeftOut.INVALID, "detail": run.invalid})
    value = run.percentiles.get(key)
    if value is None:
        return entry.model_copy(update={"left_out": LeftOut.NO_ESTIMATE})
    return entry.model_copy(
        update={"value_ns": value.value, "is_lower_bound": value.is_lower_bound}
    )


def _changes(
    base: Sequence[ComparedRun], new: Sequence[ComparedRun], compared: PercentileKey
) -> tuple[FigureChange, ...]:
    """Every explaining figure that enough runs of both sides have.

    Those of other modes are left out, except for percentiles: each more figure makes it harder for
    the others to be significant. Of a kind the largest difference is first, and not the largest
    ratio: a stage of 50 us that doubled explains less than one of 5 ms that grew by 40 %.
    """
    sides = [[dict(_figures(run, compared)) for run in side] for side in (base, new)]
    found = []
    for key in sorted({key for side in sides for one in side for key in one}):
        own, other = ([one[key] for one in side if key in one] for side in sides)
        if min(len(own), len(other)) >= RUNS_MIN:
            found.append((key, own, other, mean_ratio(own, other)))
    adjusted = holm([change.p_value for *_, change in found])
    changes = [
        FigureChange(
            **key._asdict(),
            base=_geometric_mean(own),
            new=_geometric_mean(other),
            base_runs=len(own),
            new_runs=len(other),
            **asdict(change),
            p_adjusted=p_adjusted,
            is_significant=p_adjusted <= SIGNIFICANT,
        )
        for (key, own, other, change), p_adjusted in zip(found, adjusted, strict=True)
    ]
    kinds = list(FigureKind)
    return tuple(
        sorted(
            changes,
            key=lambda one: (
                not one.is_significant,
                kinds.index(one.kind),
                -abs(one.new - one.base),
            ),
        )
    )


def _figures(run: ComparedRun, compared: PercentileKey) -> Iterator[tuple[FigureKey, float]]:
    """The explaining figures of a run; a percentile counts with its value where it is a bound."""
    for key, value in run.figures.items():
        if key.mode in ("", compared.mode):
            yield key, value
    for percentile, bound in run.percentiles.items():
        if percentile != compared and percentile.metric == compared.metric:
            yield (
                FigureKey(FigureKind.PERCENTILE, percentile.name, percentile.mode, "ns"),
                bound.value,
            )


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values))
