"""The measurement: what was found, as frozen values that survive JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from harness.analysis.faults.chain_feed_stall_figures import ChainFeedStallFigures
from harness.analysis.faults.fault_figures import BaselineFigures, FaultFigures
from harness.analysis.gate.figures import GateFigures
from harness.analysis.resources.self_monitoring_figures import SelfMonitoringFigures


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricFigures(_Value):
    """One metric of the signals of one phase and mode.

    Attributes:
        metric: name of a `recorder.Metric`.
        count: durations, those outside the histogram included.
        censored: of them, signals that never arrived, at the time they have had.
        rejected: of these, the rejections that nothing excuses; 0 in results stored before they
            were counted. An objective takes them as beyond every limit.
        percentiles_ns: those that the sample supports, by name ("p99.9"); upper ends of buckets.
        negative: durations below zero.
        overflow: durations beyond the histogram.
        histogram: HdrHistogram V2, base64; ns.
    """

    phase: str
    mode: str
    metric: str
    count: int
    censored: int
    rejected: int = 0
    mean_ns: float | None
    min_ns: int
    max_ns: int
    sum_ns: int
    percentiles_ns: dict[str, int]
    negative: int
    overflow: int
    histogram: str


class SignalOutcomeFigures(_Value):
    """How many signals ended in which class; the first six sum to `attempted`.

    `lost` includes those stuck in INIT, `refused` those `refused_unanswered`, `recovered` those
    `recovered_rejected`. `duplicated` and `unexpected` are counted apart. `stale` were sent stale
    on purpose, of which `stale_rejected` were refused; both are in the classes too. `behind` and
    `behind_rejected` are the same of signals whose agents a planned fault held up.
    """

    attempted: int
    simulated: int
    rejected: int
    lost: int
    in_flight: int
    refused: int
    recovered: int
    rejected_by: dict[str, int]
    refused_unanswered: int
    recovered_rejected: int
    unseen: int
    commit_unknown: int
    stale: int = 0
    stale_rejected: int = 0
    behind: int = 0
    behind_rejected: int = 0


class BreakdownStageFigures(_Value):
    """One stage of the split; a percentile of too few signals is None."""

    start: str
    end: str
    merged: tuple[str, ...]
    count: int
    sum_ns: int
    mean_ns: float
    p50_ns: int | None
    p99_ns: int | None
    max_ns: int
    negative: int


class LatencyBreakdownFigures(_Value):
    """Where the time went: the sums of the stages are the sum of the total, exactly."""

    phase: str
    mode: str
    stages: tuple[BreakdownStageFigures, ...]
    count: int
    total_sum_ns: int
    total_mean_ns: float
    notes: tuple[str, ...]


class IntervalFigures(_Value):
    """Latency of the signals intended in one stretch of time; see `series.IntervalSummary`."""

    phase: str
    mode: str
    start_s: float
    length_s: float
    count: int
    p50_ns: int | None
    p99_ns: int | None
    max_ns: int


class ThroughputFigures(_Value):
    """How one stretch of the run went, all signals together; see `seconds.Second`."""

    start_s: float
    length_s: float
    intended: int
    sent: int
    accepted: int
    simulated: int
    lateness_p99_ns: int | None
    lateness_max_ns: int | None
    in_flight: int


class PercentileBounds(_Value):
    """The truth of a percentile lies between these two.

    Attributes:
        name: "p99", or "max".
        committed_ns: by the lower bounds of the truth: commit times, or the reads before.
        seen_ns: by the observer, which is an upper bound and is judged.
    """

    phase: str
    mode: str
    name: str
    committed_ns: int
    seen_ns: int

    @property
    def width_ns(self) -> int:
        """How far the two are apart."""
        return self.seen_ns - self.committed_ns


class ClockFigures(_Value):
    """A clock against the host's monotonic one; see `clockmap.ClockFacts`.

    Attributes:
        server: whose; "host" for the host's own wall clock.
        before: probes before the first signal was sent; then those `during` and `after` the load.
        ahead_ns: of the host's wall clock; None when nobody looked at that one.
    """

    server: str
    probes: int
    before: int
    during: int
    after: int
    kept: int
    offset_ns: int
    error_ns: int
    ahead_ns: int | None
    drift_ppm: float | None
    drift_error_ppm: float | None
    steps: int
    step_max_ns: int


class RecoveryFigures(_Value):
    """What followed a disturbance; see `recovery.Recovery`.

    Attributes:
        kind: of the event.
        what: a sentence about it.
        at_s: when it was noted, seconds after t0.
    """

    kind: str
    what: str
    at_s: float
    first_ns: int | None
    backlog_ns: int | None
    normal_ns: int | None
    watched_ns: int
    sent_after: int


class RateFigures(_Value):
    """What was to be sent in a phase, and what was.

    Attributes:
        intended: signals of the plan; None when nobody computed it.
        attempted: signals attempted.
        in_phase: signals attempted before the phase was over.
    """

    phase: str
    duration_s: float
    intended: int | None
    attempted: int
    in_phase: int

    @property
    def share(self) -> float | None:
        """Share of the intended signals that were sent in their phase."""
        return self.in_phase / self.intended if self.intended else None


class Measurement(_Value):
    """Everything measured in one run.

    Attributes:
        account: of all phases together.
        accounts: by phase.
        duplicated: signals with more than one effect of a kind.
        unexpected: signals of this run that were final and never attempted.
        foreign: sightings of other runs, left alone.
        recoveries: what followed each disturbance, in order.
        faults: each planned fault and when it held.
        gate: rounds of a gate, and latency while it was on; None without one.
        outside_faults: metrics of the signals that no disturbance touched; empty without one.
        standstills: each planned standstill of the agents' view of the chain, and what came of it.
        findings: what was out of order, by kind; the judgement names the signals.
        nonce_addresses: addresses that used nonces.
        seconds: of the whole run, drain included, each as long as an interval; empty in results
            that were stored before they were counted.
        vitals: of the measured phase; None when nobody looked.
    """

    account: SignalOutcomeFigures
    accounts: dict[str, SignalOutcomeFigures]
    duplicated: int
    unexpected: int
    foreign: int
    figures: tuple[MetricFigures, ...]
    splits: tuple[LatencyBreakdownFigures, ...]
    intervals: tuple[IntervalFigures, ...]
    resolution: tuple[PercentileBounds, ...]
    clocks: tuple[ClockFigures, ...]
    rates: tuple[RateFigures, ...]
    recoveries: tuple[RecoveryFigures, ...] = ()
    faults: tuple[FaultFigures, ...] = ()
    outside_faults: tuple[BaselineFigures, ...] = ()
    gate: GateFigures | None = None
    standstills: tuple[ChainFeedStallFigures, ...] = ()
    findings: dict[str, int]
    nonce_addresses: int
    seconds: tuple[ThroughputFigures, ...] = ()
    vitals: SelfMonitoringFigures | None = None

    def of(self, metric: str, phase: str, mode: str) -> MetricFigures | None:
        """Figures of a metric; None if there are none."""
        for figures in self.figures:
            if (figures.metric, figures.phase, figures.mode) == (metric, phase, mode):
                return figures
        return None
