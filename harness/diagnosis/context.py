"""The input of a diagnosis: the figures of one run, and which of its seconds are analysed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.analysis.measurement import IntervalFigures, Measurement
from harness.analysis.resources.telemetry import Telemetry
from harness.clock import NS_PER_S
from harness.diagnosis.spans import Spans, length_s, merge_spans, subtract_spans
from harness.diagnosis.thresholds import BASELINE_MIN_S, LIMIT_DEFAULT_NS, NEAR_SHARE
from harness.diagnosis.trigger import Trigger
from harness.evidence.run_documents import RunMetadata, RunPlan
from harness.judge.judgement import Judgement
from harness.scenario import Scenario


@dataclass(frozen=True, slots=True)
class DiagnosisInput:
    """What is known of a run.

    Attributes:
        nonces_used: number of nonces that each signing address used, by its index.
    """

    scenario: Scenario
    plan: RunPlan
    run: RunMetadata
    measurement: Measurement
    judgement: Judgement
    telemetry: Telemetry
    nonces_used: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LatencySlice:
    """The latency of the signals intended in one interval, which is a second in most runs.

    Attributes:
        value_ns: the figure that is compared with the limit: the median for an objective of the
            median or below it, else P99, or the maximum where there are too few signals for P99.
    """

    start_s: float
    end_s: float
    count: int
    value_ns: int


@dataclass(frozen=True, slots=True)
class DiagnosisContext:
    """A run and the objective to be explained.

    Attributes:
        slices: latency by interval, of the measured load or of the objective's stage.
        measured: the same as intervals of time.
        slow: when signals near the limit or beyond it were in flight; empty without any.
    """

    facts: DiagnosisInput
    trigger: Trigger
    slices: tuple[LatencySlice, ...]
    measured: Spans
    slow: Spans

    @property
    def telemetry(self) -> Telemetry:
        """Telemetry of the run."""
        return self.facts.telemetry

    @property
    def spans(self) -> Spans:
        """The analysed time: the slow seconds, or all of the measured load without any."""
        return self.slow or self.measured

    @property
    def baseline(self) -> Spans:
        """The rest of the measured load, to compare with; empty where all or none was slow."""
        rest = subtract_spans(self.measured, self.slow) if self.slow else ()
        return rest if length_s(rest) >= BASELINE_MIN_S else ()

    @property
    def limit_ms(self) -> float:
        """The latency limit that waits are compared with."""
        return (self.trigger.limit_ns or LIMIT_DEFAULT_NS) / 1e6

    @property
    def when(self) -> str:
        """The analysed time, as part of a sentence."""
        if not self.slow:
            return f"in the {length_s(self.measured):.0f} s measured"
        return f"in the {max(1.0, length_s(self.slow)):.0f} s with slow signals"

    def sentence(self, message: str) -> str:
        """A message that begins with the analysed time."""
        when = self.when
        return f"{when[0].upper()}{when[1:]} {message}"

    def why_unread(self, figures: str, *sources: str) -> str:
        """The message where telemetry is missing.

        Args:
            figures: what could not be read.
            sources: beginnings of the names of the sources that would have it.
        """
        telemetry = self.telemetry
        if not telemetry.present:
            return "this run has no telemetry"
        reasons = [
            why for name, why in sorted(telemetry.unread.items()) if name.startswith(sources)
        ]
        return "; ".join([f"telemetry lacks {figures}", *reasons])


def build_context(facts: DiagnosisInput, trigger: Trigger) -> DiagnosisContext:
    """Select the seconds to be analysed."""
    measured = _measured(facts.plan, trigger)
    slices = _latency_slices(facts.measurement, trigger, measured)
    limit_ns = trigger.limit_ns
    slow: list[tuple[float, float]] = []
    if limit_ns is not None:
        for one in slices:
            if one.value_ns >= NEAR_SHARE * limit_ns:
                # What happens after the limit has passed cannot have made a signal miss it.
                in_flight_ns = min(one.value_ns, limit_ns)
                slow.append((one.start_s, one.end_s + in_flight_ns / NS_PER_S))
    return DiagnosisContext(facts, trigger, slices, measured, merge_spans(slow))


def _measured(plan: RunPlan, trigger: Trigger) -> Spans:
    if trigger.stage is None:
        spans = plan.load.measured_stretches_ns()
        return merge_spans((start / NS_PER_S, end / NS_PER_S) for start, end in spans)
    numbers, start_s, own = plan.load.stage_numbers(trigger.stage), 0.0, []
    for number, stage in enumerate(plan.load.timeline()):
        if number in numbers:
            own.append((start_s, start_s + stage.duration_s))
        start_s += stage.duration_s
    return merge_spans(own)


def _latency_slices(
    measurement: Measurement, trigger: Trigger, measured: Spans
) -> tuple[LatencySlice, ...]:
    """The slower of both modes, unless the objective names one."""
    found: dict[float, LatencySlice] = {}
    for interval in measurement.intervals:
        if interval.phase != "measure" or trigger.mode not in (None, interval.mode):
            continue
        start_s, end_s = interval.start_s, interval.start_s + interval.length_s
        if not interval.count or not any(a < end_s and start_s < b for a, b in measured):
            continue
        other = found.get(start_s)
        found[start_s] = LatencySlice(
            start_s,
            end_s,
            interval.count + (other.count if other else 0),
            max(_value_ns(interval, trigger), other.value_ns if other else 0),
        )
    return tuple(found[start_s] for start_s in sorted(found))


def _value_ns(interval: IntervalFigures, trigger: Trigger) -> int:
    if trigger.percentile <= 50 and interval.p50_ns is not None:
        return interval.p50_ns
    return interval.max_ns if interval.p99_ns is None else interval.p99_ns
