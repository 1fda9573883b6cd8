"""Samples: one record a signal, after matching."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.void]
Mask = NDArray[np.bool_]


class SignalOutcome(IntEnum):
    """The outcome of an attempted signal; each signal has exactly one.

    SIMULATED: accepted by Redis, and SIMULATED. REJECTED: accepted, and refused by the engine.
    LOST: accepted, and not final after the whole drain time. IN_FLIGHT: accepted, and not final
    when the observation ended before that, or its final state could not be read. REFUSED: Redis
    refused it, or did not answer and it was never observed. RECOVERED: Redis did not answer, and
    it was observed final.
    """

    OPEN = 0
    SIMULATED = 1
    REJECTED = 2
    LOST = 3
    IN_FLIGHT = 4
    REFUSED = 5
    RECOVERED = 6


class Staleness(IntEnum):
    """Whether a signal's data were too old, so that the engine has to refuse it.

    NO: not as far as known. ON_PURPOSE: the seed chose it to be sent stale. HEAD_LAG: a planned
    fault delayed its agent's view of the chain.
    """

    NO = 0
    ON_PURPOSE = 1
    HEAD_LAG = 2


# Times are monotonic ns, `*_us` are PostgreSQL's commit times; 0 stands for "not known".
# `since_ns` is a time at which the signal was certainly not final yet, whatever its commit time.
# `outcome` is a `records.PushStatus` or 0 without an answer, `state` the final `names.State` or 0,
# `stale` a `Staleness`, `unread` 1 if the final state could not be read, `sync_block` the block
# that the signal names, `entry` the packed entry id or 0.
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
        ("signal_outcome", "u1"),
        ("stale", "u1"),
        ("unread", "u1"),
        ("reserved", "u1", 4),
    ]
)


def has_outcome(samples: Samples, *outcomes: SignalOutcome) -> Mask:
    """Which samples have one of these outcomes."""
    mask: Mask = np.isin(samples["signal_outcome"], [int(outcome) for outcome in outcomes])
    return mask


def column(samples: Samples, name: str) -> NDArray[Any]:
    """A column as a contiguous array, which is faster to compute with than a field of records."""
    return np.ascontiguousarray(samples[name])
