"""Which row versions a poll has not seen yet, told from PostgreSQL's own snapshots; pure.

A snapshot `xmin:xmax:xip,...` (manual, section 9.27.7): every transaction below `xmin` has ended,
none from `xmax` on had begun. A row version written by a transaction below the `xmin` of an
earlier poll was therefore visible to that poll, whatever its number and its time stamps; all
others may be new. Ids given in order but committed out of order, long transactions and
savepoints (whose own ids `xip` does not list) are all covered, without a guess about time.
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
    """The 64-bit id of a 32-bit one, taken to lie within 2^31 of `horizon`."""
    distance = (xid - horizon) % XID_WRAP
    if distance >= XID_WRAP // 2:
        distance -= XID_WRAP
    return horizon + distance


class VersionDeduplicator:
    """Tells each row version once, and keeps only those that could still come twice.

    Args:
        horizon: 64-bit id of a transaction; what older ones wrote is not new.
    """

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self._told: dict[Key, int] = {}

    @property
    def kept(self) -> int:
        """Row versions remembered: those of transactions younger than the horizon."""
        return len(self._told)

    def is_new(self, trace_hi: int, trace_lo: int, xid: int) -> bool:
        """Whether this row version has not been told before; asking tells it."""
        full = full_xid(xid, self.horizon)
        if full < self.horizon:
            return False
        key = (trace_hi, trace_lo, full)
        if key in self._told:
            return False
        self._told[key] = full
        return True

    def advance(self, horizon: int) -> None:
        """After a whole poll: everything below its snapshot's `xmin` has been told."""
        if horizon <= self.horizon:
            return
        self.horizon = horizon
        self._told = {key: full for key, full in self._told.items() if full >= horizon}
