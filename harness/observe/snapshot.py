"""The row versions that no earlier poll has seen, by PostgreSQL's own snapshots; pure.

A snapshot `xmin:xmax:xip,...` (manual, section 9.27.7): every transaction below `xmin` has ended,
none from `xmax` on had begun. A row version written by a transaction below the `xmin` of an
earlier poll was therefore visible to that poll, whatever its number and its time stamps; all
others may be new. Ids that are committed out of order, long transactions and savepoints (whose own
ids `xip` does not list) are all covered, without assumptions about time.
"""

from __future__ import annotations

XID_WRAP = 1 << 32

Key = tuple[int, int, int]


def snapshot_xmin(text: str) -> int:
    """The oldest transaction still running in a snapshot, as a 64-bit id.

    Raises:
        ValueError: not a snapshot.
    """
    parts = text.split(":")
    if len(parts) != 3:
        raise ValueError(f"not a snapshot: {text!r}")
    return int(parts[0])


def full_xid(xid: int, horizon: int) -> int:
    """The 64-bit id of a 32-bit one, assumed to lie within 2^31 of `horizon`."""
    distance = (xid - horizon) % XID_WRAP
    if distance >= XID_WRAP // 2:
        distance -= XID_WRAP
    return horizon + distance


class VersionDeduplicator:
    """Lets each row version pass once, and keeps only those that could still come twice.

    Args:
        horizon: 64-bit id of a transaction; versions of older ones are not new.
    """

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self._known: dict[Key, int] = {}

    @property
    def kept(self) -> int:
        """Row versions remembered: those of transactions younger than the horizon."""
        return len(self._known)

    def is_new(self, trace_hi: int, trace_lo: int, xid: int) -> bool:
        """Whether this row version is new; it is not at the next call."""
        full = full_xid(xid, self.horizon)
        if full < self.horizon:
            return False
        key = (trace_hi, trace_lo, full)
        if key in self._known:
            return False
        self._known[key] = full
        return True

    def advance(self, horizon: int) -> None:
        """After a whole poll: everything below its snapshot's `xmin` is known."""
        if horizon <= self.horizon:
            return
        self.horizon = horizon
        self._known = {key: full for key, full in self._known.items() if full >= horizon}
