"""`reports/<id>-compare/`: alternate runs of two systems, each in its own subfolder; resumable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.analysis.comparison import MARGIN
from harness.assessment.comparison_result import ComparisonResult
from harness.assessment.scale_folder import StoredAttempt
from harness.evidence import atomic_files
from harness.evidence.experiment_folder import SCENARIO, ExperimentFolder, StoredStack
from harness.evidence.new_folder import create_unique_folder
from harness.evidence.run_folder import scenario_text
from harness.scenario import Scenario
from harness.scenario.models import SEED_MAX
from harness.scenario.variant import Variant

RUNS_MAX = 100
# A run that is no valid measurement is repeated at most so often.
ATTEMPTS_MAX = 3
# The largest seed of a first run: all others have seeds too.
SEEDS_END = SEED_MAX - ATTEMPTS_MAX * RUNS_MAX


class InterleaveProgress(BaseModel):
    """`compare.json`: the plan and the runs so far.

    Attributes:
        variants: BASE and NEW.
        stack: what both have in common.
        runs: of each side.
        seed: of the first run of each side; the next ones have the next seeds.
        percentile: that is compared; None for that of the scenario.
        margin: a change that does not matter, as a share.
        allowed: aspects in which the runs may differ.
        attempts: runs that ended; `position` counts them in the order of the plan, from 0.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    variants: tuple[Variant, Variant]
    stack: StoredStack = StoredStack()
    runs: Annotated[int, Field(ge=1, le=RUNS_MAX)]
    seed: Annotated[int, Field(ge=0, le=SEEDS_END)]
    percentile: str | None = None
    margin: Annotated[float, Field(gt=0, le=10)] = MARGIN
    allowed: tuple[str, ...] = ()
    attempts: Annotated[
        tuple[StoredAttempt, ...], Field(max_length=2 * RUNS_MAX * ATTEMPTS_MAX)
    ] = ()


@dataclass(frozen=True, slots=True)
class InterleaveFolder(ExperimentFolder):
    """The folder of alternate runs."""

    FACTS = "compare.json"
    WHAT = "an interleaved comparison"
    COMMAND = "compare"

    @classmethod
    def create(
        cls, reports: Path, base: Scenario, facts: InterleaveProgress, wall_ns: int
    ) -> InterleaveFolder:
        """A new folder with the plan and the base scenario.

        Raises:
            EvidenceError: it cannot be made.
        """
        folder = cls(create_unique_folder(reports, base.name, wall_ns, cls.COMMAND))
        atomic_files.write_text(folder.path / SCENARIO, scenario_text(base))
        folder.write(facts)
        return folder

    def write(self, facts: InterleaveProgress) -> None:
        """Write the progress.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.path / self.FACTS, facts.model_dump(mode="json"))

    def read(self) -> InterleaveProgress:
        """Read the progress.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.path / self.FACTS, InterleaveProgress)

    def write_result(self, result: ComparisonResult) -> None:
        """Write the result, bound to the evidence.

        Raises:
            EvidenceError: the evidence cannot be read, or the result not be written.
        """
        self.write_bound(result.model_dump(mode="json"), self.run_ids())

    def run_ids(self) -> list[str]:
        """The runs that ended, in order.

        Raises:
            EvidenceError: the progress is missing or unreadable.
        """
        return [one.run_id for one in self.read().attempts]
