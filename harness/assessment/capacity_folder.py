"""`reports/<id>-capacity/`: trials, each a run in its own subfolder; can be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.analysis.capacity.trials import SearchPlan, TrialRequest
from harness.assessment.capacity import CAPACITY_SCHEMA_VERSION, CapacityResult
from harness.evidence import atomic_files
from harness.evidence.experiment_folder import SCENARIO, ExperimentFolder, StoredStack
from harness.evidence.new_folder import FileName, create_unique_folder
from harness.evidence.run_folder import scenario_text
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis

_TRIALS_MAX = 1_000


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredTrial(_Stored):
    """A trial that ended: what was requested, its run, and how long it took in all."""

    request: TrialRequest
    run_id: FileName
    elapsed_s: Annotated[float, Field(ge=0)]


class CapacityProgress(_Stored):
    """`capacity.json`: the plan, and the trials so far.

    Attributes:
        within_s: time budget of all trials together; None without one.
        ended: why the caller ended the search, "out_of_time" or "interrupted"; empty otherwise.
    """

    axis: CapacityAxis
    plan: SearchPlan
    within_s: Annotated[float, Field(gt=0)] | None = None
    stack: StoredStack = StoredStack()
    trials: Annotated[tuple[StoredTrial, ...], Field(max_length=_TRIALS_MAX)] = ()
    ended: Literal["", "out_of_time", "interrupted"] = ""

    @property
    def elapsed_s(self) -> float:
        """Time that the trials took."""
        return sum(one.elapsed_s for one in self.trials)


@dataclass(frozen=True, slots=True)
class CapacityFolder(ExperimentFolder):
    """The folder of a search."""

    FACTS = "capacity.json"
    WHAT = "a search"
    COMMAND = "capacity"

    @classmethod
    def create(cls, reports: Path, scenario: Scenario, wall_ns: int) -> CapacityFolder:
        """A new folder with the scenario that the trials vary.

        Raises:
            EvidenceError: it cannot be made.
        """
        path = create_unique_folder(reports, scenario.name, wall_ns, cls.COMMAND)
        atomic_files.write_text(path / SCENARIO, scenario_text(scenario))
        return cls(path)

    @property
    def logs(self) -> Path:
        """Logs of the stacks that the trials shared."""
        return self.path / "stacks"

    def write(self, facts: CapacityProgress) -> None:
        """Write the progress.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.path / self.FACTS, facts.model_dump(mode="json"))

    def read(self) -> CapacityProgress:
        """Read the progress.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.path / self.FACTS, CapacityProgress)

    def write_result(self, result: CapacityResult) -> None:
        """Write the result, bound to the evidence.

        Raises:
            EvidenceError: the evidence cannot be read, or the result not be written.
        """
        self.write_bound(result.model_dump(mode="json"), self._run_ids())

    def read_result(self) -> CapacityResult:
        """The stored result, held against the evidence.

        Raises:
            EvidenceError: missing, not of a form that this harness reads, or not of this evidence.
        """
        return self.read_bound(CapacityResult, CAPACITY_SCHEMA_VERSION, self._run_ids())

    def _run_ids(self) -> list[str]:
        return [one.run_id for one in self.read().trials]
