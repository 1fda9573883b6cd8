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
from harness.analysis.integrity.file_sizes import check_file_sizes
from harness.analysis.integrity.final_state import FinalStateReconciler, FinalStateSummary
from harness.analysis.integrity.final_state_coverage import FinalStateCoverage, read_coverage
from harness.analysis.integrity.ledger_amounts import LedgerAmounts
from harness.analysis.integrity.missing_files import missing_files
from harness.analysis.integrity.nonce_order import NonceOrderAnalyzer, NonceOrderCheck
from harness.analysis.integrity.stream_trimming import StreamHistory, read_stream_history
from harness.analysis.integrity.timestamps import TimestampAnalyzer, TimestampCheck
from harness.analysis.integrity.undelivered import note_undelivered
from harness.analysis.matching import Matcher
from harness.analysis.observer_reads import ObserverReads
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.phase_timeline import Timeline
from harness.analysis.record_merge import CHUNK, ReadProblems, read_merged
from harness.analysis.recorder import ORDERED_METRICS, Cell, CellKey, Metric, Recorder, StageKey
from harness.analysis.resources.self_monitoring import SelfMonitoring, read_self_monitoring
from harness.analysis.samples import Samples
from harness.analysis.slots import scan_slots
from harness.analysis.throughput_series import ThroughputInterval, ThroughputRecorder
from harness.evidence.backup_log import BackupLog, read_backups
from harness.evidence.fault_log import FaultRecord, read_faults
from harness.evidence.gate_log import GateLog, read_gate
from harness.evidence.run_documents import RunMetadata, RunPlan
from harness.evidence.run_folder import RunFolder
from harness.safe_open import iter_lines
from harness.scenario.models import Phase
from harness.scenario.sentinel import SENTINEL, Sentinel

POSTGRES, REDIS = "postgres", "redis"


