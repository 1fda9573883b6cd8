"""`reports/<id>-capacity/`: trials, each a run in its own subfolder; can be resumed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.analysis.capacity.trials import SearchPlan, TrialRequest
from harness.assessment.capacity import CAPACITY_SCHEMA_VERSION, CapacityResult
from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.new_folder import FileName, create_unique_folder
from harness.evidence.run_folder import scenario_text
from harness.scenario import Scenario, load_scenario
from harness.scenario.capacity_axis import CapacityAxis

_FACTS = "capacity.json"
_TRIALS_MAX = 1_000


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StackOptions(_Stored):
    """How the stack is chosen; see `harness.cli.stack_choice.StackChoice`."""

    stack: Literal["process", "docker", "attach"] = "process"
    image_set: str = "upstream"
    images: tuple[str, ...] = ()
    agents: int = 0
    contract: str | None = None


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
    options: StackOptions = StackOptions()
    trials: Annotated[tuple[StoredTrial, ...], Field(max_length=_TRIALS_MAX)] = ()
    ended: Literal["", "out_of_time", "interrupted"] = ""

    @property
    def elapsed_s(self) -> float:
        """Time that the trials took."""
        return sum(one.elapsed_s for one in self.trials)


@dataclass(frozen=True, slots=True)
class CapacityFolder:
    """The folder; its path is absolute."""

    path: Path

    @classmethod
    def create(cls, reports: Path, scenario: Scenario, wall_ns: int) -> CapacityFolder:
        """A new folder with the scenario that the trials vary.

        Raises:
            EvidenceError: it cannot be made.
        """
        path = create_unique_folder(reports, scenario.name, wall_ns, "capacity")
        atomic_files.write_text(path / "scenario.toml", scenario_text(scenario))
        return cls(path)

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Whether a path is such a folder."""
        return (path / _FACTS).is_file()

    @classmethod
    def open(cls, path: Path) -> CapacityFolder:
        """Open an existing folder.

        Raises:
            UsageError: it is no folder of a search.
        """
        if not cls.is_at(path):
            raise UsageError(
                "is not the folder of a search" if path.is_dir() else "no such folder",
                where=str(path),
                hint="give the folder that `harness capacity` named, reports/<id>-capacity",
            )
        return cls(path.absolute())

    @property
    def logs(self) -> Path:
        """Logs of the stacks that the trials shared."""
        return self.path / "stacks"

    @property
    def result(self) -> Path:
        """The result."""
        return self.path / "result.json"

    @property
    def html(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def junit(self) -> Path:
        """JUnit XML."""
        return self.path / "junit.xml"

    def write(self, facts: CapacityProgress) -> None:
        """Write the progress.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.path / _FACTS, facts.model_dump(mode="json"))

    def read(self) -> CapacityProgress:
        """Read the progress.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.path / _FACTS, CapacityProgress)

    def read_scenario(self) -> Scenario:
        """The scenario that the trials vary.

        Raises:
            UsageError: missing or no scenario.
        """
        return load_scenario(self.path / "scenario.toml", by_user=False)

    def write_result(self, result: CapacityResult) -> None:
        """Write the result.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.result, result.model_dump(mode="json"))

    def read_result(self) -> CapacityResult:
        """The stored result; what a newer harness has added is left out.

        Raises:
            EvidenceError: missing, or not of a form that this harness reads.
        """
        document = atomic_files.read_document(self.result)
        hint = f"judge it again: harness judge {self.path}"
        version = document.get("schema_version")
        if version != CAPACITY_SCHEMA_VERSION:
            raise EvidenceError(
                f"has schema version {version!r}, this harness reads {CAPACITY_SCHEMA_VERSION}",
                where=str(self.result),
                hint=hint,
            )
        try:
            return CapacityResult.model_validate_json(json.dumps(document), extra="ignore")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise EvidenceError(
                f"{place}: {first['msg']}", where=str(self.result), hint=hint
            ) from error
