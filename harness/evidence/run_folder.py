"""`reports/<run-id>/`: creating and opening it, reading and writing its files."""

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
        """The folder of a stored run.

        Raises:
            UsageError: it is no folder of a run.
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
        """The report as an HTML page."""
        return self.path / "report.html"

    @property
    def junit(self) -> Path:
        """The judgement as JUnit XML."""
        return self.path / "junit.xml"

    def delete_result(self) -> None:
        """Delete a result before it is computed again.

        Raises:
            EvidenceError: it cannot be removed.
        """
        try:
            self.result.unlink(missing_ok=True)
        except OSError as error:
            raise atomic_files.io_error("remove", self.result, error) from error

    def attempts(self) -> tuple[Path, ...]:
        """Journals of the attempts, one file for each swarm process, in their order."""
        return self._journal_files("attempts")

    def acks(self) -> tuple[Path, ...]:
        """Journals of Redis's answers, one file for each swarm process, in their order."""
        return self._journal_files("acks")

    def write_json(self, path: Path, document: Mapping[str, Any]) -> None:
        """`atomic_files.write_json`."""
        atomic_files.write_json(path, document)

    def write_text(self, path: Path, text: str) -> None:
        """`atomic_files.write_text`."""
        atomic_files.write_text(path, text)

    def read_json(self, path: Path) -> dict[str, Any]:
        """`atomic_files.read_json`."""
        return atomic_files.read_json(path)

    def read_text(self, path: Path) -> str:
        """`atomic_files.read_text`."""
        return atomic_files.read_text(path)

    def write_scenario(self, scenario: Scenario) -> None:
        """Write the scenario.

        Raises:
            EvidenceError: it could not be written.
        """
        self.write_text(self.scenario, scenario_text(scenario))

    def read_scenario(self) -> Scenario:
        """Read the scenario.

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
        """Write the swarm's plan, without passwords.

        Raises:
            EvidenceError: it could not be written.
        """
        document = plan.model_dump(mode="json", exclude=_SECRET_OR_LOCAL)
        stages = RunPlan.model_validate_json(json.dumps(document)).load.timeline()
        timeline = [stage.model_dump(mode="json") for stage in stages]
        self.write_json(self.plan, {**document, "timeline": timeline})

    def read_plan(self) -> RunPlan:
        """Read the swarm's plan.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.plan, RunPlan)

    def read_run(self) -> RunMetadata:
        """Read the run's metadata.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.run, RunMetadata)

    def read_observer(self) -> ObserverSummary:
        """Read the observer's summary.

        Raises:
            EvidenceError: missing, because the observer did not end regularly, or unreadable.
        """
        return atomic_files.read_model(self.observer, ObserverSummary)

    def _journal_files(self, kind: str) -> tuple[Path, ...]:
        found = [
            (int(path.stem.rpartition("-")[2]), path)
            for path in self.journal.glob(f"{kind}-*.bin")
            if path.stem.rpartition("-")[2].isdigit()
        ]
        return tuple(path for _, path in sorted(found))
