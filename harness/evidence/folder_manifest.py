"""`manifest.json`: the digest of every file of a folder, under one root hash.

What is made from the evidence again at any time (results, pages, histograms of a run) is left out:
no reader relies on it. A folder may be hostile: no link is followed, and all is bounded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.evidence import atomic_files
from harness.evidence.manifest import ManifestCheck, compare_digests, regular_files, sha256_of

MANIFEST = "manifest.json"
# A sign-off has a few hundred runs at most, with a few dozen files each.
FILES_MAX = 50_000
PATH_CHARS_MAX = 1_000
_DERIVED_FILES = {"result.json", "isolation.json", "report.html", "isolation.html", "junit.xml"}
_DERIVED = frozenset(_DERIVED_FILES | {"histograms", "csv", "hgrm"})
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FolderManifest(BaseModel):
    """The stored digests.

    Attributes:
        sha256: of each file, by its path in the folder.
        root: see `root_hash`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: Annotated[dict[str, _Digest], Field(max_length=FILES_MAX)]
    root: _Digest


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """A folder compared with its manifest.

    Attributes:
        files: what differs.
        root: as computed from the files now.
        stored_root: as the manifest has it.
    """

    files: ManifestCheck
    root: str
    stored_root: str


def root_hash(digests: Mapping[str, str]) -> str:
    """SHA-256 of all paths and digests, as canonical JSON: keys sorted, no blanks, ASCII."""
    text = json.dumps(dict(digests), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def archived_files(folder: Path) -> list[str]:
    """Paths of all files that a manifest covers, in order; the manifest itself is none of them.

    Raises:
        RefusedError: the folder has a link, an irregular file, or too many files.
    """
    names = regular_files(folder, lambda path: _DERIVED.isdisjoint(path.parts), FILES_MAX + 1)
    return [name for name in names if name != MANIFEST]


def is_archived(path: PurePosixPath) -> bool:
    """Whether a manifest covers a file with this path in the folder, or it is the manifest."""
    return _DERIVED.isdisjoint(path.parts) and not path.name.startswith(".")


def write_folder_manifest(folder: Path) -> str:
    """Write the manifest of what the folder holds now.

    Returns:
        its root hash.

    Raises:
        EvidenceError: a file cannot be read, or the manifest not be written.
    """
    digests = _digests(folder)
    root = root_hash(digests)
    atomic_files.write_json(folder / MANIFEST, {"sha256": digests, "root": root})
    return root


def check_folder(folder: Path) -> FolderCheck:
    """Compare a folder with its manifest.

    Raises:
        EvidenceError: the manifest is missing or cannot be understood, or a file cannot be read.
    """
    stored = atomic_files.read_model(folder / MANIFEST, FolderManifest)
    present = _digests(folder)
    return FolderCheck(
        files=compare_digests(stored.sha256, present),
        root=root_hash(present),
        stored_root=stored.root,
    )


def _digests(folder: Path) -> dict[str, str]:
    return {name: sha256_of(folder / name) for name in archived_files(folder)}
