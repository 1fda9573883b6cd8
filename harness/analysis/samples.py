"""What became of each signal, one record a signal, after matching."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.void]
Mask = NDArray[np.bool_]


class SignalOutcome(IntEnum):
    """The one class that an attempted signal ends in.

    SIMULATED: accepted by Redis, and SIMULATED. REJECTED: accepted, and refused by the engine.
    LOST: accepted, and not final although the drain time was waited for. IN_FLIGHT: accepted, and
    not final when the watching ended too early to call it lost, or nobody could read how it ended.
    REFUSED: Redis refused it, or did
    not answer and nothing was ever seen of it. RECOVERED: Redis did not answer, and it was seen
    final all the same.
    """

    OPEN = 0
    SIMULATED = 1
    REJECTED = 2
    LOST = 3
    IN_FLIGHT = 4
    REFUSED = 5
    RECOVERED = 6


class Staleness(IntEnum):
    """Whether a signal's data were too old, so that refusing it is right.

    NO: nothing says so. ON_PURPOSE: it was sent so, as the seed chose. BEHIND: a planned fault held
    its agent up, and the chain went on.
    """

    NO = 0
    ON_PURPOSE = 1
    HEAD_LAG = 2


# Times are monotonic ns, `*_us` are PostgreSQL's commit times; 0 stands for "not known".
# `since_ns` is when the signal was certainly not seen final yet, whatever its commit time.
# `outcome` is a records.Outcome or 0 without an answer, `state` the final names.State or 0, `stale`
# a Stale, `unread` 1 if nobody could read how it ended, `sync_block` the block that the signal
# names, `entry` the packed id that Redis gave or 0.
SAMPLE = np.dtype(
    [
        ("intended_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("acked_ns", "<i8"),
        ("since_ns", "<i8"),
        ("seen_ns", "<i8"),
        ("init_us", "<i8"),
        ("final_us", "<i8"),
        ("slot", "<i8"),
        ("entry", "<u8"),
        ("init_xid", "<u4"),
        ("final_xid", "<u4"),
        ("sync_block", "<u4"),
        ("stage", "<u2"),
        ("mode", "u1"),
        ("outcome", "u1"),
        ("state", "u1"),
        ("fate", "u1"),
        ("stale", "u1"),
        ("unread", "u1"),
        ("reserved", "u1", 4),
    ]
)


def has_outcome(samples: Samples, *fates: SignalOutcome) -> Mask:
    """Which samples are in one of these classes."""
    mask: Mask = np.isin(samples["fate"], [int(fate) for fate in fates])
    return mask


def column(samples: Samples, name: str) -> NDArray[Any]:
    """A column as an array of its own, quicker to compute with than one woven into records."""
    return np.ascontiguousarray(samples[name])
