"""Interim analyses as values, and what one finds of an objective; pure."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.analysis.series import Series
from harness.analysis.share_interval import estimate_share_sample, share_interval
from harness.analysis.statistics import estimate_effective_sample, percentile_interval
from harness.clock import NS_PER_S
from harness.formatting import format_duration, format_share
from harness.judge.decision import decide, decide_share
from harness.judge.verdict import Verdict, worst
from harness.scenario import Objective


class InterimEstimate(BaseModel):
    """What an analysis finds of one objective.

    Attributes:
        objective: its text, with the mode where there are several.
        unit: `ns`, or `share` (0..1).
        lower: None without a lower bound, as `upper`.
        effective: effective sample size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: str
    verdict: Verdict
    unit: Literal["ns", "share"]
    estimate: float
    lower: float | None
    upper: float | None
    effective: int


class InterimAnalysis(BaseModel):
    """One interim analysis.

    Attributes:
        number: from 1 on.
        measured_s: length of the load that it covers.
        left_s: the most that the load goes on after it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    measured_s: float
    left_s: float
    findings: tuple[InterimEstimate, ...]

    @property
    def verdict(self) -> Verdict:
        """FAIL if one objective fails, PASS if all pass; else the load goes on."""
        return worst(finding.verdict for finding in self.findings)

    @property
    def is_decided(self) -> bool:
        """Whether more signals would change nothing."""
        return self.verdict in (Verdict.PASS, Verdict.FAIL)


def format_analysis(analysis: InterimAnalysis) -> str:
    """An analysis in one sentence."""
    finding = next(one for one in analysis.findings if one.verdict is analysis.verdict)
    text = format_duration if finding.unit == "ns" else format_share
    upper = "no upper bound" if finding.upper is None else text(finding.upper)
    lower = "no lower bound" if finding.lower is None else text(finding.lower)
    message = (
        f"{finding.objective}: between {lower} and {upper},"
        f" effective sample size {finding.effective:,}"
    )
    after = f"after {analysis.measured_s:g} s"
    if analysis.is_decided:
        return f"decided {after} ({message})"
    return f"still undecided {after}, up to {analysis.left_s:g} s more ({message})"


def is_share(objective: Objective) -> bool:
    """Whether it is a share that interim analyses can estimate; no sample proves 100 %."""
    return objective.measures.limits_rejections and objective.limit_share != 1.0


def estimate_percentile(
    name: str, objective: Objective, series: Series, measured_s: float, confidence: float
) -> InterimEstimate:
    """The estimate of a percentile from a series of durations.

    Args:
        name: of the objective.
        objective: a percentile.
        series: at least one duration.
        measured_s: length of the measurement.
        confidence: of each bound.
    """
    percentile, histogram = objective.percentile or 50.0, series.histogram()
    effective = estimate_effective_sample(series, percentile)
    found = percentile_interval(histogram, percentile, effective, confidence=confidence)
    if found is None:
        raise ValueError("a series without a signal")
    limit_ns = objective.limit_ns or 0
    verdict = decide(found, limit_ns, histogram, round(measured_s * NS_PER_S)).verdict
    return InterimEstimate(
        objective=name,
        verdict=verdict,
        unit="ns",
        estimate=found.estimate_ns,
        lower=found.lower_ns,
        upper=found.upper_ns,
        effective=effective.effective_size,
    )


def estimate_share(
    objective: Objective, series: Series, marks: Series, measured_s: float, confidence: float
) -> InterimEstimate:
    """What is found of the share of rejected signals, or of those that arrived.

    Args:
        objective: `rejected` or `simulated`.
        series: every signal that ought to arrive; at least one.
        marks: those of them that were rejected, or did not arrive.
        measured_s: length of the measurement.
        confidence: of each bound.
    """
    found = share_interval(len(marks), estimate_share_sample(series, marks), confidence)
    arrived, limit = objective.metric == "simulated", objective.limit_share or 0.0
    limit = 1 - limit if arrived else limit
    length_ns = round(measured_s * NS_PER_S)
    verdict = decide_share(found, limit, length_ns, including=arrived).verdict
    bounds = (found.estimate, found.lower, found.upper)
    if arrived:
        bounds = (1 - found.estimate, 1 - found.upper, 1 - found.lower)
    return InterimEstimate(
        objective=objective.text,
        verdict=verdict,
        unit="share",
        estimate=bounds[0],
        lower=bounds[1],
        upper=bounds[2],
        effective=found.effective.effective_size,
    )
