"""A small order broker: a second foreign system, unlike `examples/foreign` in every habit.

Tables in a schema of their own with capitals and spaces in names, orders partitioned by hash,
states of an enum, ids with a prefix, nonces given at intake (to orders that are refused later as
well), several row versions in one transaction, final rows that are touched again and archived,
states beyond Simulated that follow soon, fills in integers of the smallest unit.

    python broker.py migrate                      makes its tables, once
    python broker.py [--defect NAME[:SHARE]]...   works until SIGTERM

Environment: `BROKER_REDIS` (URL), `BROKER_POSTGRES` (conninfo). `DEFECTS` lists what it can do
wrong. Which orders a defect concerns is a pure function of `--seed`, its name and the order.
`--truth FILE` writes a line for each of these orders.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis
import redis.asyncio

INTAKE, FLOOR, TIDE, REPORTS = "broker/intake", "Trading Floor", "broker/tide", "broker/reports"
CHANNEL = "Broker.Reports"
TIDE_EVERY_S, STALE_AFTER, TIDE_FIRST = 4.0, 3, 100
CLERKS, DESK_MAX = 6, 1_000
ACCOUNTS = tuple(f"ACC/{number:03d}" for number in range(1, 13))
FEE = 25
DELAY_S = 0.6
# What it can do wrong, and the share of the orders that each concerns unless another is given.
DEFECTS = {
    "lose": 0.03,  # acknowledged and forgotten
    "double_row": 0.03,  # two rows for one order
    "double_final": 0.03,  # simulated, accepted again, simulated and booked again
    "stuck": 0.03,  # never leaves Accepted
    "nonce_gap": 0.03,  # leaves out a nonce before that of this order
    "nonce_reuse": 0.03,  # gives it the nonce of the order before it
    "unbalanced": 0.03,  # credits one unit more than it debits
    "entry_missing": 0.03,  # books no fee
    "accept_stale": 0.5,  # of the orders with data too old
    "silent_reject": 0.05,  # refuses a good order and reports nothing
    "phantom": 0.03,  # reports Simulated and rolls back
    "slow": 0.05,  # takes DELAY_S longer
}

SCHEMA = Path(__file__).with_name("schema.sql")
NEXT = 'SELECT "Next nonce" FROM "Trading"."Accounts" WHERE "account" = %s FOR UPDATE'
ADVANCE = 'UPDATE "Trading"."Accounts" SET "Next nonce" = %s WHERE "account" = %s'
ACCEPT = 'INSERT INTO "Trading"."Orders" ("orderId", "account") VALUES (%s, %s)'
NUMBER = 'UPDATE "Trading"."Orders" SET "nonce" = %s WHERE "orderId" = %s'
MOVE = """UPDATE "Trading"."Orders" SET "State" = %s, "touchedAt" = clock_timestamp()
    WHERE "orderId" = %s"""
TOUCH = 'UPDATE "Trading"."Orders" SET "touches" = "touches" + 1 WHERE "orderId" = %s'
FILL = """INSERT INTO "Trading"."Fills" ("booking", "orderId", "book", "Kind", "minorUnits")
    VALUES (%s, %s, %s, %s, %s)"""
# What the back office does every 50 ms: orders move on, final ones are touched and archived.
BACK_OFFICE_EVERY_S = 0.05
BACK_OFFICE = (
    """UPDATE "Trading"."Orders" SET "State" = 'Routed', "touchedAt" = clock_timestamp()
    WHERE "State" = 'Simulated' AND "touchedAt" < clock_timestamp() - interval '20 ms'""",
    """UPDATE "Trading"."Orders" SET "State" = 'Settled', "touchedAt" = clock_timestamp()
    WHERE "State" = 'Routed' AND "touchedAt" < clock_timestamp() - interval '50 ms'""",
    """UPDATE "Trading"."Orders" SET "touches" = "touches" + 1, "touchedAt" = clock_timestamp()
    WHERE "State" IN ('Settled', 'Refused stale', 'Refused limit') AND "touches" < 4
    AND "touchedAt" < clock_timestamp() - interval '450 ms'""",
    """WITH gone AS (DELETE FROM "Trading"."Orders" WHERE "touches" >= 4
    AND "touchedAt" < clock_timestamp() - interval '700 ms' RETURNING *)
    INSERT INTO "Trading"."Order Archive" SELECT * FROM gone""",
)

Database = psycopg.AsyncConnection[Any]


@dataclass(frozen=True)
class Order:
    """An order as it came; `entry` is its place in the stream."""

    entry: bytes
    id: str
    account: str
    units: int
    tide: int

    @classmethod
    def of(cls, entry: bytes, fields: dict[bytes, bytes]) -> Order:
        """Read it from its fields."""
        text = {key.decode(): value.decode() for key, value in fields.items()}
        order_id = f"ord-{uuid.UUID(text['client_ref']).hex}"
        return cls(entry, order_id, text["acct"], int(text["units"]), int(text["tide"]))


@dataclass
class Harm:
    """Which orders are harmed, and the record of those that were."""

    shares: dict[str, float] = field(default_factory=dict)
    seed: int = 1
    truth: Path | None = None

    def strikes(self, name: str, order: Order) -> bool:
        """Whether a defect concerns an order; if so, that is written down first."""
        digest = hashlib.blake2b(f"{self.seed} {name} {order.id}".encode(), digest_size=8).digest()
        if int.from_bytes(digest) >= self.shares.get(name, 0.0) * 2**64:
            return False
        if self.truth is not None:
            with self.truth.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"defect": name, "order": order.id}) + "\n")
        return True


class Broker:
    """One that accepts, clerks that simulate and book (a debit has a plus sign), a back office."""

    def __init__(self, conninfo: str, store: redis.asyncio.Redis, harm: Harm) -> None:
        self.ended = asyncio.Event()
        self._conninfo = conninfo
        self._store = store
        self._harm = harm
        self._tide = TIDE_FIRST
        self._desk: asyncio.Queue[Order] = asyncio.Queue(DESK_MAX)

    async def work(self) -> None:
        """All of them, until the end."""
        clerks = [self._clerk() for _ in range(CLERKS)]
        works = (self._accept_all(), *clerks, self._back_office(), self._tides())
        tasks = [asyncio.create_task(work) for work in works]
        ended = asyncio.create_task(self.ended.wait())
        print("broker is open", flush=True)
        try:
            await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks([*tasks, ended])
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    async def _connect(self) -> Database:
        return await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)

    async def _tides(self) -> None:
        while True:
            await self._store.xadd(TIDE, {"level": self._tide}, maxlen=1000)
            await asyncio.sleep(TIDE_EVERY_S)
            self._tide += 1

    async def _accept_all(self) -> None:
        async with await self._connect() as database:
            while True:
                new: Any = {INTAKE: ">"}
                found: Any = await self._store.xreadgroup(FLOOR, "floor", new, count=64, block=200)
                for entry, fields in found[0][1] if found else ():
                    order = Order.of(entry, fields)
                    if self._harm.strikes("lose", order):
                        await self._store.xack(INTAKE, FLOOR, entry)
                        continue
                    await self._accept(database, order)
                    await self._desk.put(order)

    async def _accept(self, database: Database, order: Order) -> None:
        """A row and a nonce, in two versions and one transaction."""
        async with database.transaction():
            row = await (await database.execute(NEXT, (order.account,))).fetchone()
            nonce = following = row[0] if row else 0
            if self._harm.strikes("nonce_gap", order):
                nonce += 1
            if self._harm.strikes("nonce_reuse", order):
                nonce = following - 1
            for _ in range(1 + self._harm.strikes("double_row", order)):
                await database.execute(ACCEPT, (order.id, order.account))
            await database.execute(NUMBER, (nonce, order.id))
            await database.execute(ADVANCE, (max(following, nonce + 1), order.account))

    async def _clerk(self) -> None:
        async with await self._connect() as database:
            while True:
                order = await self._desk.get()
                if self._harm.strikes("slow", order):
                    await asyncio.sleep(DELAY_S)
                await self._decide(database, order)
                await self._store.xack(INTAKE, FLOOR, order.entry)

    async def _decide(self, database: Database, order: Order) -> None:
        if self._tide - order.tide > STALE_AFTER:
            if self._harm.strikes("accept_stale", order):
                await self._simulate(database, order)
            else:
                await self._refuse(database, order, "Refused stale", silent=False)
        elif self._harm.strikes("silent_reject", order):
            await self._refuse(database, order, "Refused limit", silent=True)
        elif self._harm.strikes("phantom", order):
            await self._notify(database, order, "Simulated")
            await self._publish(order, "Simulated")
        elif not self._harm.strikes("stuck", order):
            await self._simulate(database, order)
            if self._harm.strikes("double_final", order):
                async with database.transaction():
                    await database.execute(MOVE, ("Accepted", order.id))
                await self._simulate(database, order)

    async def _refuse(self, database: Database, order: Order, state: str, silent: bool) -> None:
        async with database.transaction():
            await database.execute(MOVE, (state, order.id))
            if not silent:
                await self._notify(database, order, state)
        if not silent:
            await self._publish(order, state)

    async def _simulate(self, database: Database, order: Order) -> None:
        """State, up to three fills, a fee and a touch, in one transaction."""
        async with database.transaction():
            await database.execute(MOVE, ("Simulated", order.id))
            await self._book(database, order)
            await database.execute(TOUCH, (order.id,))
            await self._notify(database, order, "Simulated")
        await self._publish(order, "Simulated")

    async def _book(self, database: Database, order: Order) -> None:
        booking, count = uuid.uuid4(), 1 + order.units % 3
        parts = [order.units // count] * (count - 1)
        parts.append(order.units - sum(parts))
        surplus = int(self._harm.strikes("unbalanced", order))
        entries = [("Fill", units) for units in parts]
        if not self._harm.strikes("entry_missing", order):
            entries.append(("Fee", FEE))
        async with database.cursor() as cursor:
            for kind, units in entries:
                for book, signed in ((order.account, units), ("street", -units - surplus)):
                    await cursor.execute(FILL, (booking, order.id, book, kind, signed))

    async def _notify(self, database: Database, order: Order, state: str) -> None:
        text = json.dumps({"order": {"id": order.id}, "state": state})
        await database.execute("SELECT pg_notify(%s, %s)", (CHANNEL, text))

    async def _publish(self, order: Order, state: str) -> None:
        fields: dict[Any, Any] = {"order": order.id, "state": state}
        await self._store.xadd(REPORTS, fields, maxlen=100_000)

    async def _back_office(self) -> None:
        async with await self._connect() as database:
            while True:
                for statement in BACK_OFFICE:
                    await database.execute(statement.encode())
                await asyncio.sleep(BACK_OFFICE_EVERY_S)


def migrate(conninfo: str) -> None:
    """Make the tables; every account has a past."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(SCHEMA.read_bytes())
        for past, account in enumerate(ACCOUNTS, 7):
            connection.execute('INSERT INTO "Trading"."Accounts" VALUES (%s, %s)', (account, past))


