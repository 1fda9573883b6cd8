"""What a diagnosis looks at: one run's figures, and which of its seconds matter."""

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
    """Everything that is known of a run.

    Attributes:
        used: nonces that each signing address used, by its index.
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
        value_ns: what is held against the limit: the median for a promise of the median or below
            it, else P99, or the maximum where there are too few signals for P99.
    """

    start_s: float
    end_s: float
    count: int
    value_ns: int


@dataclass(frozen=True, slots=True)
class DiagnosisContext:
    """A run, seen through the promise that is to be explained.

    Attributes:
        seconds: of the measured load, or of the stage that the promise speaks of.
        measured: the same as stretches of time.
        slow: when signals near the limit or beyond it were under way; empty where none was.
    """

    facts: DiagnosisInput
    trigger: Trigger
    slices: tuple[LatencySlice, ...]
    measured: Spans
    slow: Spans

    @property
    def telemetry(self) -> Telemetry:
        """Of the run."""
        return self.facts.telemetry

    @property
    def spans(self) -> Spans:
        """What the answers are about: the slow time, or all of it where nothing was slow."""
        return self.slow or self.measured

    @property
    def baseline(self) -> Spans:
        """The rest of the measured load, to compare with; empty where all or none was slow."""
        left = subtract_spans(self.measured, self.slow) if self.slow else ()
        return left if length_s(left) >= BASELINE_MIN_S else ()

    @property
    def limit_ms(self) -> float:
        """The limit to hold waits against."""
        return (self.trigger.limit_ns or LIMIT_DEFAULT_NS) / 1e6

    @property
    def when(self) -> str:
        """The stretch of time as a sentence has it."""
        if not self.slow:
            return f"in the {length_s(self.measured):.0f} s measured"
        return f"in the {max(1.0, length_s(self.slow)):.0f} s with slow signals"

    def sentence(self, said: str) -> str:
        """What an answer says, begun with the time that it is about."""
        when = self.when
        return f"{when[0].upper()}{when[1:]} {said}"


def build_context(facts: DiagnosisInput, concern: Trigger) -> DiagnosisContext:
    """Pick out the seconds that matter."""
    measured = _measured(facts.plan, concern)
    seconds = _latency_slices(facts.measurement, concern, measured)
    limit_ns = concern.limit_ns
    slow: list[tuple[float, float]] = []
    if limit_ns is not None:
        for second in seconds:
            if second.value_ns >= NEAR_SHARE * limit_ns:
                # What comes when the limit has passed cannot have made a signal miss it.
                under_way_ns = min(second.value_ns, limit_ns)
                slow.append((second.start_s, second.end_s + under_way_ns / NS_PER_S))
    return DiagnosisContext(facts, concern, seconds, measured, merge_spans(slow))


def _measured(plan: RunPlan, concern: Trigger) -> Spans:
    if concern.stage is None:
        stretches = plan.load.measured_stretches_ns()
        return merge_spans((start / NS_PER_S, end / NS_PER_S) for start, end in stretches)
    numbers, start_s, own = plan.load.stage_numbers(concern.stage), 0.0, []
    for number, stage in enumerate(plan.load.timeline()):
        if number in numbers:
            own.append((start_s, start_s + stage.duration_s))
        start_s += stage.duration_s
    return merge_spans(own)


def _latency_slices(
    measurement: Measurement, concern: Trigger, measured: Spans
) -> tuple[LatencySlice, ...]:
    """The worst of both modes, unless the promise speaks of one."""
    found: dict[float, LatencySlice] = {}
    for interval in measurement.intervals:
        if interval.phase != "measure" or concern.mode not in (None, interval.mode):
            continue
        start_s, end_s = interval.start_s, interval.start_s + interval.length_s
        if not interval.count or not any(a < end_s and start_s < b for a, b in measured):
            continue
        other = found.get(start_s)
        found[start_s] = LatencySlice(
            start_s,
            end_s,
            interval.count + (other.count if other else 0),
            max(_value_ns(interval, concern), other.value_ns if other else 0),
        )
    return tuple(found[start_s] for start_s in sorted(found))


def _value_ns(interval: IntervalFigures, concern: Trigger) -> int:
    if concern.percentile <= 50 and interval.p50_ns is not None:
        return interval.p50_ns
    return interval.max_ns if interval.p99_ns is None else interval.p99_ns
