"""The state in which a run left the system, read when everything is quiet.

Writes `final-tasks.bin`, `final-ledger.bin`, `final.json` and what `final_more` has; only rows of
the run's own range of trace ids and addresses are looked at.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql

from harness.clock import NS_PER_S
from harness.contract.names import Contract, NonceTable
from harness.contract.trace_id import parse, run_range
from harness.errors import EvidenceError, StackError
from harness.evidence.records import LEDGER, TASK, RecordWriter
from harness.observe.chain_heads import write_heads
from harness.observe.final_more import (
    BOOKINGS_FILE,
    STAMPS_FILE,
    Totals,
    bookings_query,
    has_stamps,
    knows_accounts,
    pack_bookings,
    pack_stamps,
    stamps_query,
)
from harness.observe.final_strangers import read_strangers
from harness.observe.ledger_rows import ledger_query
from harness.observe.redis_facts import read_redis_facts
from harness.observe.rows import is_own_row, limit_query_time, table_name

TASKS_FILE = "final-tasks.bin"
LEDGER_FILE = "final-ledger.bin"
FINAL_FILE = "final.json"
HEADS_FILE = "final-heads.bin"
QUERY_LIMIT_NS = 60 * NS_PER_S
# Agents own 4097 addresses at most, each on few chains.
_NONCES_MAX = 50_000
_PORTION = 5_000
_TASK_RECORD = struct.Struct("<QQqB7x")
_LEDGER_RECORD = struct.Struct("<QQIIIII4x")

if (_TASK_RECORD.size, _LEDGER_RECORD.size) != (TASK.itemsize, LEDGER.itemsize):
    raise AssertionError("final rows are packed in another layout than they are read")


def write_final(
    observer_dsn: str,
    redis_url: str | None,
    contract: Contract,
    run_tag: int,
    folder: Path,
    *,
    alone: bool = False,
    heads: bool = False,
) -> None:
    """Read and write everything.

    Args:
        observer_dsn: conninfo of the read-only role.
        redis_url: URL with password; None leaves Redis out.
        contract: names of tables, columns and streams.
        run_tag: whose rows.
        folder: the run's folder.
        alone: whether the database was made for the run, so that rows of others are counted too.
        heads: whether the events of the chain are wanted.

    Raises:
        StackError: a server does not answer, or not in time; what could be read is written.
        EvidenceError: the files cannot be written.
    """
    document: dict[str, Any] = {"schema": 1, "postgres": None, "redis": None}
    try:
        document["postgres"] = _read_postgres(observer_dsn, contract, run_tag, folder, alone=alone)
        if redis_url is not None:
            document["redis"] = read_redis_facts(redis_url, contract)
            if heads:
                write_heads(redis_url, contract, folder / HEADS_FILE)
    except psycopg.Error as error:
        raise StackError(
            f"the final state cannot be read: {str(error).strip()}",
            where="postgres",
            hint="the observer's role needs SELECT on the tables that the contract names",
        ) from error
    finally:
        _write_json(folder / FINAL_FILE, document)


def _read_postgres(
    dsn: str, contract: Contract, run_tag: int, folder: Path, *, alone: bool
) -> dict[str, Any]:
    with psycopg.connect(dsn, application_name="harness_final") as connection:
        # One snapshot for all tables, so that they can be held against each other.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        limit_query_time(connection, QUERY_LIMIT_NS)
        statuses: Counter[str] = Counter()
        _write_records(
            folder / TASKS_FILE,
            _tasks(_stream(connection, *tasks_query(contract, run_tag)), contract, statuses),
        )
        if contract.ledger is not None:
            rows = _stream(connection, *ledger_query(contract.ledger, run_tag))
            _write_records(folder / LEDGER_FILE, _ledger(rows))
        nonces = read_nonces(connection, contract, run_tag)
        more = _read_more(connection, contract, run_tag, folder)
        if alone:
            more["strangers"] = read_strangers(connection, contract, run_tag)
        facts = {name: _show(connection, name) for name in _FACTS}
    return {
        **facts,
        **more,
        "statuses": dict(sorted(statuses.items())),
        "nonces": nonces and nonces[:_NONCES_MAX],
        "nonces_truncated": len(nonces or ()) > _NONCES_MAX,
    }


def _read_more(
    connection: Connection[Any], contract: Contract, run_tag: int, folder: Path
) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if contract.ledger is not None:
        accounts, totals = knows_accounts(connection, contract.ledger), Totals()
        query = bookings_query(contract.ledger, run_tag, accounts=accounts)
        records = pack_bookings(_stream(connection, *query), totals)
        _write_records(folder / BOOKINGS_FILE, records)
        facts["ledger"] = {"accounts_known": accounts, **totals.facts()}
    facts["stamped"] = has_stamps(connection, contract)
    stamps: Iterable[bytes] = ()
    if facts["stamped"]:
        stamps = pack_stamps(_stream(connection, *stamps_query(contract, run_tag)))
    _write_records(folder / STAMPS_FILE, stamps)
    return facts


def read_nonces(
    connection: Connection[Any], contract: Contract, run_tag: int
) -> list[dict[str, Any]] | None:
    """The next nonce of each of the run's addresses that has a row; None without such a table.

    Where the system serves one chain, the chain's id is None.
    """
    if contract.nonces is None:
        return None
    query = nonces_query(contract.nonces, contract.addresses, run_tag)
    return [
        {"address": address, "chain_id": chain_id, "nonce": nonce}
        for address, chain_id, nonce in connection.execute(*query)
    ]


_FACTS = ("server_version", "wal_level", "track_commit_timestamp", "synchronous_commit", "fsync")
_Query = tuple[sql.Composed, tuple[Any, ...]]


def tasks_query(contract: Contract, run_tag: int) -> _Query:
    """Trace id, status and nonce of the run's FSM rows."""
    tasks = contract.tasks
    query = sql.SQL(
        "SELECT {trace}::text, {status}::text, {nonce}::bigint FROM {table} WHERE {own}"
    ).format(
        trace=sql.Identifier(tasks.trace_id),
        status=sql.Identifier(tasks.status),
        nonce=sql.Identifier(tasks.nonce) if tasks.nonce else sql.NULL,
        own=is_own_row(tasks.trace_id, tasks.trace_type),
        table=table_name(tasks.table),
    )
    return query, run_range(run_tag)


