"""The seal of a group: its runs, and the digest of each run's seal.

A run's own seal shows whether its evidence is unchanged; the group's seal shows whether the run is
the one that the group made.
"""

from __future__ import annotations

from harness.evidence import atomic_files
from harness.evidence.group_folder import GroupFolder, GroupProgress
from harness.evidence.manifest import (
    Manifest,
    ManifestCheck,
    compare_digests,
    evidence_digests,
    sha256_of,
)
from harness.evidence.run_folder import RunFolder


def write_group_manifest(folder: GroupFolder, facts: GroupProgress) -> None:
    """Write the group's `seal.json`: the SHA-256 of `repeat.json` and of the seal of each run.

    Raises:
        EvidenceError: a file cannot be read, or the seal not written.
    """
    atomic_files.write_json(folder.seal, {"sha256": _digests(folder, facts)})


def verify_group_manifest(folder: GroupFolder, facts: GroupProgress) -> ManifestCheck:
    """Compare the group with its seal.

    Raises:
        EvidenceError: the seal exists and cannot be understood, or a file cannot be read.
    """
    if not folder.seal.exists():
        return ManifestCheck(None)
    sealed = atomic_files.read_model(folder.seal, Manifest).sha256
    return compare_digests(sealed, _digests(folder, facts))


def _digests(folder: GroupFolder, facts: GroupProgress) -> dict[str, str]:
    """SHA-256 of the present `repeat.json` and of the seal of each run, by name."""
    paths = [folder.facts, *(folder.path / run / "seal.json" for run in facts.runs)]
    return {
        path.relative_to(folder.path).as_posix(): sha256_of(path) for path in paths if path.exists()
    }


def group_evidence_digests(folder: GroupFolder, facts: GroupProgress) -> dict[str, str]:
    """SHA-256 of everything that a group is judged from: the same, and the evidence of each run.

    Raises:
        EvidenceError: a file cannot be read.
    """
    found = _digests(folder, facts)
    for run in facts.runs:
        digests = evidence_digests(RunFolder(folder.path / run))
        found |= {f"{run}/{name}": digest for name, digest in digests.items()}
    return found