@dataclass(frozen=True, slots=True)
class RunAnalysis:
    """What one pass over the evidence gives; read it, do not change it.

    Attributes:
        attempted: distinct signals.
        cells: signals by phase and mode.
        stage_cells: signals of the stages that were asked for, by stage and mode.
        findings: what was out of order.
        schedule: what was attempted, for comparison with the plan.
        settled: the final state.
        stream: what the looks at the stream come to; None if there were none to be.
        ordered: what was compared of the order of signals.
        bookings: amounts that were booked.
        stale: the journal's stale signals, to be held against the seed.
        stamped: what was compared of the stamps of rows; None if none were written down.
        reading: torn and disordered records.
        missing: evidence files that are not there.
        clocks: by server.
        clock_lines_bad: lines of `clock.jsonl` that cannot be read.
        sightings: records of the observer's file.
        foreign: sightings of other runs, left alone.
        watched_until_ns: end of the observation, or of the observer.
        drain_elapsed: whether the drain time was over by then.
        vitals: what the harness's own processes and the host had to work with.
        recoveries: each disturbance, in order, and what followed it.
        seconds: how the run went, stretch by stretch.
        faults: what became of each fault; None if the run kept no such file.
        fault_windows: the time of each disturbance, until nothing was overdue any more.
        backups: what was taken and restored; None if the run kept no such file.
        gate: the rounds of a gate; None if the run kept no such file.
        behind: what became of signals whose data lay behind the chain's head.
        sight: how far the final state could be read.
    """

    timeline: Timeline
    attempted: int
    cells: Mapping[CellKey, Cell]
    stage_cells: Mapping[StageKey, Cell]
    findings: Mapping[Anomaly, AnomalySummary]
    schedule: AttemptTotals
    final_state: FinalStateSummary
    stream: StreamHistory | None
    nonce_order: NonceOrderCheck
    ledger_amounts: LedgerAmounts
    stale: StaleJournal
    timestamp_check: TimestampCheck | None
    reading: ReadProblems
    missing: tuple[str, ...]
    clocks: Mapping[str, ClockMap]
    clock_lines_bad: int
    sightings: int
    foreign: int
    watched_until_ns: int
    drain_elapsed: bool
    vitals: SelfMonitoring
    recoveries: tuple[tuple[Disruption, Recovery], ...]
    seconds: tuple[ThroughputInterval, ...]
    faults: tuple[FaultRecord, ...] | None = None
    fault_windows: tuple[FaultWindow, ...] = ()
    backups: BackupLog | None = None
    gate: GateLog | None = None
    behind: HeadLagAnalyzer | None = None
    final_state_coverage: FinalStateCoverage = FinalStateCoverage()

    def finding(self, kind: Anomaly) -> AnomalySummary:
        """How often something was found."""
        return self.findings.get(kind, NO_ANOMALY)

    def account(self, *phases: Phase) -> SignalOutcomeCounts:
        """The signals of some phases together; of all when none is named."""
        total = SignalOutcomeCounts()
        for key, cell in self.cells.items():
            if not phases or key.phase in phases:
                total = total + cell.account
        return total


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
        plan: what the swarm was told.
        run: when the run was watched.
        serial: metrics of which the order in time is kept.
        stages: stages to keep apart: numbers in the timeline by name.
        sentinel: when a signal has to be refused as stale.
        chunk: records of one file in memory at a time.

    Raises:
        EvidenceError: a file is there and cannot be read.
    """
    check_file_sizes(folder, plan)
    timeline = Timeline.of(plan.load, plan.t0_ns)
    clocks, bad_lines = _clocks(folder)
    until_ns = run.watched_until_ns

    table = scan_slots(plan.run_tag, folder.attempts())
    notes = AnomalyLog(table)
    matcher = Matcher(table, notes)
    recorder = Recorder(timeline, until_ns, clocks.get(POSTGRES), serial, stages)
    schedule = AttemptCounter(timeline, table)
    faults = _faults(folder)
    disturbed = find_disruptions(run.events, faults or ())
    recovery = RecoveryRecorder(
        plan.t0_ns,
        until_ns,
        [one.mono_ns for one in disturbed],
        min((one.began_ns for one in disturbed), default=None),
    )
    ledger = plan.contract.ledger
    sight = read_coverage(folder, plan.contract)
    settling = FinalStateReconciler(
        table, matcher.outcomes, notes, plan.nonce_starts, plan.contract, sight
    )

    heads = read_chain_heads(folder.final_heads)
    behind = HeadLagAnalyzer(heads, clocks.get(REDIS), sentinel, faults or (), notes, until_ns)
    deadline = LateSignalAnalyzer(run.drain_deadline_ns, clocks.get(POSTGRES), notes)
    order = NonceOrderAnalyzer(table, notes)
    bookings = LedgerAmounts(table, notes)
    stamps = TimestampAnalyzer(table, matcher.outcomes, notes, clocks.get(POSTGRES))
    reads = ObserverReads(folder.reads)
    seconds = ThroughputRecorder(timeline, run.observation_end_ns)
    stream = load_stream_history(folder)

    def take(samples: Samples) -> None:
        reads.annotate(samples)
        behind.annotate(samples)
        recorder.add(samples)
        deadline.add(samples)
        order.add(samples)
        stamps.add(samples)
        schedule.add(samples)
        recovery.add(samples)
        seconds.add(samples)

    sightings = (folder.sightings,) if folder.sightings.exists() else ()
    reading = ReadProblems({folder.reads.name: reads.torn} if reads.torn else {})
    for step in read_merged(folder.attempts(), folder.acks(), sightings, reading, chunk=chunk):
        take(matcher.advance(step))
    closed, rest = matcher.leftovers()
    take(closed)
    settling.read_tasks(folder.final_tasks)
    take(settling.end(rest, drain_elapsed=run.drain_elapsed, stream=stream))
    settled = settling.compare(folder.final_ledger)
    bookings.read(folder.final_bookings)
    stamped = stamps.compare(folder.final_stamps)
    note_undelivered(folder.final, order, notes)
    ordered = order.compare(settling.nonce_offsets, matcher.outcomes.address)
    attempted = schedule.attempted()
    notes.count(Anomaly.ATTEMPT_MISSING, attempted.missing)

    recoveries = tuple(zip(disturbed, recovery.recoveries(), strict=False))
    return RunAnalysis(
        timeline=timeline,
        attempted=matcher.attempted,
        cells=recorder.cells,
        stage_cells=recorder.stage_cells,
        findings=notes.findings(),
        schedule=attempted,
        final_state=settled,
        stream=stream,
        nonce_order=ordered,
        ledger_amounts=bookings,
        stale=StaleJournal(table, folder.attempts()),
        timestamp_check=stamped,
        reading=reading,
        missing=missing_files(folder, run, has_ledger=ledger is not None),
        clocks=clocks,
        clock_lines_bad=bad_lines,
        sightings=matcher.sightings,
        foreign=matcher.foreign,
        watched_until_ns=until_ns,
        drain_elapsed=run.drain_elapsed,
        vitals=_vitals(folder),
        seconds=seconds.seconds(),
        recoveries=recoveries,
        faults=faults,
        fault_windows=fault_windows(recoveries, faults or (), until_ns),
        backups=_backups(folder),
        gate=_gate(folder),
        behind=behind,
        final_state_coverage=sight,
    )


def _faults(folder: RunFolder) -> tuple[FaultRecord, ...] | None:
    if not folder.faults.exists():
        return None
    return read_faults(iter_lines(folder.faults), str(folder.faults))


def _backups(folder: RunFolder) -> BackupLog | None:
    if not folder.backup.exists():
        return None
    return read_backups(iter_lines(folder.backup), str(folder.backup))


def _gate(folder: RunFolder) -> GateLog | None:
    if not folder.gate.exists():
        return None
    return read_gate(iter_lines(folder.gate))


def load_stream_history(folder: RunFolder) -> StreamHistory | None:
    """What the looks at the stream come to; None without any.

    Raises:
        EvidenceError: they cannot be read.
    """
    if not folder.stream.exists():
        return None
    return read_stream_history(iter_lines(folder.stream))


def _vitals(folder: RunFolder) -> SelfMonitoring:
    paths = (folder.vitals, folder.swarm_status, folder.observer_status)
    return read_self_monitoring({path.name: iter_lines(path) for path in paths if path.exists()})


def _clocks(folder: RunFolder) -> tuple[dict[str, ClockMap], int]:
    if not folder.clock.exists():
        return {}, 0
    probes, bad = read_clock_samples(iter_lines(folder.clock))
    return clock_maps(probes), bad
