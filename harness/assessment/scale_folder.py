"""`reports/<id>-scale/`: an experiment's runs, each in its own subfolder; can be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.assessment.scale_result import SCALE_SCHEMA_VERSION, ScaleResult
from harness.evidence import atomic_files
from harness.evidence.experiment_folder import SCENARIO, ExperimentFolder, StoredStack
from harness.evidence.new_folder import FileName, create_unique_folder
from harness.evidence.run_folder import scenario_text
from harness.scenario import Scenario
from harness.scenario.experiment import Experiment

# Levels, repeats and attempts have limits; their product is larger than anyone waits for.
_ATTEMPTS_MAX = 10_000


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredAttempt(_Stored):
    """A run that ended.

    Attributes:
        position: of its cell in `Experiment.cells`.
        attempt: from 0.
    """

    position: Annotated[int, Field(ge=0)]
    attempt: Annotated[int, Field(ge=0)]
    run_id: FileName


class ScaleProgress(_Stored):
    """`scale.json`: the plan and the runs so far."""

    experiment: Experiment
    stack: StoredStack = StoredStack()
    attempts: Annotated[tuple[StoredAttempt, ...], Field(max_length=_ATTEMPTS_MAX)] = ()


@dataclass(frozen=True, slots=True)
class ScaleFolder(ExperimentFolder):
    """The folder of an experiment."""

    FACTS = "scale.json"
    WHAT = "an experiment"
    COMMAND = "scale"

    @classmethod
    def create(
        cls, reports: Path, base: Scenario, facts: ScaleProgress, wall_ns: int
    ) -> ScaleFolder:
        """A new folder with the plan and the base scenario.

        Raises:
            EvidenceError: it cannot be made.
        """
        folder = cls(create_unique_folder(reports, facts.experiment.name, wall_ns, cls.COMMAND))
        atomic_files.write_text(folder.path / SCENARIO, scenario_text(base))
        folder.write(facts)
        return folder

    def write(self, facts: ScaleProgress) -> None:
        """Write the progress.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.path / self.FACTS, facts.model_dump(mode="json"))

    def read(self) -> ScaleProgress:
        """Read the progress.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.path / self.FACTS, ScaleProgress)

    def write_result(self, result: ScaleResult) -> None:
        """Write the result, bound to the evidence.

        Raises:
            EvidenceError: the evidence cannot be read, or the result not be written.
        """
        self.write_bound(result.model_dump(mode="json"), self._run_ids())

    def read_result(self) -> ScaleResult:
        """The stored result, held against the evidence.

        Raises:
            EvidenceError: missing, not of a form that this harness reads, or not of this evidence.
        """
        return self.read_bound(ScaleResult, SCALE_SCHEMA_VERSION, self._run_ids())

    def _run_ids(self) -> list[str]:
        return [one.run_id for one in self.read().attempts]
