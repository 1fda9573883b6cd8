"""`reports/<id>-chaos/`: rounds, each a run in its own subfolder; can be resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import UsageError
from harness.evidence import atomic_files
from harness.evidence.new_folder import FileName, create_unique_folder
from harness.evidence.run_folder import scenario_text
from harness.scenario import Scenario, load_scenario

ROUNDS_MAX = 10_000


class ChaosProgress(BaseModel):
    """`chaos.json`: the plan and the progress.

    Attributes:
        seed: of the random faults.
        rounds: number of planned rounds.
        stack: kind of stack.
        choices: kinds and targets to draw from.
        runs: ids of the completed rounds, in order.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    seed: Annotated[int, Field(ge=0)]
    rounds: Annotated[int, Field(ge=1, le=ROUNDS_MAX)]
    stack: Literal["process", "docker"]
    choices: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)]
    runs: tuple[FileName, ...] = ()


@dataclass(frozen=True, slots=True)
class ChaosFolder:
    """The folder; its path is absolute."""

    path: Path

    @classmethod
    def create(cls, reports: Path, scenario: Scenario, wall_ns: int) -> ChaosFolder:
        """A new folder with the scenario of every round, without its fault.

        Raises:
            EvidenceError: it cannot be made.
        """
        path = create_unique_folder(reports, scenario.name, wall_ns, "chaos")
        atomic_files.write_text(path / "scenario.toml", scenario_text(scenario))
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> ChaosFolder:
        """Open an existing folder.

        Raises:
            UsageError: it is no folder of a chaos run.
        """
        if not cls.is_at(path):
            raise UsageError(
                "is not the folder of a chaos run" if path.is_dir() else "no such folder",
                where=str(path),
                hint="give the folder that `harness chaos` named, reports/<id>-chaos",
            )
        return cls(path.absolute())

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Whether a path is such a folder."""
        return (path / "chaos.json").is_file()

    @property
    def html(self) -> Path:
        """The page."""
        return self.path / "report.html"

    def write(self, facts: ChaosProgress) -> None:
        """Write the progress.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.path / "chaos.json", facts.model_dump(mode="json"))

    def read(self) -> ChaosProgress:
        """Read the progress.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.path / "chaos.json", ChaosProgress)

    def read_scenario(self) -> Scenario:
        """The scenario of every round, without its fault.

        Raises:
            UsageError: missing or no scenario.
        """
        return load_scenario(self.path / "scenario.toml")

    def write_result(self, document: Mapping[str, Any]) -> None:
        """Write the result of all rounds.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.path / "result.json", document)
