"""Every signal of a run with its times and its outcome, in batches; for exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.anomalies import AnomalyLog
from harness.analysis.clock_map import ClockMap, clock_maps, read_clock_samples
from harness.analysis.integrity.final_state import FinalStateReconciler
from harness.analysis.integrity.final_state_coverage import read_coverage
from harness.analysis.matching import Matcher
from harness.analysis.record_merge import CHUNK, ReadProblems, read_merged
from harness.analysis.run_analysis import POSTGRES, load_stream_history
from harness.analysis.samples import Samples, column
from harness.analysis.slots import SlotTable, scan_slots
from harness.evidence.run_documents import RunMetadata, RunPlan
from harness.evidence.run_folder import RunFolder
from harness.safe_open import iter_lines

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SignalBatch:
    """A batch of signals; every array is as long as `samples`.

    Attributes:
        samples: with their outcomes.
        agents: of each signal.
        indexes: number of each signal within its agent, from 0.
        init_ns: commit of INIT on the host's monotonic clock; 0 where it is not known.
        committed_ns: commit of the final state on that clock; 0 where it is not known.
    """

    samples: Samples
    agents: Times
    indexes: Times
    init_ns: Times
    committed_ns: Times


def read_signals(
    folder: RunFolder, plan: RunPlan, run: RunMetadata, *, chunk: int = CHUNK
) -> Iterator[SignalBatch]:
    """Every attempted signal once, roughly in the order in which it ended.

    Memory is bounded by a chunk of each file, the signals in flight and about 20 bytes a signal.

    Raises:
        EvidenceError: a file is there and cannot be read.
    """
    table = scan_slots(plan.run_tag, folder.attempts())
    anomalies = AnomalyLog(table)
    matcher = Matcher(table, anomalies)
    clock = _clock(folder)
    sightings = (folder.sightings,) if folder.sightings.exists() else ()
    for batch in read_merged(
        folder.attempts(), folder.acks(), sightings, ReadProblems(), chunk=chunk
    ):
        yield from _batch(matcher.advance(batch), table, clock)
    closed, unfinished = matcher.leftovers()
    yield from _batch(closed, table, clock)
    coverage = read_coverage(folder, plan.contract)
    reconciler = FinalStateReconciler(
        table, matcher.outcomes, anomalies, plan.nonce_starts, plan.contract, coverage
    )
    reconciler.read_tasks(folder.final_tasks)
    ended = reconciler.end(
        unfinished, drain_elapsed=run.drain_elapsed, stream=load_stream_history(folder)
    )
    yield from _batch(ended, table, clock)


def _batch(samples: Samples, table: SlotTable, clock: ClockMap | None) -> Iterator[SignalBatch]:
    if len(samples) == 0:
        return
    slots = column(samples, "slot")
    agents = table.agents_of(slots)
    yield SignalBatch(
        samples=samples,
        agents=agents,
        indexes=slots - table.bases[agents],
        init_ns=_mono_ns(clock, column(samples, "init_us")),
        committed_ns=_mono_ns(clock, column(samples, "final_us")),
    )


def _mono_ns(clock: ClockMap | None, server_us: Times) -> Times:
    if clock is None:
        return np.zeros(len(server_us), dtype=np.int64)
    return np.where(server_us != 0, clock.mono_ns(server_us), 0)


def _clock(folder: RunFolder) -> ClockMap | None:
    if not folder.clock.exists():
        return None
    probes, _ = read_clock_samples(iter_lines(folder.clock))
    return clock_maps(probes).get(POSTGRES)
