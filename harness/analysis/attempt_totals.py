"""Sums over the attempts, for comparison with the plan without a list of every signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.phase_timeline import Timeline
from harness.analysis.samples import Samples, column
from harness.analysis.slots import SlotTable
from harness.contract.trace_id import AGENT_MAX

_AGENTS = AGENT_MAX + 1


def weigh(offsets_ns: NDArray[np.int64], first: int) -> NDArray[np.uint64]:
    """Terms of a schedule's sum: (2 n + 1) * offset of the n-th signal, modulo 2^64.

    Odd weights make every single wrong offset, and every exchange of two, change the sum.

    Args:
        offsets_ns: ns after t0 of consecutive signals of one agent.
        first: number of the first of them.
    """
    numbers = np.arange(first, first + len(offsets_ns), dtype=np.uint64)
    return (2 * numbers + 1) * offsets_ns.astype(np.uint64)


@dataclass(frozen=True, slots=True)
class AttemptTotals:
    """Sums over everything attempted.

    Attributes:
        by_agent: signals of each agent.
        sum_by_agent: `weigh`ed intended times, summed modulo 2^64.
        by_stage: signals of each stage of the timeline.
        in_phase_by_stage: those of them that were sent before their phase was over.
        missing: numbers below an agent's last signal without an attempt; agents skip no number.
        early: sent before they were intended.
        unknown_stage: of a stage that the plan does not have.
        sent_ns: when the first and the last were sent; None without any.
    """

    by_agent: NDArray[np.int64]
    sum_by_agent: NDArray[np.uint64]
    by_stage: tuple[int, ...]
    in_phase_by_stage: tuple[int, ...]
    missing: int
    early: int
    unknown_stage: int
    sent_ns: tuple[int, int] | None = None


class AttemptCounter:
    """Accumulates `AttemptTotals`."""

    def __init__(self, timeline: Timeline, table: SlotTable) -> None:
        self._table = table
        self._t0_ns = timeline.t0_ns
        self._stages = len(timeline.phases)
        self._ends_ns = np.array(
            [timeline.phase_end_ns(stage) for stage in range(self._stages)], dtype=np.int64
        )
        self._by_agent = np.zeros(_AGENTS, dtype=np.int64)
        self._sums = np.zeros(_AGENTS, dtype=np.uint64)
        self._next_index = np.zeros(_AGENTS, dtype=np.int64)
        self._by_stage = np.zeros(self._stages, dtype=np.int64)
        self._in_phase = np.zeros(self._stages, dtype=np.int64)
        self._early = 0
        self._unknown_stage = 0
        self._sent_ns: tuple[int, int] | None = None

    def add(self, samples: Samples) -> None:
        """Add samples; every attempted signal is one sample exactly."""
        slots = column(samples, "slot")
        agents = self._table.agents_of(slots)
        numbers = (slots - self._table.bases[agents]).astype(np.uint64)
        intended, sent = column(samples, "intended_ns"), column(samples, "sent_ns")
        offsets = (intended - self._t0_ns).astype(np.uint64)
        self._by_agent += np.bincount(agents, minlength=_AGENTS)
        np.maximum.at(self._next_index, agents, numbers.astype(np.int64) + 1)
        np.add.at(self._sums, agents, (2 * numbers + 1) * offsets)
        self._early += int((sent < intended).sum())
        if len(sent):
            first, last = self._sent_ns or (int(sent[0]), int(sent[0]))
            self._sent_ns = (min(first, int(sent.min())), max(last, int(sent.max())))
        stages = column(samples, "stage").astype(np.int64)
        known = stages < self._stages
        self._unknown_stage += int((~known).sum())
        stages, sent = stages[known], sent[known]
        self._by_stage += np.bincount(stages, minlength=self._stages)
        in_phase = sent < self._ends_ns[stages]
        self._in_phase += np.bincount(stages[in_phase], minlength=self._stages)

    def attempted(self) -> AttemptTotals:
        """The totals so far."""
        return AttemptTotals(
            by_agent=self._by_agent.copy(),
            sum_by_agent=self._sums.copy(),
            by_stage=tuple(self._by_stage.tolist()),
            in_phase_by_stage=tuple(self._in_phase.tolist()),
            missing=int((self._next_index - self._by_agent).sum()),
            early=self._early,
            unknown_stage=self._unknown_stage,
            sent_ns=self._sent_ns,
        )
