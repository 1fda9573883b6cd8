"""Counts of signals by outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from harness.analysis.samples import Mask, Samples, SignalOutcome, Staleness
from harness.contract.names import State
from harness.evidence.records import PushStatus


@dataclass(slots=True)
class SignalOutcomeCounts:
    """Counts of the signals of a phase by outcome, and of some groups within them.

    Attributes:
        outcomes: signals by outcome; they sum to those attempted.
        rejected_by: rejections by state, recovered ones included.
        unanswered: of the refused, those whose answer never came.
        recovered_rejected: of the recovered, those that the engine refused.
        unseen: final in the table, and never observed before.
        commit_unknown: arrived, and no commit time is known.
        accepted: Redis gave them an entry id.
        unconfirmed: Redis did not answer, and may have accepted them.
        stale: sent stale on purpose, whatever their outcome.
        stale_rejected: of those, the ones that the engine refused.
        head_lag: sent while a planned fault delayed their agents' view of the chain; due to be
            refused as stale.
        head_lag_rejected: of those, the ones that the engine refused.
    """

    outcomes: dict[SignalOutcome, int] = field(default_factory=dict)
    rejected_by: dict[State, int] = field(default_factory=dict)
    unanswered: int = 0
    recovered_rejected: int = 0
    unseen: int = 0
    commit_unknown: int = 0
    accepted: int = 0
    unconfirmed: int = 0
    stale: int = 0
    stale_rejected: int = 0
    head_lag: int = 0
    head_lag_rejected: int = 0

    def of(self, outcome: SignalOutcome) -> int:
        """Signals with this outcome."""
        return self.outcomes.get(outcome, 0)

    def __add__(self, other: SignalOutcomeCounts) -> SignalOutcomeCounts:
        """Sum of both."""
        return SignalOutcomeCounts(
            outcomes=dict(Counter(self.outcomes) + Counter(other.outcomes)),
            rejected_by=dict(Counter(self.rejected_by) + Counter(other.rejected_by)),
            unanswered=self.unanswered + other.unanswered,
            recovered_rejected=self.recovered_rejected + other.recovered_rejected,
            unseen=self.unseen + other.unseen,
            commit_unknown=self.commit_unknown + other.commit_unknown,
            accepted=self.accepted + other.accepted,
            unconfirmed=self.unconfirmed + other.unconfirmed,
            stale=self.stale + other.stale,
            stale_rejected=self.stale_rejected + other.stale_rejected,
            head_lag=self.head_lag + other.head_lag,
            head_lag_rejected=self.head_lag_rejected + other.head_lag_rejected,
        )

    @property
    def attempted(self) -> int:
        """All signals."""
        return sum(self.outcomes.values())

    @property
    def expected_rejections(self) -> int:
        """Signals that the engine has to refuse."""
        return self.stale + self.head_lag

    @property
    def ordinary(self) -> int:
        """Signals that should reach SIMULATED."""
        return self.attempted - self.expected_rejections

    @property
    def arrived(self) -> int:
        """Signals that reached SIMULATED."""
        return (
            self.of(SignalOutcome.SIMULATED)
            + self.of(SignalOutcome.RECOVERED)
            - self.recovered_rejected
        )

    @property
    def rejected(self) -> int:
        """Signals that the engine refused."""
        return self.of(SignalOutcome.REJECTED) + self.recovered_rejected

    @property
    def ordinary_rejected(self) -> int:
        """Signals that the engine refused without a reason."""
        return self.rejected - self.stale_rejected - self.head_lag_rejected

    @property
    def ordinary_stale(self) -> int:
        """Signals that the engine refused as stale and that no plan made stale; a lower bound.

        Signals that were stale by plan may have been refused for another reason.
        """
        meant = self.stale_rejected + self.head_lag_rejected
        return max(0, self.rejected_by.get(State.STALE_DATA_ERROR, 0) - meant)

    def add(self, samples: Samples, rejected: Mask, unseen: Mask) -> None:
        """Add samples.

        Args:
            samples: with their outcomes.
            rejected: which of them the engine refused.
            unseen: which of them arrived unseen.
        """
        numbers, counts = np.unique(samples["signal_outcome"], return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            outcome = SignalOutcome(number)
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
        states, counts = np.unique(samples["state"][rejected], return_counts=True)
        for number, count in zip(states.tolist(), counts.tolist(), strict=True):
            state = State(number)
            self.rejected_by[state] = self.rejected_by.get(state, 0) + count
        refused = samples["signal_outcome"] == SignalOutcome.REFUSED
        self.unanswered += int((refused & (samples["outcome"] != PushStatus.REFUSED)).sum())
        self.recovered_rejected += int(
            (rejected & (samples["signal_outcome"] == SignalOutcome.RECOVERED)).sum()
        )
        self.unseen += int(unseen.sum())
        accepted = samples["outcome"] == PushStatus.ACCEPTED
        self.accepted += int(accepted.sum())
        self.unconfirmed += int((~accepted & (samples["outcome"] != PushStatus.REFUSED)).sum())
        stale = samples["stale"] == Staleness.ON_PURPOSE
        self.stale += int(stale.sum())
        self.stale_rejected += int((rejected & stale).sum())
        head_lag = samples["stale"] == Staleness.HEAD_LAG
        self.head_lag += int(head_lag.sum())
        self.head_lag_rejected += int((rejected & head_lag).sum())
