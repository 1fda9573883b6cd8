"""`reports/<id>-repeat/`: the folder of several runs, each in a folder of its own within."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.new_folder import FileName, create_unique_folder

# Why a group ended that a person broke off.
INTERRUPTED = "interrupted"


class GroupProgress(BaseModel):
    """`repeat.json`: what was planned, and what was made of it.

    Attributes:
        seeds: of the planned runs, in order.
        runs: ids of those that were made.
        ended: why the group ended before its last run; empty if it did not, or does not yet know.
        kept: names of the files that this harness keeps beside it; see `RunFacts.kept`.
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
        """What was planned, and what was made of it."""
        return self.path / "repeat.json"

    @property
    def seal(self) -> Path:
        """What `repeat.json`, and the seal of each run, were when the group ended."""
        return self.path / "seal.json"

    @property
    def result(self) -> Path:
        """The group's judgement."""
        return self.path / "result.json"

    @property
    def junit(self) -> Path:
        """The group's judgement as JUnit XML."""
        return self.path / "junit.xml"

    def write(self, facts: GroupProgress) -> None:
        """Keep what is planned and made so far.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.facts, facts.model_dump(mode="json"))

    def read(self) -> GroupProgress:
        """What was planned and made.

        Raises:
            EvidenceError: missing, unreadable, or naming a run outside of the folder.
        """
        facts = atomic_files.read_model(self.facts, GroupProgress)
        if strange := [run for run in facts.runs if Path(run).name != run]:
            raise EvidenceError(f"{strange[0]!r} is no run's name", where=str(self.facts))
        return facts

    def started_runs(self) -> set[str]:
        """Names of the runs whose folders are there and that came to send."""
        return {plan.parent.name for plan in self.path.glob("*/run.json")}

    def write_result(self, document: Mapping[str, Any]) -> None:
        """Keep the judgement.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.result, document)

    def read_result(self, versions: Collection[int]) -> dict[str, Any]:
        """The judgement as it was kept, of one of the schema versions given.

        Raises:
            EvidenceError: missing, unreadable, or of another schema.
        """
        return atomic_files.read_json(self.result, versions)

    def run_path(self, run_id: str) -> Path:
        """The folder of a run.

        Raises:
            UsageError: it is not there.
        """
        path = self.path / run_id
        if not path.is_dir() or path.is_symlink():
            raise UsageError("a run of the group is missing", where=str(path))
        return path
