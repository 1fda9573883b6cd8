"""`reports/<id>-scale/`: an experiment's runs, each in its own subfolder; can be resumed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.assessment.scale_result import SCALE_SCHEMA_VERSION, ScaleResult
from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.manifest import evidence_digests, sha256_of
from harness.evidence.new_folder import FileName, create_unique_folder
from harness.evidence.result_digests import KEY, digest_mismatch, with_digests
from harness.evidence.run_folder import RunFolder, scenario_text
from harness.scenario import Scenario, load_scenario
from harness.scenario.experiment import Experiment

_FACTS = "scale.json"
_SCENARIO = "scenario.toml"
# Levels, repeats and attempts have limits; their product is larger than anyone waits for.
_ATTEMPTS_MAX = 10_000


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ScaleStack(_Stored):
    """How the stack is chosen; see `harness.cli.stack_choice.StackChoice`."""

    kind: Literal["process", "docker"] = "process"
    image_set: str = "upstream"
    images: tuple[str, ...] = ()
    agents: Annotated[int, Field(ge=0, le=1000)] = 0


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
    stack: ScaleStack = ScaleStack()
    attempts: Annotated[tuple[StoredAttempt, ...], Field(max_length=_ATTEMPTS_MAX)] = ()


@dataclass(frozen=True, slots=True)
class ScaleFolder:
    """The folder; its path is absolute."""

    path: Path

    @classmethod
    def create(
        cls, reports: Path, base: Scenario, facts: ScaleProgress, wall_ns: int
    ) -> ScaleFolder:
        """A new folder with the plan and the base scenario.

        Raises:
            EvidenceError: it cannot be made.
        """
        folder = cls(create_unique_folder(reports, facts.experiment.name, wall_ns, "scale"))
        atomic_files.write_text(folder.path / _SCENARIO, scenario_text(base))
        folder.write(facts)
        return folder

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Whether a path is such a folder."""
        return (path / _FACTS).is_file()

    @classmethod
    def open(cls, path: Path) -> ScaleFolder:
        """Open an existing folder.

        Raises:
            UsageError: it is no folder of an experiment.
        """
        if not cls.is_at(path):
            raise UsageError(
                "is not the folder of an experiment" if path.is_dir() else "no such folder",
                where=str(path),
                hint="give the folder that `harness scale` named, reports/<id>-scale",
            )
        return cls(path.absolute())

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

    def write(self, facts: ScaleProgress) -> None:
        """Write the progress.

        Raises:
            EvidenceError: it could not be written.
        """
        atomic_files.write_json(self.path / _FACTS, facts.model_dump(mode="json"))

    def read(self) -> ScaleProgress:
        """Read the progress.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return atomic_files.read_model(self.path / _FACTS, ScaleProgress)

    def read_scenario(self) -> Scenario:
        """The base scenario.

        Raises:
            UsageError: missing or no scenario.
        """
        return load_scenario(self.path / _SCENARIO, by_user=False)

    def run_path(self, run_id: str) -> Path:
        """The folder of a run.

        Raises:
            EvidenceError: it is missing, or a link.
        """
        path = self.path / run_id
        if path.is_symlink() or not path.is_dir():
            raise EvidenceError("a run of the experiment is missing", where=str(path))
        return path

    def write_result(self, result: ScaleResult) -> None:
        """Write the result, bound to the evidence.

        Raises:
            EvidenceError: the evidence cannot be read, or the result not be written.
        """
        document = result.model_dump(mode="json", exclude={KEY})
        atomic_files.write_json(self.result, with_digests(document, self._digests()))

    def read_result(self) -> ScaleResult:
        """The stored result, held against the evidence.

        Raises:
            EvidenceError: missing, not of a form that this harness reads, or not of this evidence.
        """
        document = atomic_files.read_json(self.result, [SCALE_SCHEMA_VERSION])
        hint = f"judge it again: harness judge {self.path}"
        if why := digest_mismatch(document, self._digests()):
            raise EvidenceError(why, where=str(self.result), hint=hint)
        try:
            return ScaleResult.model_validate_json(json.dumps(document), extra="ignore")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise EvidenceError(
                f"{place}: {first['msg']}", where=str(self.result), hint=hint
            ) from error

    def _digests(self) -> dict[str, str]:
        """SHA-256 of everything that an experiment is judged from."""
        found = {name: sha256_of(self.path / name) for name in (_FACTS, _SCENARIO)}
        for attempt in self.read().attempts:
            run = self.run_path(attempt.run_id)
            for part in _runs_in(run):
                digests = evidence_digests(RunFolder(part))
                name = part.relative_to(self.path).as_posix()
                found |= {f"{name}/{file}": digest for file, digest in digests.items()}
        return found


def _runs_in(path: Path) -> list[Path]:
    """The run itself, or the trials of a search."""
    if (path / "plan.json").is_file():
        return [path]
    return sorted(p.parent for p in path.glob("*/plan.json") if not p.parent.is_symlink())
