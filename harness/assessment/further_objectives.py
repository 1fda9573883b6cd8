"""Objectives that a stored run is compared with after its verdict."""

from __future__ import annotations

from typing import Any

from harness.assessment.assess import check_context
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.judge.check import Check, CheckContext
from harness.judge.objectives import check_objective
from harness.scenario import load_scenario, parse_objective

_Scope = tuple[str, str | None, bool, bool]


class FurtherObjectives:
    """Checks objectives by the stored evidence, with the rules of the judge.

    The evidence is analysed once for each metric and stage, whatever the number of limits.

    Args:
        folder: of a run that has ended.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._contexts: dict[_Scope, CheckContext] = {}

    def check(self, text: str) -> tuple[Check, ...]:
        """One check, or one for each mode.

        Args:
            text: an objective, such as `p99 < 500 ms`; docs/scenarios.md has the grammar.

        Raises:
            UsageError: it is no objective, or does not fit the run's load.
            EvidenceError: what every run writes is missing or unreadable.
        """
        try:
            objective = parse_objective(text)
        except ValueError as error:
            raise UsageError(str(error), where="objective") from None
        scope = (
            objective.metric,
            objective.stage,
            objective.window_ns is not None,
            objective.outside_faults,
        )
        if scope not in self._contexts:

            def add(document: dict[str, Any]) -> None:
                document["objectives"] = [*document["objectives"], text]

            asked = load_scenario(self._folder.scenario, (), add, by_user=False)
            self._contexts[scope] = check_context(self._folder, asked)
        return tuple(check_objective(self._contexts[scope], objective))
