"""The folder of an experiment of several runs: its plan, a subfolder for each run, its result.

The result has the digests of everything that it was judged from, as that of a run has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.manifest import evidence_digests, sha256_of
from harness.evidence.result_digests import KEY, digest_mismatch, with_digests
from harness.evidence.run_folder import RunFolder
from harness.scenario import Scenario, load_scenario

SCENARIO = "scenario.toml"
_Result = TypeVar("_Result", bound=BaseModel)


class StoredStack(BaseModel):
    """How the stack of all runs is chosen; see `harness.cli.stack_choice.StackChoice`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["process", "docker", "attach"] = "process"
    image_set: str = "upstream"
    images: tuple[str, ...] = ()
    agents: Annotated[int, Field(ge=0, le=1000)] = 0
    contract: str | None = None


@dataclass(frozen=True, slots=True)
class ExperimentFolder:
    """Its path is absolute.

    Attributes:
        FACTS: name of the file with plan and progress.
        WHAT: what the experiment is called in messages.
        COMMAND: the command that makes it; also the end of the folder's name.
    """

    path: Path
    FACTS: ClassVar[str] = ""
    WHAT: ClassVar[str] = ""
    COMMAND: ClassVar[str] = ""

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Whether a path is such a folder."""
        return (path / cls.FACTS).is_file()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing folder.

        Raises:
            UsageError: it is no folder of such an experiment.
        """
        if not cls.is_at(path):
            raise UsageError(
                f"is not the folder of {cls.WHAT}" if path.is_dir() else "no such folder",
                where=str(path),
                hint=f"give the folder that `harness {cls.COMMAND}` named,"
                f" reports/<id>-{cls.COMMAND}",
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

    def read_scenario(self) -> Scenario:
        """The base scenario.

        Raises:
            UsageError: missing or no scenario.
        """
        return load_scenario(self.path / SCENARIO, by_user=False)

    def run_path(self, run_id: str) -> Path:
        """The folder of a run.

        Raises:
            EvidenceError: it is missing, or a link.
        """
        path = self.path / run_id
        if path.is_symlink() or not path.is_dir():
            raise EvidenceError(f"a run of {self.WHAT} is missing", where=str(path))
        return path

    def write_bound(self, document: Mapping[str, Any], run_ids: Iterable[str]) -> None:
        """Write the result, bound to the evidence.

        Raises:
            EvidenceError: the evidence cannot be read, or the result not be written.
        """
        atomic_files.write_json(self.result, with_digests(document, self._digests(run_ids)))

    def read_bound(self, model: type[_Result], version: int, run_ids: Iterable[str]) -> _Result:
        """The stored result, held against the evidence; what a newer harness added is left out.

        Raises:
            EvidenceError: missing, not of a form that this harness reads, or not of this evidence.
        """
        document = atomic_files.read_json(self.result, [version])
        hint = f"judge it again: harness judge {self.path}"
        if why := digest_mismatch(document, self._digests(run_ids)):
            raise EvidenceError(why, where=str(self.result), hint=hint)
        del document[KEY]
        try:
            return model.model_validate_json(json.dumps(document), extra="ignore")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise EvidenceError(
                f"{place}: {first['msg']}", where=str(self.result), hint=hint
            ) from error

    def _digests(self, run_ids: Iterable[str]) -> dict[str, str]:
        """SHA-256 of everything that the experiment is judged from."""
        found = {name: sha256_of(self.path / name) for name in (self.FACTS, SCENARIO)}
        for run_id in run_ids:
            for run in _runs_in(self.run_path(run_id)):
                name = run.relative_to(self.path).as_posix()
                digests = evidence_digests(RunFolder(run))
                found |= {f"{name}/{file}": digest for file, digest in digests.items()}
        return found


def _runs_in(path: Path) -> list[Path]:
    """The run itself, or the trials of a search."""
    if (path / "plan.json").is_file():
        return [path]
    return sorted(p.parent for p in path.glob("*/plan.json") if not p.parent.is_symlink())
