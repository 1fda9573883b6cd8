"""`reports/<run-id>/`: making and opening it, writing and reading what lies there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel

from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.new_folder import create_unique_folder
from harness.evidence.run_documents import ObserverSummary, RunMetadata, RunPlan
from harness.evidence.run_paths import RunPaths
from harness.safe_open import RefusedError
from harness.scenario import Scenario, load_scenario

_SECRET_OR_LOCAL = {"redis_url", "folder", "process"}


def scenario_text(scenario: Scenario) -> str:
    """A scenario as TOML, every key with its value; TOML has no null, so unset keys are absent."""
    return tomli_w.dumps(scenario.model_dump(mode="json", exclude_none=True))


@dataclass(frozen=True, slots=True)
class RunFolder(RunPaths):
    """The folder of one run."""

    @classmethod
    def create(cls, reports: Path, name: str, wall_ns: int) -> RunFolder:
        """A new folder with a run id of UTC time, scenario name and four random hex digits.

        Raises:
            EvidenceError: it cannot be made.
        """
        folder = cls(create_unique_folder(reports, name, wall_ns))
        try:
            for part in (folder.journal, folder.logs, folder.histograms):
                part.mkdir()
        except OSError as error:
            raise atomic_files.io_error("create", folder.path, error) from error
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The folder of a run that has been.

        Raises:
            UsageError: there is none.
        """
        folder = cls(path.absolute())
        if not folder.plan.is_file():
            raise UsageError(
                "is not the folder of a run" if path.is_dir() else "no such folder",
                where=str(path),
                hint="give the folder that a run named at its end, reports/<run-id>;"
                " one without a plan.json ended before its first signal",
            )
        return folder

    @property
    def html(self) -> Path:
        """The report as a page; made from the evidence, like everything below."""
        return self.path / "report.html"

    @property
    def junit(self) -> Path:
        """The judgement as JUnit XML."""
        return self.path / "junit.xml"

    def delete_result(self) -> None:
        """Take away a result that is about to be made anew.

        Raises:
            EvidenceError: it cannot be removed.
        """
        try:
            self.result.unlink(missing_ok=True)
        except OSError as error:
            raise atomic_files.io_error("remove", self.result, error) from error

    def attempts(self) -> tuple[Path, ...]:
        """What the swarm attempted, one file for each of its processes, in their order."""
        return self._journal_files("attempts")

    def acks(self) -> tuple[Path, ...]:
        """What became of the attempts, one file for each process."""
        return self._journal_files("acks")

    def write_json(self, path: Path, document: Mapping[str, Any]) -> None:
        """`files.write_json`."""
        atomic_files.write_json(path, document)

    def write_text(self, path: Path, text: str) -> None:
        """`files.write_text`."""
        atomic_files.write_text(path, text)

    def read_json(self, path: Path) -> dict[str, Any]:
        """`files.read_json`."""
        return atomic_files.read_json(path)

    def read_text(self, path: Path) -> str:
        """`files.read_text`."""
        return atomic_files.read_text(path)

    def write_scenario(self, scenario: Scenario) -> None:
        """Keep what is asked.

        Raises:
            EvidenceError: it could not be written.
        """
        self.write_text(self.scenario, scenario_text(scenario))

    def read_scenario(self) -> Scenario:
        """What was asked.

        Raises:
            EvidenceError: missing or not a scenario.
        """
        try:
            return load_scenario(self.scenario, by_user=False)
        except UsageError as error:
            if isinstance(error.__cause__, RefusedError):
                raise error.__cause__ from None
            raise EvidenceError(error.what, where=error.where) from error

    def write_plan(self, plan: BaseModel) -> None:
        """Keep what the swarm is told, without passwords.

        Raises:
            EvidenceError: it could not be written.
        """
        document = plan.model_dump(mode="json", exclude=_SECRET_OR_LOCAL)
        stages = RunPlan.model_validate_json(json.dumps(document)).load.timeline()
        timeline = [stage.model_dump(mode="json") for stage in stages]
        self.write_json(self.plan, {**document, "timeline": timeline})

    def read_plan(self) -> RunPlan:
        """What the swarm was told.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.plan, RunPlan)

    def read_run(self) -> RunMetadata:
        """When the run was watched, and what happened.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.run, RunMetadata)

    def read_observer(self) -> ObserverSummary:
        """What the observer said at its end.

        Raises:
            EvidenceError: missing, because it did not come to its end, or unreadable.
        """
        return atomic_files.read_model(self.observer, ObserverSummary)

    def _journal_files(self, kind: str) -> tuple[Path, ...]:
        found = [
            (int(path.stem.rpartition("-")[2]), path)
            for path in self.journal.glob(f"{kind}-*.bin")
            if path.stem.rpartition("-")[2].isdigit()
        ]
        return tuple(path for _, path in sorted(found))
