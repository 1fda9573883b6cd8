"""From the evidence of a run to everything that is counted and timed in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.analysis.anomalies import NO_ANOMALY, Anomaly, AnomalyLog, AnomalySummary
from harness.analysis.attempt_totals import AttemptCounter, AttemptTotals
from harness.analysis.clock_map import ClockMap, clock_maps, read_clock_samples
from harness.analysis.drain_deadline import LateSignalAnalyzer
from harness.analysis.faults.chain_heads import read_chain_heads
from harness.analysis.faults.fault_windows import (
    Disruption,
    FaultWindow,
    fault_windows,
    find_disruptions,
)
from harness.analysis.faults.head_lag import HeadLagAnalyzer
from harness.analysis.faults.recovery import Recovery, RecoveryRecorder
from harness.analysis.faults.stale_journal import StaleJournal
from harness.analysis.integrity.evidence_files import check_file_sizes, missing_files
from harness.analysis.integrity.final_state import FinalStateReconciler, FinalStateSummary
from harness.analysis.integrity.final_state_coverage import FinalStateCoverage, read_coverage
from harness.analysis.integrity.ledger_amounts import LedgerAmounts
from harness.analysis.integrity.nonce_order import (
    NonceOrderAnalyzer,
    NonceOrderCheck,
    note_undelivered,
)
from harness.analysis.integrity.pending_takeover import PendingSnapshot, read_pending_snapshots
from harness.analysis.integrity.stream_trimming import StreamHistory, read_stream_history
from harness.analysis.integrity.timestamps import TimestampAnalyzer, TimestampCheck
from harness.analysis.matching import Matcher
from harness.analysis.observer_reads import ObserverReads
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.phase_timeline import Timeline
from harness.analysis.record_merge import CHUNK, ReadProblems, read_merged
from harness.analysis.recorder import ORDERED_METRICS, Cell, CellKey, Metric, Recorder, StageKey
from harness.analysis.resources.self_monitoring import SelfMonitoring, read_self_monitoring
from harness.analysis.samples import Samples
from harness.analysis.scale_out import ScaleOutAnalysis, analyze_scale_out
from harness.analysis.slots import scan_slots
from harness.analysis.throughput_series import ThroughputInterval, ThroughputRecorder
from harness.evidence.backup_log import BackupLog, read_backups
from harness.evidence.fault_log import FaultRecord, read_faults
from harness.evidence.gate_log import GateLog, read_gate
from harness.evidence.run_documents import RunMetadata, RunPlan
from harness.evidence.run_folder import RunFolder
from harness.evidence.scale_log import read_scale_log
from harness.safe_open import iter_lines
from harness.scenario.models import Phase
from harness.scenario.sentinel import SENTINEL, Sentinel

POSTGRES, REDIS = "postgres", "redis"


@dataclass(frozen=True, slots=True)
class SignalAnalysis:
    """Outcomes and times of the signals.

    Attributes:
        attempted: distinct signals.
        schedule: sums over the attempts, for comparison with the plan.
        cells: outcomes, histograms and series by phase and mode.
        stage_cells: the same of the requested stages, by stage and mode.
        throughput: counts of the whole run, interval by interval.
    """

    attempted: int
    schedule: AttemptTotals
    cells: Mapping[CellKey, Cell]
    stage_cells: Mapping[StageKey, Cell]
    throughput: tuple[ThroughputInterval, ...]

    def outcomes(self, *phases: Phase) -> SignalOutcomeCounts:
        """Outcome counts of these phases together; of all phases when none is given."""
        total = SignalOutcomeCounts()
        for key, cell in self.cells.items():
            if not phases or key.phase in phases:
                total = total + cell.account
        return total


@dataclass(frozen=True, slots=True)
class IntegrityAnalysis:
    """The system's final state, and the effects of the signals on it.

    Attributes:
        final_state: tasks, nonces and ledger rows, reconciled with the signals.
        coverage: which parts of the final state could be read.
        stream: history of the proposals stream; None without samples of it.
        nonce_order: order of nonces compared with that of stream entries.
        ledger_amounts: sums of the booked amounts.
        timestamps: row timestamps compared with commit times; None if none were stored.
        stale_journal: signals sent stale on purpose, for comparison with the seed.
    """

    final_state: FinalStateSummary
    coverage: FinalStateCoverage
    stream: StreamHistory | None
    nonce_order: NonceOrderCheck
    ledger_amounts: LedgerAmounts
    timestamps: TimestampCheck | None
    stale_journal: StaleJournal


@dataclass(frozen=True, slots=True)
class EvidenceAnalysis:
    """How complete and readable the evidence files are.

    Attributes:
        reading: torn and disordered records.
        missing_files: names of evidence files that should exist and do not.
        bad_clock_lines: unreadable lines of `clock.jsonl`.
        sightings: records of the observer's file.
        foreign: sightings of other runs, which are ignored.
    """

    reading: ReadProblems
    missing_files: tuple[str, ...]
    bad_clock_lines: int
    sightings: int
    foreign: int


@dataclass(frozen=True, slots=True)
class InstrumentAnalysis:
    """The harness as a measuring instrument.

    Attributes:
        clocks: map of each server's clock to the host's, by server.
        self_monitoring: resources of the harness's own processes and of the host.
    """

    clocks: Mapping[str, ClockMap]
    self_monitoring: SelfMonitoring


@dataclass(frozen=True, slots=True)
class FaultAnalysis:
    """Planned faults and other disruptions, and their consequences.

    Attributes:
        records: what the injectors logged; None if the run has no such file.
        windows: from each disruption until no signal was overdue any more.
        recoveries: each disruption, in order of time, and the recovery from it.
        head_lag: signals whose data lagged behind the chain's head.
        backups: backups and restores; None if the run has no such file.
    """

    records: tuple[FaultRecord, ...] | None
    windows: tuple[FaultWindow, ...]
    recoveries: tuple[tuple[Disruption, Recovery], ...]
    head_lag: HeadLagAnalyzer
    backups: BackupLog | None


@dataclass(frozen=True, slots=True)
class RunAnalysis:
    """Result of one pass over the evidence; read it, do not change it.

    Attributes:
        watched_until_ns: end of the observation, or of the observer; monotonic.
        findings: counts and examples of every anomaly found.
        gate: rounds of a gate; None if the run has no such file.
        scale_out: of the agents; None if the run has no such file.
    """

    timeline: Timeline
    watched_until_ns: int
    findings: Mapping[Anomaly, AnomalySummary]
    signals: SignalAnalysis
    integrity: IntegrityAnalysis
    evidence: EvidenceAnalysis
    instruments: InstrumentAnalysis
    faults: FaultAnalysis
    gate: GateLog | None
    scale_out: ScaleOutAnalysis | None = None

    def finding(self, kind: Anomaly) -> AnomalySummary:
        """Count and examples of one kind of anomaly."""
        return self.findings.get(kind, NO_ANOMALY)


def analyze_run(
    folder: RunFolder,
    plan: RunPlan,
    run: RunMetadata,
    *,
    serial: frozenset[Metric] = ORDERED_METRICS,
    stages: Mapping[str, frozenset[int]] | None = None,
    sentinel: Sentinel = SENTINEL,
    chunk: int = CHUNK,
) -> RunAnalysis:
    """Read journal, sightings, probes and final state, each record once.

    Memory is bounded by a chunk of each file, the signals in flight and about 50 bytes a signal.

    Args:
        folder: where the evidence lies.
        plan: the swarm's plan.
        run: metadata; it has the times of the observation.
        serial: metrics whose values are kept in order of time.
        stages: stages to record separately: numbers in the timeline, by name.
        sentinel: when a signal has to be refused as stale.
        chunk: records of one file in memory at a time.

    Raises:
        EvidenceError: a file exists and cannot be read.
    """
    check_file_sizes(folder, plan)
    timeline = Timeline.of(plan.load, plan.t0_ns)
    clocks, bad_clock_lines = _read_clocks(folder)
    until_ns = run.watched_until_ns

    table = scan_slots(plan.run_tag, folder.attempts())
    anomalies = AnomalyLog(table)
    matcher = Matcher(table, anomalies)
    recorder = Recorder(timeline, until_ns, clocks.get(POSTGRES), serial, stages)
    attempts = AttemptCounter(timeline, table)
    faults = _read_faults(folder)
    disruptions = find_disruptions(run.events, faults or ())
    recovery = RecoveryRecorder(
        plan.t0_ns,
        until_ns,
        [one.mono_ns for one in disruptions],
        min((one.began_ns for one in disruptions), default=None),
    )
    coverage = read_coverage(folder, plan.contract)
    reconciler = FinalStateReconciler(
        table, matcher.outcomes, anomalies, plan.nonce_starts, plan.contract, coverage
    )

    heads = read_chain_heads(folder.final_heads)
    head_lag = HeadLagAnalyzer(
        heads, clocks.get(REDIS), sentinel, faults or (), anomalies, until_ns
    )
    deadline = LateSignalAnalyzer(run.drain_deadline_ns, clocks.get(POSTGRES), anomalies)
    order = NonceOrderAnalyzer(table, anomalies)
    amounts = LedgerAmounts(table, anomalies)
    timestamps = TimestampAnalyzer(table, matcher.outcomes, anomalies, clocks.get(POSTGRES))
    reads = ObserverReads(folder.reads)
    throughput = ThroughputRecorder(timeline, run.observation_end_ns)
    stream = load_stream_history(folder)

    def add(samples: Samples) -> None:
        # Both write into the samples what the others read.
        reads.annotate(samples)
        head_lag.annotate(samples)
        for part in (recorder, deadline, order, timestamps, attempts, recovery, throughput):
            part.add(samples)

    sightings = (folder.sightings,) if folder.sightings.exists() else ()
    reading = ReadProblems({folder.reads.name: reads.torn} if reads.torn else {})
    for step in read_merged(folder.attempts(), folder.acks(), sightings, reading, chunk=chunk):
        add(matcher.advance(step))
    closed, unfinished = matcher.leftovers()
    add(closed)
    reconciler.read_tasks(folder.final_tasks)
    add(reconciler.end(unfinished, drain_elapsed=run.drain_elapsed, stream=stream))
    final_state = reconciler.compare(folder.final_ledger, timestamps.commit_us)
    amounts.read(folder.final_bookings)
    timestamp_check = timestamps.compare(folder.final_stamps)
    note_undelivered(folder.final, order, anomalies)
    nonce_order = order.compare(reconciler.nonce_offsets, matcher.outcomes.address)
    schedule = attempts.attempted()
    anomalies.count(Anomaly.ATTEMPT_MISSING, schedule.missing)

    recoveries = tuple(zip(disruptions, recovery.recoveries(), strict=False))
    has_ledger = plan.contract.ledger is not None
    return RunAnalysis(
        timeline=timeline,
        watched_until_ns=until_ns,
        findings=anomalies.findings(),
        signals=SignalAnalysis(
            attempted=matcher.attempted,
            schedule=schedule,
            cells=recorder.cells,
            stage_cells=recorder.stage_cells,
            throughput=throughput.intervals(),
        ),
        integrity=IntegrityAnalysis(
            final_state=final_state,
            coverage=coverage,
            stream=stream,
            nonce_order=nonce_order,
            ledger_amounts=amounts,
            timestamps=timestamp_check,
            stale_journal=StaleJournal(table, folder.attempts()),
        ),
        evidence=EvidenceAnalysis(
            reading=reading,
            missing_files=missing_files(folder, run, has_ledger=has_ledger),
            bad_clock_lines=bad_clock_lines,
            sightings=matcher.sightings,
            foreign=matcher.foreign,
        ),
        instruments=InstrumentAnalysis(clocks, _read_self_monitoring(folder)),
        faults=FaultAnalysis(
            records=faults,
            windows=fault_windows(recoveries, faults or (), until_ns),
            recoveries=recoveries,
            head_lag=head_lag,
            backups=_read_backups(folder),
        ),
        gate=read_gate(iter_lines(folder.gate)) if folder.gate.exists() else None,
        scale_out=_read_scale_out(folder, run, clocks.get(POSTGRES)),
    )


def load_stream_history(folder: RunFolder) -> StreamHistory | None:
    """History of the proposals stream; None without samples of it.

    Raises:
        EvidenceError: the file cannot be read.
    """
    if not folder.stream.exists():
        return None
    return read_stream_history(iter_lines(folder.stream))


def read_pool(folder: RunFolder) -> tuple[PendingSnapshot, ...]:
    """Samples of the consumer group that agents share; empty without such a group.

    Raises:
        EvidenceError: the file cannot be read.
    """
    if not folder.pool.exists():
        return ()
    return read_pending_snapshots(iter_lines(folder.pool), str(folder.pool))


def _read_scale_out(
    folder: RunFolder, run: RunMetadata, postgres: ClockMap | None
) -> ScaleOutAnalysis | None:
    if not folder.scale_out.exists():
        return None
    log = read_scale_log(iter_lines(folder.scale_out))
    return analyze_scale_out(log, read_pool(folder), postgres, run.load_end_ns)


def _read_faults(folder: RunFolder) -> tuple[FaultRecord, ...] | None:
    if not folder.faults.exists():
        return None
    return read_faults(iter_lines(folder.faults), str(folder.faults))


def _read_backups(folder: RunFolder) -> BackupLog | None:
    if not folder.backup.exists():
        return None
    return read_backups(iter_lines(folder.backup), str(folder.backup))


def _read_self_monitoring(folder: RunFolder) -> SelfMonitoring:
    paths = (folder.self_monitoring, folder.swarm_status, folder.observer_status)
    return read_self_monitoring({path.name: iter_lines(path) for path in paths if path.exists()})


def _read_clocks(folder: RunFolder) -> tuple[dict[str, ClockMap], int]:
    if not folder.clock.exists():
        return {}, 0
    samples, bad = read_clock_samples(iter_lines(folder.clock))
    return clock_maps(samples), bad
