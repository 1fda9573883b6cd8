"""Evidence that should be there and is not."""

from __future__ import annotations

from pathlib import Path

from harness.evidence.run_documents import RunMetadata
from harness.evidence.run_folder import RunFolder


def missing_files(folder: RunFolder, run: RunMetadata, *, has_ledger: bool) -> tuple[str, ...]:
    """Files that every run has, or that this one says it kept.

    Args:
        folder: where the evidence lies.
        run: what the run says of itself.
        has_ledger: whether the system books anything.
    """
    return (
        *_missing(folder, has_ledger=has_ledger),
        *_lost(folder, run, has_ledger=has_ledger),
    )


def _missing(folder: RunFolder, *, has_ledger: bool) -> tuple[str, ...]:
    single = [folder.environment, folder.stack, folder.sightings, folder.observer]
    single += [folder.clock, folder.final_tasks, folder.final]
    if has_ledger:
        single.append(folder.final_ledger)
    missing = [path.name for path in single if not path.exists()]
    if not folder.attempts():
        missing.append("journal/attempts-*.bin")
    if len(folder.acks()) < len(folder.attempts()):
        missing.append("journal/acks-*.bin")
    return tuple(missing)


def _lost(folder: RunFolder, run: RunMetadata, *, has_ledger: bool) -> tuple[str, ...]:
    """What the run says that it kept, and that is not there."""
    missing = [name for name in run.kept if not (folder.path / Path(name).name).exists()]
    none = () if has_ledger else (folder.final_bookings.name,)
    return tuple(name for name in missing if name not in none)
