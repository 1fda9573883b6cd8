"""The seal of a run's evidence: what each file was when the run ended.

Evidence that was changed afterwards, by a full disk, a careless copy or a hand, is no evidence. The
seal does not keep out a forger who makes a new one; it keeps out every accident.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.errors import EvidenceError
from harness.evidence import atomic_files
from harness.evidence.event_log import EVENTS_FILE
from harness.evidence.run_folder import RunFolder
from harness.evidence.run_paths import evidence_names
from harness.safe_open import check_kind, open_regular, over_limit

# Made from the evidence, or only for people.
_UNSEALED = frozenset(
    {"result.json", "seal.json", "logs", "histograms", "report.html", "junit.xml", "csv", "hgrm"}
)
# What the judge looks for, and so takes for evidence, whoever put it there.
_EVIDENCE = (evidence_names() | {EVENTS_FILE}) - _UNSEALED
# A long run has a few dozen.
FILES_MAX = 10_000


class Manifest(BaseModel):
    """A seal as it is stored: digests by name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: dict[str, str]


@dataclass(frozen=True, slots=True)
class ManifestCheck:
    """The evidence held against its seal.

    Attributes:
        files: how many are sealed; None where there is no seal.
        changed: sealed files whose content is another.
        missing: sealed files that are gone.
        added: evidence that was not there when the run ended.
    """

    files: int | None
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def write_manifest(folder: RunFolder) -> None:
    """Write `seal.json`: the SHA-256 of every file of evidence.

    Raises:
        EvidenceError: a file cannot be read, or the seal not written.
    """
    found = {name: sha256_of(folder.path / name) for name in _evidence(folder)}
    folder.write_json(folder.seal, {"sha256": found})


def verify_manifest(folder: RunFolder) -> ManifestCheck:
    """Hold the evidence against its seal.

    Raises:
        EvidenceError: the seal is there and cannot be understood, or a file cannot be read.
    """
    if not folder.seal.exists():
        return ManifestCheck(None)
    sealed = atomic_files.read_model(folder.seal, Manifest).sha256
    there = set(_evidence(folder))
    return ManifestCheck(
        files=len(sealed),
        changed=tuple(
            name
            for name, digest in sorted(sealed.items())
            if name in there and sha256_of(folder.path / name) != digest
        ),
        missing=tuple(sorted(sealed.keys() - there)),
        added=tuple(sorted(name for name in there - sealed.keys() if _is_evidence(name))),
    )


def evidence_digests(folder: RunFolder) -> dict[str, str]:
    """What the evidence is now, its seal included: SHA-256 by name.

    Raises:
        EvidenceError: a file cannot be read.
    """
    is_sealed = folder.seal.exists()
    sealed = atomic_files.read_model(folder.seal, Manifest).sha256 if is_sealed else {}
    names = [name for name in _evidence(folder) if name in sealed or _is_evidence(name)]
    found = {name: sha256_of(folder.path / name) for name in names}
    return found | ({folder.seal.name: sha256_of(folder.seal)} if is_sealed else {})


def _is_evidence(name: str) -> bool:
    """Whether the judge reads a file of this name; others may be somebody's notes."""
    return "/" in name or name in _EVIDENCE


def _evidence(folder: RunFolder) -> list[str]:
    """Names of the evidence's files, below the folder; drafts of other files are none.

    Raises:
        RefusedError: a link or no regular file lies there, or too many files.
    """
    names = list[str]()
    for place, below, files_here in os.walk(folder.path):
        inside = Path(place).relative_to(folder.path)
        if inside == Path():
            below[:] = [name for name in below if name not in _UNSEALED]
        for name in below:
            if Path(place, name).is_symlink():
                check_kind(Path(place, name), stat.S_IFLNK)
        for name in files_here:
            if name.startswith(".") or (inside == Path() and name in _UNSEALED):
                continue
            check_kind(Path(place, name), Path(place, name).lstat().st_mode)
            names.append((inside / name).as_posix())
        if len(names) > FILES_MAX:
            what = f"holds more than {FILES_MAX:,} files"
            raise over_limit(what, f"{FILES_MAX:,} files", str(folder.path))
    return sorted(names)


def sha256_of(path: Path) -> str:
    """Digest of a file, as hex.

    Raises:
        EvidenceError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EvidenceError(f"cannot read: {error.strerror or error}", where=str(path)) from error
