"""`reports/<id>-repeat/`: the folder of a group of runs, each in its own subfolder."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.new_folder import FileName, create_unique_folder

# Reason for the end of a group that the user interrupted.
INTERRUPTED = "interrupted"


class GroupProgress(BaseModel):
    """`repeat.json`: the planned and the completed runs.

    Attributes:
        seeds: of the planned runs, in order.
        runs: ids of the runs that were made.
        ended: why the group ended before its last run; empty if it did not, or is still running.
        kept: names of the files that this harness writes in addition; see `RunMetadata.kept`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    seeds: tuple[int, ...]
    runs: tuple[FileName, ...] = ()
    ended: str = ""
    kept: tuple[str, ...] = ()


GROUP_KEPT = ("seal.json",)


@dataclass(frozen=True, slots=True)
class GroupFolder:
    """The folder of a group; its path is absolute."""

    path: Path

    @classmethod
    def create(cls, reports: Path, name: str, wall_ns: int) -> GroupFolder:
        """A new folder, named like a run's, with `-repeat` at its end.

        Raises:
            EvidenceError: it cannot be made.
        """
        return cls(create_unique_folder(reports, name, wall_ns, "repeat"))

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Whether a folder is that of a group."""
        return (path / "repeat.json").is_file()

    @property
    def facts(self) -> Path:
        """The planned and the completed runs."""
        return self.path / "repeat.json"

    @property
    def seal(self) -> Path:
        """Digests of `repeat.json` and of each run's seal at the end of the group."""
        return self.path / "seal.json"

    @property
    def result(self) -> Path:
        """The group's judgement."""
        return self.path / "result.json"

    @property
    def html(self) -> Path:
        """The group's page."""
        return self.path / "report.html"

    @property
    def junit(self) -> Path:
        """The group's judgement as JUnit XML."""
        return self.path / "junit.xml"

    def write(self, facts: GroupProgress) -> None:
        """Write the progress.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.facts, facts.model_dump(mode="json"))

    def read(self) -> GroupProgress:
        """Read the progress.

        Raises:
            EvidenceError: missing, unreadable, or naming a run outside of the folder.
        """
        facts = atomic_files.read_model(self.facts, GroupProgress)
        if invalid := [run for run in facts.runs if Path(run).name != run]:
            raise EvidenceError(f"{invalid[0]!r} is no run's name", where=str(self.facts))
        return facts

    def started_runs(self) -> set[str]:
        """Names of the runs that wrote `run.json`, so that they sent signals."""
        return {plan.parent.name for plan in self.path.glob("*/run.json")}

    def write_result(self, document: Mapping[str, Any]) -> None:
        """Write the judgement.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.result, document)

    def read_result(self, versions: Collection[int]) -> dict[str, Any]:
        """Read the stored judgement, of one of these schema versions.

        Raises:
            EvidenceError: missing, unreadable, or of another schema.
        """
        return atomic_files.read_json(self.result, versions)

    def run_path(self, run_id: str) -> Path:
        """The folder of a run.

        Raises:
            UsageError: it is missing.
        """
        path = self.path / run_id
        if not path.is_dir() or path.is_symlink():
            raise UsageError("a run of the group is missing", where=str(path))
        return path
