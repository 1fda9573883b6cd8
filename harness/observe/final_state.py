"""The final state of the system, read after the drain.

Writes `final-tasks.bin`, `final-ledger.bin`, `final.json`, `final-heads.bin` and the files of
`final_state_bookings`; only rows of the run's own range of trace ids and addresses are read. What
cannot be read is named with its reason (`unread`), and so are tables of which the login may not see
all rows (`filtered`): a row that could not be read is not missing.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import Connection, sql

from harness.clock import NS_PER_S
from harness.contract.ledger import Ledger
from harness.contract.names import Contract, NonceTable, TaskTable
from harness.errors import EvidenceError, StackError, error_text
from harness.evidence.records import HEAD, RecordWriter
from harness.observe.connection import connect
from harness.observe.final_state_bookings import (
    BOOKINGS_FILE,
    STAMPS_FILE,
    BookingTotals,
    bookings_query,
    has_accounts_table,
    has_stamps,
    pack_bookings,
    pack_stamps,
    stamps_query,
)
from harness.observe.final_state_records import (
    SnapshotReader,
    pack_ledger,
    pack_tasks,
    stream,
    write_records,
)
from harness.observe.ledger_rows import ledger_query
from harness.observe.redis_facts import read_redis_facts
from harness.observe.rows import (
    hides_rows,
    is_own_row,
    limit_query_time,
    table_name,
    task_rows,
    whole_number,
)
from harness.observe.status_normalizer import read_status_normalizer
from harness.redis_connection import key_client

TASKS_FILE = "final-tasks.bin"
LEDGER_FILE = "final-ledger.bin"
FINAL_FILE = "final.json"
HEADS_FILE = "final-heads.bin"
# The key in `unread` of a server that could not be asked at all.
POSTGRES = "postgres"
QUERY_LIMIT_NS = 60 * NS_PER_S
# Agents own 4097 addresses at most, each on few chains.
_NONCES_MAX = 50_000
_UNATTRIBUTED_EXAMPLES_MAX = 20
_HEADS_BATCH = 1_000
# Events of a day at four a second; a stream is trimmed far below that.
_HEADS_MAX = 400_000
_HEAD_RECORD = struct.Struct("<qII")
_BLOCK_MAX = 0xFFFF_FFFF

if _HEAD_RECORD.size != HEAD.itemsize:
    raise AssertionError("heads are packed in another layout than they are read")


def write_final_state(
    observer_dsn: str,
    redis_url: str | None,
    contract: Contract,
    run_tag: int,
    folder: Path,
    *,
    alone: bool = False,
    earlier_tags: Sequence[int] = (),
    heads: bool = False,
) -> None:
    """Read and write everything.

    Args:
        observer_dsn: conninfo of the read-only role.
        redis_url: URL with password; None leaves Redis out.
        contract: names of tables, columns and streams.
        run_tag: run whose rows are read.
        folder: the run's folder.
        alone: whether the database was made for the harness: then unattributed rows are counted.
        earlier_tags: runs before it in the same database, whose rows are known.
        heads: whether to read the events of the chain.

    Raises:
        StackError: a server does not answer, or not in time; what could be read is written.
        EvidenceError: the files cannot be written.
    """
    unread: dict[str, str] = {}
    document: dict[str, Any] = {"schema": 1, "postgres": None, "redis": None, "unread": unread}
    try:
        try:
            document["postgres"] = _read_postgres(
                observer_dsn,
                contract,
                run_tag,
                folder,
                unread,
                known_tags={run_tag, *earlier_tags} if alone else None,
            )
        except psycopg.Error as error:
            unread[POSTGRES] = error_text(error, with_type=False)
        if redis_url is not None:
            document["redis"] = read_redis_facts(redis_url, contract)
            if heads:
                write_heads(redis_url, contract, folder / HEADS_FILE)
    finally:
        _write_json(folder / FINAL_FILE, document)
    if unread:
        reasons = "; ".join(f"{part}: {why}" for part, why in unread.items())
        raise StackError(
            f"the final state cannot be read: {reasons}",
            where="postgres",
            hint="the observer's role needs SELECT on the tables that the contract names, until"
            " the run is over",
        )


def _read_postgres(
    dsn: str,
    contract: Contract,
    run_tag: int,
    folder: Path,
    unread: dict[str, str],
    *,
    known_tags: Collection[int] | None,
) -> dict[str, Any]:
    with connect(dsn, application_name="harness_final") as connection:
        # One snapshot of all tables, so that their rows can be compared.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        limit_query_time(connection, QUERY_LIMIT_NS)
        facts = {name: _show(connection, name) for name in _FACTS}

        read = SnapshotReader(connection, unread).read
        statuses = read("tasks", _read_tasks, connection, contract, run_tag, folder)
        more: dict[str, Any] = {}
        if (ledger := contract.ledger) is not None:
            read("ledger", _read_ledger, connection, ledger, run_tag, folder)
            more["ledger"] = read("bookings", _read_bookings, connection, ledger, run_tag, folder)
        nonces = read("nonces", read_nonces, connection, contract, run_tag)
        more["stamped"] = read("stamps", _read_stamps, connection, contract, run_tag, folder)
        if known_tags is not None:
            more["strangers"] = read(
                "strangers", read_unattributed, connection, contract, known_tags
            )
        filtered = read("row security", _filtered, connection, contract)
    return {
        **facts,
        **more,
        "statuses": statuses,
        "nonces": nonces and nonces[:_NONCES_MAX],
        "nonces_truncated": len(nonces or ()) > _NONCES_MAX,
        "filtered": filtered,
    }


def _read_tasks(
    connection: Connection[Any], contract: Contract, run_tag: int, folder: Path
) -> dict[str, int]:
    """Rows by status."""
    statuses: Counter[str] = Counter()
    rows = stream(connection, *tasks_query(contract, run_tag))
    spell = read_status_normalizer(connection, contract)
    write_records(folder / TASKS_FILE, pack_tasks(rows, contract, statuses, spell))
    return dict(sorted(statuses.items()))


def _read_ledger(connection: Connection[Any], ledger: Ledger, run_tag: int, folder: Path) -> None:
    rows = stream(connection, *ledger_query(ledger, run_tag))
    write_records(folder / LEDGER_FILE, pack_ledger(rows, ledger))


def _read_bookings(
    connection: Connection[Any], ledger: Ledger, run_tag: int, folder: Path
) -> dict[str, Any]:
    accounts, totals = has_accounts_table(connection, ledger), BookingTotals()
    query = bookings_query(ledger, run_tag, accounts=accounts)
    records = pack_bookings(stream(connection, *query), ledger, totals)
    write_records(folder / BOOKINGS_FILE, records)
    return {"accounts_known": accounts, **totals.facts()}


def _read_stamps(
    connection: Connection[Any], contract: Contract, run_tag: int, folder: Path
) -> bool:
    stamped = has_stamps(connection, contract)
    stamps: Iterable[bytes] = ()
    if stamped:
        stamps = pack_stamps(stream(connection, *stamps_query(contract, run_tag)), contract.tasks)
    write_records(folder / STAMPS_FILE, stamps)
    return stamped


def _filtered(connection: Connection[Any], contract: Contract) -> dict[str, str]:
    """The tables, by part, of which row-level security may hide rows from this login."""
    tasks, nonces, ledger = contract.tasks, contract.nonces, contract.ledger
    tables = (
        ("tasks", tasks.table),
        ("tasks", tasks.archive),
        ("nonces", nonces.table if nonces else None),
        ("ledger", ledger.table if ledger else None),
    )
    return {
        part: table for part, table in tables if table is not None and hides_rows(connection, table)
    }


def read_unattributed(
    connection: Connection[Any], contract: Contract, run_tags: Collection[int]
) -> dict[str, Any]:
    """Rows of tasks and ledger with a trace id of no signal of these runs: counts, and some ids.

    It reads whole tables, so it is for databases that the harness made. Rows without a trace id
    do not count.
    """
    tables: dict[str, TaskTable | Ledger] = {"tasks": contract.tasks}
    if contract.ledger is not None:
        tables["ledger"] = contract.ledger
    counts, traces = {}, list[str]()
    for name, table in tables.items():
        # Each of the first ids has the count of all rows next to it.
        query = sql.SQL(
            "SELECT {trace}::text, count(*) OVER () FROM {table}"
            " WHERE ({own}) IS FALSE ORDER BY 1 LIMIT {most}"
        ).format(
            trace=sql.Identifier(table.trace_id),
            table=table_name(table.table),
            own=sql.SQL(" OR ").join([is_own_row(table, table.trace_id)] * len(run_tags)),
            most=sql.Literal(_UNATTRIBUTED_EXAMPLES_MAX),
        )
        ranges = [bound for run_tag in run_tags for bound in table.run_range(run_tag)]
        rows = connection.execute(query, ranges).fetchall()
        counts[name] = int(rows[0][1]) if rows else 0
        traces += [str(trace) for trace, _ in rows]
    return {**counts, "traces": list(dict.fromkeys(traces))[:_UNATTRIBUTED_EXAMPLES_MAX]}


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
    columns = {
        "trace": sql.Identifier(tasks.trace_id),
        "status": sql.Identifier(tasks.status),
        "nonce": whole_number(tasks.nonce),
    }
    # A row that is being moved may be in both tables, and counts once; two in one table are two.
    query = sql.SQL(
        "SELECT trace, status, nonce FROM (SELECT DISTINCT trace::text, status::text, nonce,"
        " row_number() OVER (PARTITION BY origin, trace, status, nonce) FROM {rows} WHERE {own})"
        " tasks"
        if tasks.archive
        else "SELECT trace::text, status::text, nonce FROM {rows} WHERE {own}"
    ).format(
        rows=task_rows(tasks, columns),
        own=is_own_row(tasks, "trace"),
    )
    return query, tasks.run_range(run_tag)


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


def write_heads(url: str, contract: Contract, path: Path) -> None:
    """Write every chain event that the stream still holds; empty where the contract has no stream.

    The ids are Redis's own, as those of the signals are, so that both can be compared without a
    clock between them.

    Raises:
        StackError: Redis does not answer.
        EvidenceError: the file cannot be written.
    """
    key = contract.key(contract.streams.chain_events or "")
    try:
        with closing(key_client(url, key)) as client, RecordWriter(path) as writer:
            for records in _head_records(client, contract):
                writer.write(records)
    except (redis.RedisError, OSError) as error:
        raise StackError(f"the chain events cannot be read: {error}", where="redis") from error


def _head_records(client: redis.Redis, contract: Contract) -> Iterator[bytes]:
    """HEAD records, a batch at a time; events without a block are left out."""
    stream_name = contract.streams.chain_events
    if stream_name is None:
        return
    block_of = contract.chain.reader(contract.streams.field)
    after = "-"
    for _ in range(_HEADS_MAX // _HEADS_BATCH):
        found: Any = client.xrange(contract.key(stream_name), after, "+", _HEADS_BATCH)
        if not found:
            return
        buffer = bytearray()
        for entry, fields in found:
            try:
                block = block_of(fields)
            except (ValueError, TypeError):
                continue
            if 0 <= block <= _BLOCK_MAX:
                redis_ms, _, redis_seq = entry.decode().partition("-")
                buffer += _HEAD_RECORD.pack(int(redis_ms), int(redis_seq), block)
        yield bytes(buffer)
        after = f"({found[-1][0].decode()}"


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
