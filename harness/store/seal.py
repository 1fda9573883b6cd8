"""The seal of a run's evidence: what each file was when the run ended.

Evidence that was changed afterwards, by a full disk, a careless copy or a hand, is no evidence. The
seal does not keep out a forger who makes a new one; it keeps out every accident.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.errors import EvidenceError
from harness.store import files
from harness.store.folder import RunFolder

# Made from the evidence, or only for people.
_UNSEALED = frozenset(
    {"result.json", "seal.json", "logs", "histograms", "report.html", "junit.xml", "csv", "hgrm"}
)


class Sealed(BaseModel):
    """A seal as it is stored: digests by name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: dict[str, str]


@dataclass(frozen=True, slots=True)
class SealState:
    """The evidence held against its seal.

    Attributes:
        files: how many are sealed; None where there is no seal.
        changed: sealed files whose content is another.
        missing: sealed files that are gone.
        added: files in the journal that were not there when the run ended.
    """

    files: int | None
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def seal(folder: RunFolder) -> None:
    """Write `seal.json`: the SHA-256 of every file of evidence.

    Raises:
        EvidenceError: a file cannot be read, or the seal not written.
    """
    found = {name: sha256_of(folder.path / name) for name in _evidence(folder)}
    folder.write_json(folder.seal, {"sha256": found})


def read_seal(folder: RunFolder) -> SealState:
    """Hold the evidence against its seal.

    Raises:
        EvidenceError: the seal is there and cannot be understood, or a file cannot be read.
    """
    if not folder.seal.exists():
        return SealState(None)
    sealed = files.read_model(folder.seal, Sealed).sha256
    there = set(_evidence(folder))
    return SealState(
        files=len(sealed),
        changed=tuple(
            name
            for name, digest in sorted(sealed.items())
            if name in there and sha256_of(folder.path / name) != digest
        ),
        missing=tuple(sorted(sealed.keys() - there)),
        added=tuple(sorted(name for name in there - sealed.keys() if "/" in name)),
    )


def _evidence(folder: RunFolder) -> list[str]:
    """Names of the evidence's files, below the folder; drafts of other files are none.

    A folder may lie elsewhere, behind a link; one that leads back to where it came from is not
    followed again.
    """
    names, been = list[str](), set[str]()
    for place, below, files_here in os.walk(folder.path, followlinks=True):
        real = os.path.realpath(place)
        if real in been:
            below.clear()
            continue
        been.add(real)
        inside = Path(place).relative_to(folder.path)
        if inside == Path():
            below[:] = [name for name in below if name not in _UNSEALED]
        names += [
            (inside / name).as_posix()
            for name in files_here
            if not name.startswith(".")
            and (inside != Path() or name not in _UNSEALED)
            and Path(place, name).is_file()
        ]
    return sorted(names)


def sha256_of(path: Path) -> str:
    """Digest of a file, as hex.

    Raises:
        EvidenceError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EvidenceError(f"cannot read: {error.strerror or error}", where=str(path)) from error
