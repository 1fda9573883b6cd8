"""Searches of the capacity of known systems, and what they find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.capacity.search import (
    SearchPlan,
    SearchState,
    TrialOutcome,
    advance,
)
from tests.studies.capacity.systems import System
from tests.studies.capacity.trials import run_trial


@dataclass(frozen=True)
class Search:
    """A search and its cost."""

    system: System
    state: SearchState
    outcomes: tuple[TrialOutcome, ...]
    virtual_s: float

    @property
    def holds(self) -> bool:
        """Whether the true capacity lies between the bounds."""
        bounds = self.state.bounds
        lower, upper = bounds.proven_met or 0.0, bounds.broken or float("inf")
        return lower <= self.system.capacity <= upper

    @property
    def is_certified_above(self) -> bool:
        """Whether a level above the capacity was certified."""
        return (self.state.bounds.proven_met or 0.0) > self.system.capacity

    @property
    def width(self) -> float | None:
        """Distance of the bounds, as a share of the upper one."""
        bounds = self.state.bounds
        if bounds.proven_met is None or bounds.broken is None:
            return None
        return 1 - bounds.proven_met / bounds.broken


def search(system: System, plan: SearchPlan, seed: int) -> Search:
    """One search, to its end."""
    outcomes: list[TrialOutcome] = []
    virtual_s = 0.0
    while True:
        state = advance(plan, outcomes)
        if state.request is None:
            return Search(system, state, tuple(outcomes), virtual_s)
        rng = np.random.default_rng((seed, state.request.number))
        trial = run_trial(system, state.request, rng)
        outcomes.append(trial.outcome)
        virtual_s += trial.virtual_s
