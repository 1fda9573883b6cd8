"""What a healthy run's looks at the stream say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from harness.evidence.records import Records

# Entries that had been in the stream before the run, of somebody else's.
BEFORE = 7


def entry_text(number: int) -> str:
    """Id of the n-th entry of a made-up run."""
    return f"1-{number}"


def polls_at(acks: Records, times_ns: Iterable[int]) -> list[dict[str, Any]]:
    """Lines of `redis.jsonl`, by a Redis 7; everything has been delivered at every look."""
    taken_ns = np.sort(acks["acked_ns"])
    return [poll(ns, int(np.searchsorted(taken_ns, ns, side="right"))) for ns in times_ns]


def poll(
    mono_ns: int, taken: int, *, delivered: int | None = None, first: int = 0
) -> dict[str, Any]:
    """One line.

    Args:
        mono_ns: when.
        taken: entries taken so far.
        delivered: how many of them were delivered; all of them if not given.
        first: number of the oldest that is left.
    """
    read = taken if delivered is None else delivered
    newest = entry_text(taken - 1) if taken else "0-0"
    return {
        "mono_ns": mono_ns,
        "stream": {
            "length": taken - first,
            "entries_added": BEFORE + taken,
            "first_id": entry_text(first) if taken > first else None,
            "newest_id": newest if taken > first else None,
            "last_id": newest,
        },
        "group": {
            "name": "cg:engine",
            "consumers": 2,
            "pending": 0,
            "last_delivered_id": entry_text(read - 1) if read else "0-0",
            "lag": taken - read,
            "entries_read": BEFORE + read,
        },
    }
