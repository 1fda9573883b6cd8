"""Signals journaled as stale on purpose, compared with the choice of the seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.analysis.anomalies import EXAMPLES_MAX, NO_ANOMALY, AnomalySummary
from harness.analysis.slots import CHUNK, Slots, SlotTable
from harness.evidence.records import ATTEMPT, Records, iter_records

# Whether signals of an agent are stale by the seed: agent, first signal, number of signals.
StaleChoice = Callable[[int, int, int], Sequence[bool]]


@dataclass(frozen=True, slots=True)
class StaleJournal:
    """A second pass over the journal for its stale signals.

    Attributes:
        table: the run's slots.
        attempts: the journal's files.
    """

    table: SlotTable
    attempts: tuple[Path, ...]

    def find_mismatches(
        self, choice: StaleChoice, oldest_head: int
    ) -> tuple[AnomalySummary, AnomalySummary]:
        """Signals journaled as stale that the seed does not choose, and the opposite.

        While the chain is too short for a stale block, chosen signals are sent as ordinary ones.
        The block that they name, which is the chain's head then, shows whether it was.

        Args:
            choice: of the seed.
            oldest_head: lowest head of a chain that is long enough.

        Raises:
            EvidenceError: a file cannot be read.
        """
        unexpected, absent = NO_ANOMALY, NO_ANOMALY
        for path in self.attempts:
            for records in iter_records(path, ATTEMPT, chunk=CHUNK):
                slots = self.table.slots_of(records["trace_hi"], records["trace_lo"])
                records, slots = records[slots >= 0], slots[slots >= 0]
                marked = records["stale"] == 1
                chosen = self._chosen(records, slots, choice)
                old_enough = records["sync_block"] >= oldest_head
                unexpected = self._add(unexpected, slots[marked & ~chosen])
                absent = self._add(absent, slots[~marked & chosen & old_enough])
        return unexpected, absent

    def _chosen(self, records: Records, slots: Slots, choice: StaleChoice) -> np.ndarray:
        agents = self.table.agents_of(slots)
        found = np.zeros(len(records), dtype=np.bool_)
        for agent in np.unique(agents).tolist():
            own = agents == agent
            indexes = slots[own] - self.table.bases[agent]
            first = int(indexes.min())
            choices = np.array(choice(agent, first, int(indexes.max()) - first + 1), dtype=np.bool_)
            found[own] = choices[indexes - first]
        return found

    def _add(self, known: AnomalySummary, slots: Slots) -> AnomalySummary:
        examples = [self.table.text(int(at)) for at in slots[: EXAMPLES_MAX - len(known.traces)]]
        return AnomalySummary(known.count + len(slots), (*known.traces, *examples))
