"""Samples of the stream in a healthy run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from harness.evidence.records import Records

# Entries in the stream before the run, of another program.
BEFORE = 7


def entry_text(number: int) -> str:
    """Id of the n-th entry of a made-up run."""
    return f"1-{number}"


def polls_at(acks: Records, times_ns: Iterable[int]) -> list[dict[str, Any]]:
    """Lines of `redis.jsonl`, by a Redis 7; everything is delivered at every poll."""
    added_ns = np.sort(acks["acked_ns"])
    return [poll(ns, int(np.searchsorted(added_ns, ns, side="right"))) for ns in times_ns]


def poll(
    mono_ns: int, added: int, *, delivered: int | None = None, first: int = 0
) -> dict[str, Any]:
    """One line.

    Args:
        mono_ns: when.
        added: number of entries added so far.
        delivered: number of them that were delivered; all of them by default.
        first: number of the oldest entry left.
    """
    read = added if delivered is None else delivered
    newest = entry_text(added - 1) if added else "0-0"
    return {
        "mono_ns": mono_ns,
        "stream": {
            "length": added - first,
            "entries_added": BEFORE + added,
            "first_id": entry_text(first) if added > first else None,
            "newest_id": newest if added > first else None,
            "last_id": newest,
        },
        "group": {
            "name": "cg:engine",
            "consumers": 2,
            "pending": 0,
            "last_delivered_id": entry_text(read - 1) if read else "0-0",
            "lag": added - read,
            "entries_read": BEFORE + read,
        },
    }
