"""Evidence files of a run before any is read: which are missing, which are larger than possible."""

from __future__ import annotations

from pathlib import Path

from harness.evidence.run_documents import RunMetadata, RunPlan
from harness.evidence.run_folder import RunFolder
from harness.safe_open import MIB, over_limit

# Rows of other programs count too, as in a system that runs already: 5 million row versions.
_UNATTRIBUTED_BYTES = 256 * MIB
# Of one signal in any one file: more row versions than there are states, three times over.
_SIGNAL_BYTES = 1024


def check_file_sizes(folder: RunFolder, plan: RunPlan) -> None:
    """Refuse record files that no run of this plan leaves.

    Raises:
        RefusedError: one is larger than the plan explains.
    """
    limit = _UNATTRIBUTED_BYTES + _SIGNAL_BYTES * round(plan.load.signals_most)
    final = (folder.final_tasks, folder.final_ledger, folder.final_bookings, folder.final_stamps)
    observer = (folder.sightings, folder.reads, folder.final_heads)
    for path in (*folder.attempts(), *folder.acks(), *observer, *final):
        if path.is_file() and (size := path.stat().st_size) > limit:
            what = f"has {size:,} bytes, for a plan of {plan.load.signals_most:,.0f} signals"
            raise over_limit(what, f"{limit:,} bytes", str(path))


def missing_files(folder: RunFolder, run: RunMetadata, *, has_ledger: bool) -> tuple[str, ...]:
    """Names of missing files: those that every run has, and those that this run lists as kept.

    Args:
        folder: where the evidence lies.
        run: metadata, which lists the kept files.
        has_ledger: whether the system books anything.
    """
    always = [folder.environment, folder.stack, folder.sightings, folder.observer]
    always += [folder.clock, folder.final_tasks, folder.final]
    if has_ledger:
        always.append(folder.final_ledger)
    missing = [path.name for path in always if not path.exists()]
    if not folder.attempts():
        missing.append("journal/attempts-*.bin")
    if len(folder.acks()) < len(folder.attempts()):
        missing.append("journal/acks-*.bin")
    optional = () if has_ledger else (folder.final_bookings.name,)
    missing += [
        name
        for name in run.kept
        if name not in optional and not (folder.path / Path(name).name).exists()
    ]
    return tuple(missing)
