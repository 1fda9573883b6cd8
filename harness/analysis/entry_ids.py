"""Ids of stream entries, packed into integers of the same order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# 42 bits hold milliseconds until the year 2109, 22 bits four million entries of one millisecond.
_SEQUENCE_BITS = 22
_SEQUENCE_MAX = (1 << _SEQUENCE_BITS) - 1
# Where Redis gave no id.
NO_ENTRY_ID = 0


def pack_entries(redis_ms: NDArray[np.int64], redis_seq: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Packed ids; NO_ENTRY_ID for millisecond zero, which no server gives."""
    low = np.minimum(redis_seq, _SEQUENCE_MAX).astype(np.uint64)
    packed = (np.maximum(redis_ms, 0).astype(np.uint64) << np.uint64(_SEQUENCE_BITS)) | low
    return np.where(redis_ms > 0, packed, np.uint64(NO_ENTRY_ID))


def pack_id(text: str) -> int:
    """The packed id of Redis's text `1732470000000-3`.

    Raises:
        ValueError: the text is no id.
    """
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds) << _SEQUENCE_BITS | min(int(sequence or 0), _SEQUENCE_MAX)


def entry_time_ms(entries: NDArray[np.uint64]) -> NDArray[np.int64]:
    """When Redis added the entries, by its own clock; 0 for NO_ENTRY_ID."""
    return (entries >> np.uint64(_SEQUENCE_BITS)).astype(np.int64)