async def end_tasks(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they are done; a client that waits for a reply may swallow the first."""
    for _ in range(5):
        for task in tasks:
            task.cancel()
        _, pending = await asyncio.wait(tasks, timeout=2)
        if not pending:
            return


def harm_of(arguments: Sequence[str]) -> Harm:
    """What is to go wrong, from the command line."""
    parser = argparse.ArgumentParser(description="an order broker")
    parser.add_argument("--defect", action="append", default=[], metavar="NAME[:SHARE]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--truth", type=Path)
    options = parser.parse_args(arguments)
    shares = {}
    for text in options.defect:
        name, _, share = text.partition(":")
        if name not in DEFECTS:
            parser.error(f"no defect {name}; there are {', '.join(DEFECTS)}")
        shares[name] = float(share or DEFECTS[name])
    return Harm(shares, options.seed, options.truth)


async def trade(harm: Harm) -> None:
    """Work until SIGTERM."""
    async with redis.asyncio.Redis.from_url(os.environ["BROKER_REDIS"]) as store:
        with contextlib.suppress(redis.ResponseError):  # it was here before
            await store.xgroup_create(INTAKE, FLOOR, id="0", mkstream=True)
        broker = Broker(os.environ["BROKER_POSTGRES"], store, harm)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, broker.ended.set)
        await broker.work()


if __name__ == "__main__":
    if sys.argv[1:] == ["migrate"]:
        migrate(os.environ["BROKER_POSTGRES"])
    else:
        asyncio.run(trade(harm_of(sys.argv[1:])))
