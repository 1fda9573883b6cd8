"""The signals that the journal marks as stale on purpose, compared with the seed's own choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.analysis.anomalies import EXAMPLES_MAX, NO_ANOMALY, AnomalySummary
from harness.analysis.slots import CHUNK, Slots, SlotTable
from harness.evidence.records import ATTEMPT, Records, iter_records

# Whether signals of an agent are to be stale: agent, first of them, how many.
StaleChoice = Callable[[int, int, int], Sequence[bool]]


@dataclass(frozen=True, slots=True)
class StaleJournal:
    """The journal once more, for its stale signals alone.

    Attributes:
        table: the run's slots.
        attempts: the journal's files.
    """

    table: SlotTable
    attempts: tuple[Path, ...]

    def find_mismatches(
        self, choice: StaleChoice, oldest_head: int
    ) -> tuple[AnomalySummary, AnomalySummary]:
        """Signals journaled as stale that the seed does not choose, and the other way round.

        Chosen ones are sent as ordinary ones while the chain is too young for a stale block; the
        block that they name, which was the chain's head, shows whether it was.

        Args:
            choice: what follows from the seed.
            oldest_head: the least head of a chain that is old enough.

        Raises:
            EvidenceError: a file cannot be read.
        """
        surplus, lacking = NO_ANOMALY, NO_ANOMALY
        for path in self.attempts:
            for records in iter_records(path, ATTEMPT, chunk=CHUNK):
                slots = self.table.slots_of(records["trace_hi"], records["trace_lo"])
                records, slots = records[slots >= 0], slots[slots >= 0]
                marked = records["stale"] == 1
                chosen = self._chosen(records, slots, choice)
                old_enough = records["sync_block"] >= oldest_head
                surplus = self._more(surplus, slots[marked & ~chosen])
                lacking = self._more(lacking, slots[~marked & chosen & old_enough])
        return surplus, lacking

    def _chosen(self, records: Records, slots: Slots, choice: StaleChoice) -> np.ndarray:
        agents = self.table.agents_of(slots)
        found = np.zeros(len(records), dtype=np.bool_)
        for agent in np.unique(agents).tolist():
            own = agents == agent
            indexes = slots[own] - self.table.bases[agent]
            first = int(indexes.min())
            drawn = np.array(choice(agent, first, int(indexes.max()) - first + 1), dtype=np.bool_)
            found[own] = drawn[indexes - first]
        return found

    def _more(self, known: AnomalySummary, slots: Slots) -> AnomalySummary:
        names = [self.table.text(int(at)) for at in slots[: EXAMPLES_MAX - len(known.traces)]]
        return AnomalySummary(known.count + len(slots), (*known.traces, *names))
