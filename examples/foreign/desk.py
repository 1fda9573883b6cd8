"""A small dealing desk that has nothing to do with this project: an example of a foreign system.

It shares no name with the harness: other streams, JSON orders, other tables, its own values for
states, a ledger with one row a side. `harness run --stack attach --contract desk.toml` measures it.

    python desk.py migrate      makes its tables, once
    python desk.py              works until a signal ends it

Environment: `DESK_REDIS` (URL), `DESK_POSTGRES` (conninfo), and for tests `DESK_FAULT`, any of
`lose:N` (acknowledges one order in N and forgets it), `repeat:N` (gives one sequence number in N
twice), `slow:MS` (takes that much longer for each order), `late:MS` (takes up each order so long
after it came), comma-separated.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import uuid
from types import FrameType
from typing import Any

import psycopg
import redis

ORDERS, CREW, HEIGHTS, RESULTS = "desk.orders", "desk-crew", "desk.heights", "desk.results"
HEIGHT_EVERY_S = 0.5
OUTDATED_AFTER = 4
WALLETS = tuple(f"W-{number:04d}" for number in range(1, 13))
SCHEMA = """
CREATE SCHEMA desk;
CREATE TABLE desk.jobs (
    ref text COLLATE "C" PRIMARY KEY, wallet text NOT NULL, phase text NOT NULL, seq bigint,
    touched timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE desk.wallets (wallet text PRIMARY KEY, last_seq bigint NOT NULL);
CREATE TABLE desk.postings (
    id bigserial PRIMARY KEY, batch uuid NOT NULL, ref text COLLATE "C" NOT NULL,
    account text NOT NULL, dc char(2) NOT NULL, amount numeric NOT NULL, what text NOT NULL);
CREATE INDEX ON desk.postings (ref);
"""
LOCK = "SELECT last_seq FROM desk.wallets WHERE wallet = %s FOR UPDATE"
ADVANCE = "UPDATE desk.wallets SET last_seq = %s WHERE wallet = %s"
QUEUE = "INSERT INTO desk.jobs (ref, wallet, phase) VALUES (%s, %s, 'QUEUED')"
FINISH = "UPDATE desk.jobs SET phase = %s, seq = %s, touched = clock_timestamp() WHERE ref = %s"
POST = (
    "INSERT INTO desk.postings (batch, ref, account, dc, amount, what)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)


class Fault:
    """What goes wrong on purpose."""

    def __init__(self, text: str) -> None:
        parts = dict(part.split(":") for part in text.split(",") if part)
        self.lose = int(parts.get("lose", 0))
        self.repeat = int(parts.get("repeat", 0))
        self.slow_s = int(parts.get("slow", 0)) / 1000
        self.late_s = int(parts.get("late", 0)) / 1000

    def loses(self, number: int) -> bool:
        """Whether this order is forgotten."""
        return self.lose > 0 and number % self.lose == self.lose - 1

    def repeats(self, number: int) -> bool:
        """Whether this order gets the sequence number of the one before it."""
        return self.repeat > 0 and number % self.repeat == self.repeat - 1


class Desk:
    """Works orders one after the other."""

    def __init__(self, store: redis.Redis, database: psycopg.Connection[Any], fault: Fault) -> None:
        self.ended = threading.Event()
        self.height = 0
        self._store = store
        self._database = database
        self._fault = fault
        self._number = 0

    def end(self, number: int, frame: FrameType | None) -> None:
        """Signal handler."""
        del number, frame
        self.ended.set()

    def tell_heights(self) -> None:
        """A new height now and then."""
        while not self.ended.wait(HEIGHT_EVERY_S):
            self.height += 1
            self._store.xadd(HEIGHTS, {"h": self.height}, maxlen=1000)

    def work(self) -> None:
        """Read, work, acknowledge."""
        while not self.ended.is_set():
            found: Any = self._store.xreadgroup(CREW, "desk", {ORDERS: ">"}, count=64, block=200)
            for entry, fields in found[0][1] if found else ():
                came_s = int(entry.split(b"-")[0]) / 1000
                self.ended.wait(max(0.0, came_s + self._fault.late_s - time.time()))
                self._take(entry, json.loads(fields[b"msg"]))

    def _take(self, entry: bytes, order: dict[str, Any]) -> None:
        self._number += 1
        if not self._fault.loses(self._number):
            time.sleep(self._fault.slow_s)
            self._settle(order)
        self._store.xack(ORDERS, CREW, entry)

    def _settle(self, order: dict[str, Any]) -> None:
        ref, wallet = order["order"]["ref"], order["order"]["wallet"]
        with self._database.transaction():
            self._database.execute(QUEUE, (ref, wallet))
        phase = "FILLED"
        if self.height - order["seen"] > OUTDATED_AFTER:
            phase = "OUTDATED"
        with self._database.transaction():
            self._database.execute(FINISH, (phase, self._book(order, phase), ref))
            result = json.dumps({"job": {"ref": ref}, "phase": phase})
            self._database.execute("SELECT pg_notify('desk_done', %s)", (result,))
        self._store.xadd(RESULTS, {"ref": ref, "phase": phase}, maxlen=100_000)

    def _book(self, order: dict[str, Any], phase: str) -> int | None:
        if phase != "FILLED":
            return None
        ref, wallet, amount = (order["order"][key] for key in ("ref", "wallet", "size"))
        row = self._database.execute(LOCK, (wallet,)).fetchone()
        last = row[0] if row else 0
        if self._fault.repeats(self._number):
            seq = last
        else:
            seq = last + 1
            self._database.execute(ADVANCE, (seq, wallet))
        batch = uuid.uuid4()
        for what, size in (("FILL", int(amount)), ("VENUE", 25)):
            for account, side in ((wallet, "DR"), ("street", "CR")):
                self._database.execute(POST, (batch, ref, account, side, size, what))
        return seq


def migrate(conninfo: str) -> None:
    """Make the tables; every wallet has a past."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(SCHEMA.encode())
        for past, wallet in enumerate(WALLETS, 40):
            connection.execute("INSERT INTO desk.wallets VALUES (%s, %s)", (wallet, past))


def main() -> None:
    """Migrate, or work."""
    conninfo = os.environ["DESK_POSTGRES"]
    if sys.argv[1:] == ["migrate"]:
        migrate(conninfo)
        return
    store = redis.Redis.from_url(os.environ["DESK_REDIS"])
    with contextlib.suppress(redis.ResponseError):  # it was here before
        store.xgroup_create(ORDERS, CREW, id="0", mkstream=True)
    with psycopg.connect(conninfo, autocommit=True) as database:
        desk = Desk(store, database, Fault(os.environ.get("DESK_FAULT", "")))
        signal.signal(signal.SIGTERM, desk.end)
        ticking = threading.Thread(target=desk.tell_heights)
        ticking.start()
        print("desk is open", flush=True)
        desk.work()
        ticking.join()


if __name__ == "__main__":
    main()
