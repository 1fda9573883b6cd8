"""How many signals ended in which class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from harness.analysis.samples import Mask, Samples, SignalOutcome, Staleness
from harness.contract.names import State
from harness.evidence.records import PushStatus


@dataclass(slots=True)
class SignalOutcomeCounts:
    """How many signals of a phase ended in which class, and some told apart within them.

    Attributes:
        fates: signals by class; they sum to those attempted.
        rejected_by: rejections by state, recovered ones included.
        unanswered: of the refused, those whose answer never came.
        recovered_rejected: of the recovered, those that the engine refused.
        unseen: final in the table, and never seen on the way there.
        commit_unknown: arrived, and no commit time is known.
        taken: Redis gave them an entry id.
        unsure: Redis did not answer, and may have taken them.
        stale: sent stale on purpose, whatever became of them.
        stale_rejected: of those, the ones that the engine refused.
        behind: sent while a planned fault held their agents up, and to be refused as stale.
        behind_rejected: of those, the ones that the engine refused.
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
    behind: int = 0
    behind_rejected: int = 0

    def of(self, fate: SignalOutcome) -> int:
        """How many ended so."""
        return self.outcomes.get(fate, 0)

    def __add__(self, other: SignalOutcomeCounts) -> SignalOutcomeCounts:
        """Both together."""
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
            behind=self.behind + other.behind,
            behind_rejected=self.behind_rejected + other.behind_rejected,
        )

    @property
    def attempted(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())

    @property
    def expected_rejections(self) -> int:
        """Those of which it is right that they are refused."""
        return self.stale + self.behind

    @property
    def ordinary(self) -> int:
        """Those that ought to reach SIMULATED."""
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
        """Of them, those that it had no cause to refuse."""
        return self.rejected - self.stale_rejected - self.behind_rejected

    def add(self, samples: Samples, rejected: Mask, unseen: Mask) -> None:
        """Take in samples.

        Args:
            samples: with their fates.
            rejected: which of them the engine refused.
            unseen: which of them arrived unseen.
        """
        numbers, counts = np.unique(samples["fate"], return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            fate = SignalOutcome(number)
            self.outcomes[fate] = self.outcomes.get(fate, 0) + count
        states, counts = np.unique(samples["state"][rejected], return_counts=True)
        for number, count in zip(states.tolist(), counts.tolist(), strict=True):
            state = State(number)
            self.rejected_by[state] = self.rejected_by.get(state, 0) + count
        refused = samples["fate"] == SignalOutcome.REFUSED
        self.unanswered += int((refused & (samples["outcome"] != PushStatus.REFUSED)).sum())
        self.recovered_rejected += int(
            (rejected & (samples["fate"] == SignalOutcome.RECOVERED)).sum()
        )
        self.unseen += int(unseen.sum())
        taken = samples["outcome"] == PushStatus.ACCEPTED
        self.accepted += int(taken.sum())
        self.unconfirmed += int((~taken & (samples["outcome"] != PushStatus.REFUSED)).sum())
        stale = samples["stale"] == Staleness.ON_PURPOSE
        self.stale += int(stale.sum())
        self.stale_rejected += int((rejected & stale).sum())
        behind = samples["stale"] == Staleness.HEAD_LAG
        self.behind += int(behind.sum())
        self.behind_rejected += int((rejected & behind).sum())