def nonces_query(nonces: NonceTable, listed: Sequence[str], run_tag: int) -> _Query:
    """Address, chain and next nonce of the run's addresses, or of those that are listed."""
    address = sql.Identifier(nonces.address)
    query = sql.SQL(
        "SELECT {address}::text, {chain}::bigint, {nonce}::bigint + {further} FROM {table}"
        " WHERE {own} ORDER BY 1, 2 LIMIT %s"
    ).format(
        address=address,
        chain=sql.Identifier(nonces.chain_id) if nonces.chain_id else sql.NULL,
        nonce=sql.Identifier(nonces.nonce),
        further=sql.Literal(int(nonces.holds == "last")),
        table=table_name(nonces.table),
        own=sql.SQL(
            "lower({}::text) = ANY(%s)" if listed else "lower(left({}::text, 14)) = %s"
        ).format(address),
    )
    own: Any = [text.lower() for text in listed] or f"0x{run_tag:012x}"
    return query, (own, _NONCES_MAX + 1)


def _stream(
    connection: Connection[Any], query: sql.Composed, values: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    with connection.cursor(name="harness_final") as cursor:
        cursor.itersize = _PORTION
        yield from cursor.execute(query, values)


def _tasks(
    rows: Iterable[tuple[Any, ...]], contract: Contract, statuses: Counter[str]
) -> Iterator[bytes]:
    for trace, status, nonce in rows:
        statuses[status] += 1
        yield _TASK_RECORD.pack(
            *parse(trace), -1 if nonce is None else nonce, contract.state(status or "")
        )


def _ledger(rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    for trace, *counts in rows:
        yield _LEDGER_RECORD.pack(*parse(trace), *counts)


def _write_records(path: Path, records: Iterable[bytes]) -> None:
    buffer = bytearray()
    with RecordWriter(path) as writer:
        for record in records:
            buffer += record
            if len(buffer) >= _PORTION * len(record):
                writer.write(buffer)
                buffer.clear()
        writer.write(buffer)


def _show(connection: Connection[Any], name: str) -> str:
    row = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
    return str(row[0]) if row else ""


def _write_json(path: Path, document: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise EvidenceError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            hint="check free space and permissions of the report folder (--reports DIR)",
        ) from error
