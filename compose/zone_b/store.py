"""The engine's side of PostgreSQL: what is written, in which transaction."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence

from zone_b import statements
from zone_b.ledger import Book, entries_of
from zone_b.pipeline_connection import PipelineConnection, Row, Unit, array
from zone_b.trade import Committed, Rejection, Trade

# (kind, address, chain)
_AccountKey = tuple[str, str, int]
_COLLECTORS = ("pool", "gas", "protocol")
# Wallets whose account and lock row are known to exist.
_KNOWN_MAX = 100_000
_RETRY_S = 0.05


class StoreError(Exception):
    """The database holds something that the engine cannot go on with."""


class Store:
    """One worker's connection. Every method's writes are idempotent on the trace id.

    Args:
        dsn: libpq conninfo.
        worker: name that goes into the nonce locks.
        texts: the statements, by name.
    """

    def __init__(self, dsn: str, worker: str, texts: Mapping[str, str] = statements.ALL) -> None:
        self._worker = worker
        self._pipe = PipelineConnection(dsn, texts, statements.OPTIONS)
        self._accounts: dict[_AccountKey, int] = {}

    def close(self) -> None:
        """Close the connection."""
        self._pipe.close()

    def release_locks(self, holders: str) -> None:
        """End the nonce locks of former workers; `holders` is a LIKE pattern."""
        self._pipe.run("release_locks", [holders])

    def begin(self, tasks: Iterable[tuple[str, str]], wallets: Iterable[tuple[str, int]]) -> None:
        """Send the INIT rows of a batch as one transaction, without waiting for it.

        Args:
            tasks: trace id and strategy of each.
            wallets: address and chain of those who will trade.
        """
        self._open(wallets)
        # In one order everywhere: two workers with the same signals must not wait for each other.
        rows = sorted(tasks)
        self._pipe.queue(
            "init",
            [
                array([new_id() for _ in rows]),
                array([strategy for _, strategy in rows]),
                array([trace for trace, _ in rows]),
            ],
        )
        self._pipe.sync()

    def begun(self) -> int:
        """Wait for what `begin` sent; the monotonic time at which its commit was known, in ns."""
        units = self._pipe.fetch()
        for unit in units[:-1]:
            self._learn(unit.rows[-1])
        return units[-1].done_ns

    def commit(
        self, trades: Sequence[Trade], rejections: Sequence[Rejection]
    ) -> tuple[list[Committed], list[str]]:
        """Commit decisions: the rejections together, then each trade in a transaction of its own.

        Args:
            trades: in the order in which they get their nonces.
            rejections: may be empty.

        Returns:
            The trades that got a nonce now, and the trace ids that were rejected now; whatever
            else was given had reached its end before.

        Raises:
            StoreError: another holder's nonce lock outlived its time.
        """
        if rejections:
            self._queue_rejections(rejections)
        for trade in trades:
            self._queue_trade(trade)
        units = self._pipe.fetch()
        refused: list[str] = []
        if rejections:
            refused = [_text(row[0]) for row in units.pop(0).rows[0]]
        committed = []
        for trade, unit in zip(trades, units, strict=True):
            done = _committed(trade, unit) or self._once_more(trade)
            if done is not None:
                committed.append(done)
        return committed, refused

    def _queue_rejections(self, rejections: Sequence[Rejection]) -> None:
        rows = sorted({rejection.trace_id: rejection.status for rejection in rejections}.items())
        self._pipe.queue("reject", [array([t for t, _ in rows]), array([s for _, s in rows])])
        self._pipe.sync()

    def _queue_trade(self, trade: Trade) -> None:
        order = trade.order
        chain = str(order.chain_id)
        values = [order.address, chain, new_id(), order.trace_id, self._worker]
        wallet = self._accounts["wallet", order.address, order.chain_id]
        for entry in entries_of(
            wallet, self._book(order.chain_id), order.amount_in_wei, trade.fees
        ):
            values += (
                str(entry.debit_account_id),
                str(entry.credit_account_id),
                str(entry.amount_wei),
                entry.entry_type,
            )
        self._pipe.queue("lock_nonce", [order.address, chain])
        self._pipe.queue("commit_trade", values)
        self._pipe.sync()

    def _once_more(self, trade: Trade) -> Committed | None:
        """A trade without effect: done before, or its lock is another's until that expires."""
        give_up = time.monotonic() + statements.LOCK_TTL_S + 5
        while time.monotonic() < give_up:
            found = self._pipe.run("status", [trade.order.trace_id])
            if not found or found[0][0] != b"INIT":
                return None
            time.sleep(_RETRY_S)
            self._queue_trade(trade)
            done = _committed(trade, self._pipe.fetch()[0])
            if done is not None:
                return done
        raise StoreError(f"the nonce lock of {trade.order.address} is held past its time")

    def _book(self, chain_id: int) -> Book:
        pool, gas, protocol = (self._accounts[kind, "", chain_id] for kind in _COLLECTORS)
        return Book(pool, gas, protocol)

    def _open(self, wallets: Iterable[tuple[str, int]]) -> None:
        new = sorted({w for w in wallets if ("wallet", *w) not in self._accounts})
        if not new:
            return
        if len(self._accounts) > _KNOWN_MAX:
            self._accounts.clear()
            new = sorted(set(wallets))
        keys = [("wallet", address, chain) for address, chain in new]
        keys += [(kind, "", chain) for chain in sorted({c for _, c in new}) for kind in _COLLECTORS]
        columns = [
            array([kind for kind, _, _ in keys]),
            array([address for _, address, _ in keys]),
            array([str(chain) for _, _, chain in keys]),
        ]
        self._pipe.queue("open_accounts", columns)
        self._pipe.queue(
            "open_nonces", [array([a for a, _ in new]), array([str(c) for _, c in new])]
        )
        self._pipe.queue("find_accounts", columns)
        self._pipe.sync()

    def _learn(self, rows: Iterable[Row]) -> None:
        for kind, address, chain, account in rows:
            self._accounts[_text(kind), _text(address), int(_text(chain))] = int(_text(account))


def new_id() -> str:
    """A fresh UUID that sorts by time (version 7, RFC 9562), so that its index grows at one end."""
    stamp = time.time_ns() // 1_000_000
    noise = uuid.uuid4().int & ((1 << 74) - 1)
    value = stamp << 80 | 0x7 << 76 | (noise >> 62) << 64 | 0b10 << 62 | noise & ((1 << 62) - 1)
    return str(uuid.UUID(int=value))


def _committed(trade: Trade, unit: Unit) -> Committed | None:
    locked, written = unit.rows
    if not written:
        return None
    nonce, held_us = written[0]
    lock_wait_us = int(_text(held_us)) - int(_text(locked[0][0]))
    return Committed(trade, int(_text(nonce)), max(0, lock_wait_us) * 1000, unit.done_ns)


def _text(value: bytes | None) -> str:
    if value is None:
        raise StoreError("a column that is never null was null")
    return value.decode()
