"""The seal of a group: which runs were made, and what each of them was sealed with.

A run's own seal tells whether its evidence is as the run left it; this one, whether it is the run
that was made here.
"""

from __future__ import annotations

from harness.store import files
from harness.store.folder import RunFolder
from harness.store.group import GroupFacts, GroupFolder
from harness.store.seal import Sealed, SealState, digests, sha256_of


def seal_group(folder: GroupFolder, facts: GroupFacts) -> None:
    """Write the group's `seal.json`: the SHA-256 of `repeat.json` and of the seal of each run.

    Raises:
        EvidenceError: a file cannot be read, or the seal not written.
    """
    files.write_json(folder.seal, {"sha256": _digests(folder, facts)})


def read_group_seal(folder: GroupFolder, facts: GroupFacts) -> SealState:
    """Hold the group against its seal.

    Raises:
        EvidenceError: the seal is there and cannot be understood, or a file cannot be read.
    """
    if not folder.seal.exists():
        return SealState(None)
    sealed = files.read_model(folder.seal, Sealed).sha256
    there = _digests(folder, facts)
    return SealState(
        files=len(sealed),
        changed=tuple(sorted(n for n, digest in sealed.items() if there.get(n, digest) != digest)),
        missing=tuple(sorted(sealed.keys() - there.keys())),
        added=tuple(sorted(there.keys() - sealed.keys())),
    )


def _digests(folder: GroupFolder, facts: GroupFacts) -> dict[str, str]:
    """What the group consists of now: SHA-256 of `repeat.json` and of the seal of each run."""
    paths = [folder.facts, *(folder.path / run / "seal.json" for run in facts.runs)]
    return {
        path.relative_to(folder.path).as_posix(): sha256_of(path) for path in paths if path.exists()
    }


def group_evidence(folder: GroupFolder, facts: GroupFacts) -> dict[str, str]:
    """All that a group is judged from: the same, and the evidence of each run.

    Raises:
        EvidenceError: a file cannot be read.
    """
    found = _digests(folder, facts)
    for run in facts.runs:
        own = digests(RunFolder(folder.path / run))
        found |= {f"{run}/{name}": digest for name, digest in own.items()}
    return found
