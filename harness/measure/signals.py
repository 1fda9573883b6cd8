"""Every signal of a run, one after the other, with its times and its class; for other tools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.evidence.reading import read_lines_of
from harness.measure.clockmap import ClockMap, clock_maps, read_probes
from harness.measure.gather import POSTGRES, read_stream
from harness.measure.matching import Matcher
from harness.measure.notes import Notes
from harness.measure.samples import Samples, column
from harness.measure.settling import Settling
from harness.measure.sight import sight_of
from harness.measure.slots import SlotTable, scan_slots
from harness.measure.streams import CHUNK, Reading, read_steps
from harness.store import RunFacts, RunFolder, RunPlan

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Signals:
    """Some signals; every array is as long as `samples`.

    Attributes:
        samples: with their fates.
        agents: whose they are.
        indexes: the how-manieth of its agent each is, from 0.
        init_ns: commit of INIT on the host's monotonic clock; 0 where it is not known.
        committed_ns: commit of the final state, likewise.
    """

    samples: Samples
    agents: Times
    indexes: Times
    init_ns: Times
    committed_ns: Times


def read_signals(
    folder: RunFolder, plan: RunPlan, run: RunFacts, *, chunk: int = CHUNK
) -> Iterator[Signals]:
    """Every attempted signal once, roughly in the order in which it ended.

    Memory is bounded by a chunk of each file, the signals in flight and about 20 bytes a signal.

    Raises:
        EvidenceError: a file is there and cannot be read.
    """
    table = scan_slots(plan.run_tag, folder.attempts())
    notes = Notes(table)
    matcher = Matcher(table, notes)
    clock = _clock(folder)
    sightings = (folder.sightings,) if folder.sightings.exists() else ()
    for step in read_steps(folder.attempts(), folder.acks(), sightings, Reading(), chunk=chunk):
        yield from _portion(matcher.advance(step), table, clock)
    closed, rest = matcher.leftovers()
    yield from _portion(closed, table, clock)
    sight = sight_of(folder, plan.contract)
    settling = Settling(table, matcher.fates, notes, plan.nonce_starts, plan.contract, sight)
    settling.read_tasks(folder.final_tasks)
    ended = settling.end(rest, waited=run.waited, stream=read_stream(folder))
    yield from _portion(ended, table, clock)


def _portion(samples: Samples, table: SlotTable, clock: ClockMap | None) -> Iterator[Signals]:
    if len(samples) == 0:
        return
    slots = column(samples, "slot")
    agents = table.agents_of(slots)
    yield Signals(
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
    probes, _ = read_probes(read_lines_of(folder.clock))
    return clock_maps(probes).get(POSTGRES)
