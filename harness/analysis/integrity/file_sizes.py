"""Files of records held against the plan before any is read: what a stranger's file may cost."""

from __future__ import annotations

from harness.evidence.run_documents import RunPlan
from harness.evidence.run_folder import RunFolder
from harness.safe_open import MIB, over_limit

# Records of others count too, as in a system that runs already: 5 million row versions.
_OTHERS_BYTES = 256 * MIB
# Of one signal in any one file: more row versions than there are states, three times over.
_SIGNAL_BYTES = 1024


def check_file_sizes(folder: RunFolder, plan: RunPlan) -> None:
    """Refuse files of records that no run of this plan leaves behind.

    Raises:
        RefusedError: one is larger than the plan explains.
    """
    limit = _OTHERS_BYTES + _SIGNAL_BYTES * round(plan.load.signals_most)
    final = (folder.final_tasks, folder.final_ledger, folder.final_bookings, folder.final_stamps)
    seen = (folder.sightings, folder.reads, folder.final_heads)
    for path in (*folder.attempts(), *folder.acks(), *seen, *final):
        if path.is_file() and (size := path.stat().st_size) > limit:
            what = f"has {size:,} bytes, for a plan of {plan.load.signals_most:,.0f} signals"
            raise over_limit(what, f"{limit:,} bytes", str(path))
