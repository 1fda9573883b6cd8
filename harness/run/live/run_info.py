"""Identity of a run, for its metrics page."""

from __future__ import annotations

from dataclasses import dataclass

from harness.scenario import Scenario
from harness.scenario.objective import Objective


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run that is shown.

    Attributes:
        stack: how the system under test was started.
        objectives: of the scenario.
    """

    run_id: str
    scenario: str
    seed: int
    stack: str
    objectives: tuple[Objective, ...] = ()

    @classmethod
    def of(cls, run_id: str, scenario: Scenario, stack: str) -> RunInfo:
        """A run that is about to begin."""
        return cls(run_id, scenario.name, scenario.seed, stack, scenario.parsed_objectives())
