"""The measurement: all figures of a run, as frozen values that are stored as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from harness.analysis.faults.chain_feed_stall_figures import ChainFeedStallFigures
from harness.analysis.faults.fault_figures import BaselineFigures, FaultFigures
from harness.analysis.gate.figures import GateFigures
from harness.analysis.resources.self_monitoring_figures import SelfMonitoringFigures
from harness.analysis.scale_out_figures import ScaleOutFigures
from harness.analysis.stage_figures import StageFigures


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricFigures(_Value):
    """One metric of the signals of one phase and mode.

    Attributes:
        metric: name of a `recorder.Metric`.
        count: durations, those outside the histogram included.
        censored: of them, signals that never arrived, censored at the end of the observation.
        rejected: of these, the unexpected rejections; 0 in results stored before they were
            counted. An objective counts them as above every limit.
        percentiles_ns: those that the sample size supports, by name ("p99.9"); upper ends of
            buckets.
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
    """Number of signals by outcome; the first six sum to `attempted`.

    `lost` includes those stuck in INIT, `refused` those `refused_unanswered`, `recovered` those
    `recovered_rejected`. `duplicated` and `unexpected` are counted separately. `stale` were sent
    stale on purpose, of which `stale_rejected` were refused; both are in the outcomes too. `behind`
    and `behind_rejected` are the same for signals during a planned stall of the chain feed.
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
    """One stage of the latency breakdown; a percentile of too few signals is None."""

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
    """Latency by stage: the sums of the stages are exactly the sum of the total."""

    phase: str
    mode: str
    stages: tuple[BreakdownStageFigures, ...]
    count: int
    total_sum_ns: int
    total_mean_ns: float
    notes: tuple[str, ...]


class IntervalFigures(_Value):
    """Latency of the signals intended in one interval; see `summary.IntervalSummary`."""

    phase: str
    mode: str
    start_s: float
    length_s: float
    count: int
    p50_ns: int | None
    p99_ns: int | None
    max_ns: int


class ThroughputFigures(_Value):
    """Throughput in one interval, all signals together; see `ThroughputInterval`.

    Attributes:
        stage: number of the stage at the start of the interval, from 1; 0 in the warm-up. None
            after the load, and in results stored before it was recorded.
        agents: of that stage.
    """

    start_s: float
    length_s: float
    intended: int
    sent: int
    accepted: int
    simulated: int
    lateness_p99_ns: int | None
    lateness_max_ns: int | None
    in_flight: int
    stage: int | None = None
    agents: int | None = None


class PercentileBounds(_Value):
    """Bounds of the true percentile.

    Attributes:
        name: "p99", or "max".
        committed_ns: lower bound, by commit times or the observer's reads before.
        seen_ns: upper bound, by the observer; it is compared with the objectives.
    """

    phase: str
    mode: str
    name: str
    committed_ns: int
    seen_ns: int

    @property
    def width_ns(self) -> int:
        """Distance of the two bounds."""
        return self.seen_ns - self.committed_ns


class ClockFigures(_Value):
    """A clock against the host's monotonic one; see `clock_map.ClockSummary`.

    Attributes:
        server: its owner; "host" for the host's own wall clock.
        before: probes before the first signal was sent; then those `during` and `after` the load.
        ahead_ns: of the host's wall clock; None when that was not sampled.
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
    """The recovery from a disruption; see `recovery.Recovery`.

    Attributes:
        kind: of the event.
        what: description.
        at_s: start of the recovery time, seconds after t0.
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
    """Signals planned and sent in a phase.

    Attributes:
        intended: signals of the plan; None when it was not computed.
        attempted: signals attempted.
        in_phase: signals attempted before the end of the phase.
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


class SignalCounts(_Value):
    """How many signals there were, and how they ended.

    Attributes:
        account: of all phases together.
        accounts: by phase.
        duplicated: signals with more than one effect of a kind.
        unexpected: signals of this run that were final and never attempted.
        foreign: sightings of other runs, which are ignored.
        rates: signals planned and sent, by phase.
        findings: counts of anomalies by kind; the checks have the ids of signals.
        nonce_addresses: addresses that used nonces.
        seconds: throughput of the whole run, drain included, by interval; empty in results
            stored before it was counted.
        stages: each stage of a load of several stages, all its repetitions together; empty for
            one stage.
    """

    account: SignalOutcomeFigures
    accounts: dict[str, SignalOutcomeFigures]
    duplicated: int
    unexpected: int
    foreign: int
    rates: tuple[RateFigures, ...]
    findings: dict[str, int]
    nonce_addresses: int
    seconds: tuple[ThroughputFigures, ...] = ()
    stages: tuple[StageFigures, ...] = ()


class Durations(_Value):
    """How long signals took, by metric, phase and mode, and how exactly that is known."""

    figures: tuple[MetricFigures, ...]
    splits: tuple[LatencyBreakdownFigures, ...]
    intervals: tuple[IntervalFigures, ...]
    resolution: tuple[PercentileBounds, ...]
    clocks: tuple[ClockFigures, ...]

    def of(self, metric: str, phase: str, mode: str) -> MetricFigures | None:
        """Figures of a metric; None if there are none."""
        for figures in self.figures:
            if (figures.metric, figures.phase, figures.mode) == (metric, phase, mode):
                return figures
        return None


class FaultEffects(_Value):
    """What planned faults and unplanned restarts did; empty without any.

    Attributes:
        recoveries: from each disruption, in order.
        faults: each planned fault and its times.
        outside_faults: metrics of the signals outside of fault windows.
        standstills: figures of each planned stall of the agents' chain feed.
    """

    recoveries: tuple[RecoveryFigures, ...] = ()
    faults: tuple[FaultFigures, ...] = ()
    outside_faults: tuple[BaselineFigures, ...] = ()
    standstills: tuple[ChainFeedStallFigures, ...] = ()


class Measurement(FaultEffects, Durations, SignalCounts):
    """Everything measured in one run; flat, as `result.json` publishes it.

    Attributes:
        gate: rounds of a gate, and latency while it was on; None without one.
        scale_out: steps of a scale-out of the agents; None without one.
        vitals: self-monitoring of the measured phase; None without samples.
    """

    gate: GateFigures | None = None
    scale_out: ScaleOutFigures | None = None
    vitals: SelfMonitoringFigures | None = None
