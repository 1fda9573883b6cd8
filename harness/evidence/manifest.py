"""The seal of a run's evidence: the digest of each file at the end of the run.

Evidence that changed afterwards, by a full disk, an incomplete copy or an edit, must not be judged.
The seal detects every accident, but not a forger who writes a new seal.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

from harness.errors import EvidenceError
from harness.evidence import atomic_files
from harness.evidence.event_log import EVENTS_FILE
from harness.evidence.run_folder import RunFolder
from harness.evidence.run_paths import evidence_names
from harness.safe_open import check_kind, open_regular, over_limit

# Derived from the evidence, or only for people.
_UNSEALED = frozenset(
    {"result.json", "seal.json", "logs", "histograms", "report.html", "junit.xml", "csv", "hgrm"}
)
# Names that the judge reads as evidence, whoever wrote the file.
_EVIDENCE = (evidence_names() | {EVENTS_FILE}) - _UNSEALED
# A long run has a few dozen files.
FILES_MAX = 10_000


class Manifest(BaseModel):
    """The stored seal: digests by name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: dict[str, str]


@dataclass(frozen=True, slots=True)
class ManifestCheck:
    """Comparison of the evidence with its seal.

    Attributes:
        files: number of sealed files; None without a seal.
        changed: sealed files with another content.
        missing: sealed files that do not exist.
        added: evidence that did not exist at the end of the run.
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
    """Compare the evidence with its seal.

    Raises:
        EvidenceError: the seal exists and cannot be understood, or a file cannot be read.
    """
    if not folder.seal.exists():
        return ManifestCheck(None)
    sealed = atomic_files.read_model(folder.seal, Manifest).sha256
    return compare_digests(sealed, _present(folder, sealed))


def compare_digests(sealed: Mapping[str, str], present: Mapping[str, str]) -> ManifestCheck:
    """Compare stored digests with those of the present files, both by name."""
    return ManifestCheck(
        files=len(sealed),
        changed=tuple(
            sorted(n for n, digest in sealed.items() if present.get(n, digest) != digest)
        ),
        missing=tuple(sorted(sealed.keys() - present.keys())),
        added=tuple(sorted(present.keys() - sealed.keys())),
    )


def evidence_digests(folder: RunFolder) -> dict[str, str]:
    """SHA-256 of the present evidence by name, its seal included.

    Raises:
        EvidenceError: a file cannot be read.
    """
    is_sealed = folder.seal.exists()
    sealed = atomic_files.read_model(folder.seal, Manifest).sha256 if is_sealed else {}
    found = _present(folder, sealed)
    return found | ({folder.seal.name: sha256_of(folder.seal)} if is_sealed else {})


def _present(folder: RunFolder, sealed: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of every present file that is sealed or is evidence."""
    names = [name for name in _evidence(folder) if name in sealed or _is_evidence(name)]
    return {name: sha256_of(folder.path / name) for name in names}


def _is_evidence(name: str) -> bool:
    """Whether the judge reads a file of this name; others may be notes of the user."""
    return "/" in name or name in _EVIDENCE


def _evidence(folder: RunFolder) -> list[str]:
    """Names of the evidence files, relative to the folder.

    Raises:
        RefusedError: as `regular_files`.
    """

    def is_kept(path: PurePosixPath) -> bool:
        return len(path.parts) > 1 or path.name not in _UNSEALED

    return regular_files(folder.path, is_kept, FILES_MAX)


def regular_files(
    folder: Path, is_kept: Callable[[PurePosixPath], bool], files_max: int
) -> list[str]:
    """Paths of the files below a folder, relative to it and in order; drafts are skipped.

    Args:
        folder: of whatever origin.
        is_kept: whether a subfolder or a file counts, by its path in the folder.
        files_max: how many files there may be.

    Raises:
        RefusedError: it contains a link or an irregular file, or too many files.
    """
    names = list[str]()
    for place, subfolders, file_names in os.walk(folder):
        relative = PurePosixPath(Path(place).relative_to(folder))
        subfolders[:] = [name for name in subfolders if is_kept(relative / name)]
        for name in subfolders:
            if Path(place, name).is_symlink():
                check_kind(Path(place, name), stat.S_IFLNK)
        for name in file_names:
            if not name.startswith(".") and is_kept(relative / name):
                check_kind(Path(place, name), Path(place, name).lstat().st_mode)
                names.append(str(relative / name))
        if len(names) > files_max:
            what = f"holds more than {files_max:,} files"
            raise over_limit(what, f"{files_max:,} files", str(folder))
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
