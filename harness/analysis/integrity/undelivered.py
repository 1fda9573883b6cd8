"""What `final.json` says was left in the stream, held against the signals that Redis took."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.entry_ids import pack_id
from harness.analysis.integrity.nonce_order import NonceOrderAnalyzer
from harness.errors import EvidenceError
from harness.evidence import atomic_files


def note_undelivered(path: Path, order: NonceOrderAnalyzer, notes: AnomalyLog) -> None:
    """Name the signals whose entries are pending, or were never delivered.

    Args:
        path: `final.json`; one that is missing or tells nothing of a group names none.
        order: entry ids of the signals.
        notes: where the names go.

    Raises:
        EvidenceError: the file cannot be understood.
    """
    group = _group(path)
    if group is None:
        return
    try:
        pending = [pack_id(text) for text in group.get("pending_ids") or ()]
        delivered = pack_id(group["last_delivered_id"])
    except (ValueError, KeyError, AttributeError) as error:
        raise EvidenceError(f"cannot be understood: {error!r}", where=str(path)) from error
    notes.slots(Anomaly.LEFT_PENDING, order.find(np.array(pending, dtype=np.uint64)))
    notes.slots(Anomaly.UNDELIVERED, order.after(delivered))


def _group(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    try:
        document = atomic_files.read_document(path)
        group = ((document.get("redis") or {}).get("proposals") or {}).get("engine_group")
    except (ValueError, AttributeError) as error:
        raise EvidenceError(f"cannot be understood: {error!r}", where=str(path)) from error
    return group if isinstance(group, dict) and "last_delivered_id" in group else None
