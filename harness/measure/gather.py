"""From the evidence of a run to everything that is counted and timed in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.evidence.backup import BackupBook, read_backups
from harness.evidence.faults import FaultRecord, read_faults
from harness.evidence.gate import GateRecord, read_gate
from harness.evidence.reading import read_lines_of
from harness.measure.account import Account
from harness.measure.behind import BehindBook
from harness.measure.bookings import Bookings
from harness.measure.clockmap import ClockMap, clock_maps, read_probes
from harness.measure.deadline import Deadline
from harness.measure.faults import Disturbance, Window, disturbances, windows
from harness.measure.heads import read_heads
from harness.measure.left import note_left
from harness.measure.matching import Matcher
from harness.measure.missing import missing_files
from harness.measure.notes import NOTHING, Finding, Notes, Trouble
from harness.measure.order import OrderBook, Ordered
from harness.measure.reads import Reads
from harness.measure.recorder import SERIAL, Cell, CellKey, Metric, Recorder, StageKey
from harness.measure.recovery import Recovery, RecoveryTally
from harness.measure.samples import Samples
from harness.measure.schedule import Attempted, ScheduleTally
from harness.measure.seconds import Second, SecondTally
from harness.measure.settling import Settled, Settling
from harness.measure.sight import Sight, sight_of
from harness.measure.sizes import check_sizes
from harness.measure.slots import scan_slots
from harness.measure.stale import StaleJournal
from harness.measure.stamps import StampBook, Stamped
from harness.measure.streams import CHUNK, Reading, read_steps
from harness.measure.timeline import Timeline
from harness.measure.unread import StreamHistory, read_history
from harness.measure.vitals import Vitals, read_vitals
from harness.scenario.models import Phase
from harness.scenario.sentinel import SENTINEL, Sentinel
from harness.store import RunFacts, RunFolder, RunPlan

POSTGRES, REDIS = "postgres", "redis"


@dataclass(frozen=True, slots=True)
class Gathered:
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
        waited: whether the drain time was over by then.
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
    findings: Mapping[Trouble, Finding]
    schedule: Attempted
    settled: Settled
    stream: StreamHistory | None
    ordered: Ordered
    bookings: Bookings
    stale: StaleJournal
    stamped: Stamped | None
    reading: Reading
    missing: tuple[str, ...]
    clocks: Mapping[str, ClockMap]
    clock_lines_bad: int
    sightings: int
    foreign: int
    watched_until_ns: int
    waited: bool
    vitals: Vitals
    recoveries: tuple[tuple[Disturbance, Recovery], ...]
    seconds: tuple[Second, ...]
    faults: tuple[FaultRecord, ...] | None = None
    fault_windows: tuple[Window, ...] = ()
    backups: BackupBook | None = None
    gate: GateRecord | None = None
    behind: BehindBook | None = None
    sight: Sight = Sight()

    def finding(self, kind: Trouble) -> Finding:
        """How often something was found."""
        return self.findings.get(kind, NOTHING)

    def account(self, *phases: Phase) -> Account:
        """The signals of some phases together; of all when none is named."""
        total = Account()
        for key, cell in self.cells.items():
            if not phases or key.phase in phases:
                total = total + cell.account
        return total


def gather(
    folder: RunFolder,
    plan: RunPlan,
    run: RunFacts,
    *,
    serial: frozenset[Metric] = SERIAL,
    stages: Mapping[str, frozenset[int]] | None = None,
    sentinel: Sentinel = SENTINEL,
    chunk: int = CHUNK,
) -> Gathered:
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
    check_sizes(folder, plan)
    timeline = Timeline.of(plan.load, plan.t0_ns)
    clocks, bad_lines = _clocks(folder)
    until_ns = run.watched_until_ns

    table = scan_slots(plan.run_tag, folder.attempts())
    notes = Notes(table)
    matcher = Matcher(table, notes)
    recorder = Recorder(timeline, until_ns, clocks.get(POSTGRES), serial, stages)
    schedule = ScheduleTally(timeline, table)
    faults = _faults(folder)
    disturbed = disturbances(run.events, faults or ())
    recovery = RecoveryTally(
        plan.t0_ns,
        until_ns,
        [one.mono_ns for one in disturbed],
        min((one.began_ns for one in disturbed), default=None),
    )
    ledger = plan.contract.ledger
    sight = sight_of(folder, plan.contract)
    settling = Settling(table, matcher.fates, notes, plan.nonce_starts, plan.contract, sight)

    heads = read_heads(folder.final_heads)
    behind = BehindBook(heads, clocks.get(REDIS), sentinel, faults or (), notes, until_ns)
    deadline = Deadline(run.drain_deadline_ns, clocks.get(POSTGRES), notes)
    order = OrderBook(table, notes)
    bookings = Bookings(table, notes)
    stamps = StampBook(table, matcher.fates, notes, clocks.get(POSTGRES))
    reads = Reads(folder.reads)
    seconds = SecondTally(timeline, run.observation_end_ns)
    stream = read_stream(folder)

    def take(samples: Samples) -> None:
        reads.mark(samples)
        behind.mark(samples)
        recorder.add(samples)
        deadline.add(samples)
        order.add(samples)
        stamps.add(samples)
        schedule.add(samples)
        recovery.add(samples)
        seconds.add(samples)

    sightings = (folder.sightings,) if folder.sightings.exists() else ()
    reading = Reading({folder.reads.name: reads.torn} if reads.torn else {})
    for step in read_steps(folder.attempts(), folder.acks(), sightings, reading, chunk=chunk):
        take(matcher.advance(step))
    closed, rest = matcher.leftovers()
    take(closed)
    settling.read_tasks(folder.final_tasks)
    take(settling.end(rest, waited=run.waited, stream=stream))
    settled = settling.compare(folder.final_ledger)
    bookings.read(folder.final_bookings)
    stamped = stamps.compare(folder.final_stamps)
    note_left(folder.final, order, notes)
    ordered = order.compare(settling.nonce_places, matcher.fates.address)
    attempted = schedule.attempted()
    notes.count(Trouble.ATTEMPT_MISSING, attempted.missing)

    recoveries = tuple(zip(disturbed, recovery.recoveries(), strict=False))
    return Gathered(
        timeline=timeline,
        attempted=matcher.attempted,
        cells=recorder.cells,
        stage_cells=recorder.stage_cells,
        findings=notes.findings(),
        schedule=attempted,
        settled=settled,
        stream=stream,
        ordered=ordered,
        bookings=bookings,
        stale=StaleJournal(table, folder.attempts()),
        stamped=stamped,
        reading=reading,
        missing=missing_files(folder, run, has_ledger=ledger is not None),
        clocks=clocks,
        clock_lines_bad=bad_lines,
        sightings=matcher.sightings,
        foreign=matcher.foreign,
        watched_until_ns=until_ns,
        waited=run.waited,
        vitals=_vitals(folder),
        seconds=seconds.seconds(),
        recoveries=recoveries,
        faults=faults,
        fault_windows=windows(recoveries, faults or (), until_ns),
        backups=_backups(folder),
        gate=_gate(folder),
        behind=behind,
        sight=sight,
    )


def _faults(folder: RunFolder) -> tuple[FaultRecord, ...] | None:
    if not folder.faults.exists():
        return None
    return read_faults(read_lines_of(folder.faults), str(folder.faults))


def _backups(folder: RunFolder) -> BackupBook | None:
    if not folder.backup.exists():
        return None
    return read_backups(read_lines_of(folder.backup), str(folder.backup))


def _gate(folder: RunFolder) -> GateRecord | None:
    if not folder.gate.exists():
        return None
    return read_gate(read_lines_of(folder.gate))


def read_stream(folder: RunFolder) -> StreamHistory | None:
    """What the looks at the stream come to; None without any.

    Raises:
        EvidenceError: they cannot be read.
    """
    if not folder.stream.exists():
        return None
    return read_history(read_lines_of(folder.stream))


def _vitals(folder: RunFolder) -> Vitals:
    paths = (folder.vitals, folder.swarm_words, folder.observer_words)
    return read_vitals({path.name: read_lines_of(path) for path in paths if path.exists()})


def _clocks(folder: RunFolder) -> tuple[dict[str, ClockMap], int]:
    if not folder.clock.exists():
        return {}, 0
    probes, bad = read_probes(read_lines_of(folder.clock))
    return clock_maps(probes), bad
