"""Slots: a dense integer for each signal, so that arrays by slot hold millions in megabytes.

An agent numbers its signals from 0, so the slot is the agent's base plus the signal's index.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.contract import trace_id
from harness.evidence.records import ATTEMPT, Records, iter_records

Slots = NDArray[np.int64]

# In place of a slot: a trace id of this run without a possible signal; one of another run.
UNKNOWN = -1
FOREIGN = -2

_AGENTS = trace_id.AGENT_MAX + 1
_SPARE_SLOTS = 1_024
CHUNK = 16_384


class SlotTable:
    """The slots of one run.

    Args:
        run_tag: of the run whose trace ids have a slot.
        sizes: for each agent, one more than the highest index that has a slot.
    """

    def __init__(self, run_tag: int, sizes: NDArray[np.int64]) -> None:
        self.run_tag = run_tag
        self.sizes = sizes
        self.bases = np.concatenate(([0], np.cumsum(sizes)))[:-1]
        self.total = int(sizes.sum())

    def slots_of(self, trace_hi: NDArray[np.uint64], trace_lo: NDArray[np.uint64]) -> Slots:
        """The slot of each trace id, or UNKNOWN, or FOREIGN."""
        agents, indexes, is_own, well_formed = _parts(self.run_tag, trace_hi, trace_lo)
        known = is_own & well_formed & (indexes < self.sizes[agents])
        slots = np.where(known, self.bases[agents] + indexes, UNKNOWN)
        slots[~is_own] = FOREIGN
        return slots

    def agents_of(self, slots: Slots) -> NDArray[np.int64]:
        """The agent that each slot belongs to."""
        return np.searchsorted(self.bases + self.sizes, slots, side="right").astype(np.int64)

    def text(self, slot: int) -> str:
        """Canonical text form of a slot's trace id."""
        agent = int(self.agents_of(np.array([slot], dtype=np.int64))[0])
        return trace_id.text(*trace_id.pack(self.run_tag, agent, slot - int(self.bases[agent])))


def scan_slots(run_tag: int, attempts: Iterable[Path]) -> SlotTable:
    """The slots that the signals of these journal files need; one pass, a few bytes a signal.

    An index far beyond the number of an agent's attempts gets no slot: it must be forged.

    Raises:
        EvidenceError: a file cannot be read.
    """
    highest = np.full(_AGENTS, -1, dtype=np.int64)
    counts = np.zeros(_AGENTS, dtype=np.int64)
    for path in attempts:
        for records in iter_records(path, ATTEMPT, chunk=CHUNK):
            agents, indexes, is_own, well_formed = _trace_parts(run_tag, records)
            good = is_own & well_formed
            counts += np.bincount(agents[good], minlength=_AGENTS)
            np.maximum.at(highest, agents[good], indexes[good])
    return SlotTable(run_tag, np.minimum(highest + 1, 2 * counts + _SPARE_SLOTS))


def _trace_parts(
    run_tag: int, records: Records
) -> tuple[Slots, Slots, NDArray[np.bool_], NDArray[np.bool_]]:
    return _parts(run_tag, records["trace_hi"], records["trace_lo"])


def _parts(
    run_tag: int, trace_hi: NDArray[np.uint64], trace_lo: NDArray[np.uint64]
) -> tuple[Slots, Slots, NDArray[np.bool_], NDArray[np.bool_]]:
    """Agent, index, whether it is of this run, and whether its fixed bits are valid."""
    fixed_hi, fixed_lo = trace_id.pack(run_tag, 0, 0)
    agents = (trace_hi & np.uint64(trace_id.AGENT_MAX)).astype(np.int64)
    indexes = (trace_lo & np.uint64(trace_id.INDEX_MAX)).astype(np.int64)
    is_own = trace_hi >> np.uint64(16) == np.uint64(run_tag)
    well_formed = ((trace_hi & ~np.uint64(trace_id.AGENT_MAX)) == np.uint64(fixed_hi)) & (
        (trace_lo & ~np.uint64(trace_id.INDEX_MAX)) == np.uint64(fixed_lo)
    )
    return agents, indexes, is_own, well_formed
