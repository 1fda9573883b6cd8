"""A store that commits by a statement which is almost the engine's."""

from __future__ import annotations

from collections.abc import Iterable

from zone_b import statements
from zone_b.store import Store
from zone_b.trade import Committed, Trade


class SecondStore:
    """Commits single trades over a connection of its own.

    Args:
        dsn: libpq conninfo.
        worker: whose nonce locks it takes.
        changes: parts of `statements.COMMIT_TRADE`, and what stands in their place.

    Raises:
        ValueError: the statement has no such part.
    """

    def __init__(self, dsn: str, worker: str, changes: Iterable[tuple[str, str]]) -> None:
        changed = statements.COMMIT_TRADE
        for old, new in changes:
            if old not in changed:
                raise ValueError("the engine's statement has changed; change the defect with it")
            changed = changed.replace(old, new)
        self._store = Store(dsn, worker, {**statements.ALL, "commit_trade": changed})

    def commit_one(self, trade: Trade) -> Committed | None:
        """Commit a trade; None if that had no effect."""
        order = trade.order
        self._store.begin([], {(order.address, order.chain_id)})
        self._store.begun()
        committed, _ = self._store.commit([trade], [])
        return committed[0] if committed else None
