"""Tables as others make them: types, encodings, ORMs, archives, ids of another form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harness.clock import NS_PER_MS, NS_PER_S, SystemClock
from harness.contract import trace_id
from harness.contract.ledger import LedgerTable
from harness.contract.names import Contract, State, TaskTable
from harness.errors import StackError
from harness.evidence.records import BOOKING, LEDGER, STAMP, TASK, read_records
from harness.observe.connection import connect
from harness.observe.decoder import RowVersion
from harness.observe.final_state import write_final_state
from harness.observe.logical import LogicalWatcher
from harness.observe.polling import PollingWatcher
from harness.observe.report_check import ReportCheck
from harness.observe.rows import RunRows
from harness.observe.watcher import Watcher
from tests.stack.conftest import Postgres

pytestmark = pytest.mark.stack

CLOCK = SystemClock()
TAG = 0x0123456789AB
IDS = [trace_id.pack(TAG, 1, number) for number in range(6)]
TRACES = [trace_id.text(*ids) for ids in IDS]
STATES = {"QUEUED": State.INIT, "ERFÜLLT": State.SIMULATED, "AUS": State.BEYOND}
READER = "harness_observer"

Make = Callable[..., str]


@pytest.fixture(scope="module")
def made(postgres: Postgres) -> dict[str, str]:
    """Databases made so far."""
    del postgres
    return {}


@pytest.fixture
def make(postgres: Postgres, made: dict[str, str]) -> Make:
    """Makes a database of an encoding with a table of a form; the owner's conninfo."""

    def build(name: str, *statements: str, encoding: str = "UTF8") -> str:
        with psycopg.connect(postgres.admin_dsn, autocommit=True) as admin:
            admin.execute(
                sql.SQL(
                    "CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0 OWNER defi"
                ).format(sql.Identifier(name), sql.Literal(encoding))
            )
        with psycopg.connect(postgres.admin_dsn, dbname=name, client_encoding="UTF8") as admin:
            for statement in statements:
                admin.execute(statement.encode())
            admin.execute("CREATE PUBLICATION harness_watch FOR TABLE jobs")
            admin.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO harness_observer")
        made[name] = make_conninfo(postgres.admin_dsn, dbname=name)
        return made[name]

    return build


def fill(owner: str, table: str, *rows: tuple[Any, ...]) -> None:
    """Rows of a table."""
    places = sql.SQL(", ").join([sql.Placeholder()] * len(rows[0]))
    query = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), places)
    with connect(owner, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.executemany(query, rows)


def reader(postgres: Postgres, name: str) -> str:
    """Conninfo of the read-only role in a database."""
    return make_conninfo(postgres.observer_dsn, dbname=name)


def contract_of(tasks: TaskTable | None = None, **more: Any) -> Contract:
    """A contract of a table `jobs`."""
    tasks = tasks or TaskTable(
        table="jobs", trace_id="ref", status="phase", nonce=None, updated_at=None
    )
    names = {"tasks": tasks, "states": STATES, "ledger": None, "nonces": None, **more}
    return Contract().model_copy(update=names)


def watchers(postgres: Postgres, name: str, contract: Contract) -> list[Watcher]:
    """Both ways of reading what was committed."""
    dsn = reader(postgres, name)
    return [
        LogicalWatcher(dsn, contract, f"harness_{name}", CLOCK),
        PollingWatcher(dsn, contract, TAG, CLOCK),
    ]


def seen_of(watcher: Watcher, wanted: int, *, limit_s: float = 5.0) -> list[RowVersion]:
    """What a watcher takes until it has so many row versions, and a little after that."""
    found: list[RowVersion] = []
    deadline_ns = CLOCK.now_ns() + round(limit_s * NS_PER_S)
    while CLOCK.now_ns() < deadline_ns and len(found) < wanted:
        found += watcher.poll(20 * NS_PER_MS)
    for _ in range(3):
        found += watcher.poll(20 * NS_PER_MS)
    return found


TYPES = {
    "char": ("char(12)", ""),
    "varchar": ("varchar(12)", ""),
    "domain": ("phases", "CREATE DOMAIN phases AS varchar(12)"),
    "chardomain": ("phases", "CREATE DOMAIN phases AS char(12)"),
    "enum": ("phases", "CREATE TYPE phases AS ENUM ('QUEUED', 'ERFÜLLT', 'AUS')"),
    "latin": ("text", ""),
    "ascii": ("text", ""),
}
ENCODINGS = {"latin": "LATIN1", "ascii": "SQL_ASCII"}


@pytest.mark.parametrize("kind", TYPES)
def test_statuses_are_read_as_sql_does(kind: str, make: Make, postgres: Postgres) -> None:
    """Whatever type the column is of, and the database is encoded in."""
    status, more = TYPES[kind]
    owner = make(
        kind,
        more or "SELECT 1",
        "CREATE DOMAIN refs AS uuid",
        f"CREATE TABLE jobs (ref refs PRIMARY KEY, phase {status})",
        encoding=ENCODINGS.get(kind, "UTF8"),
    )
    for number, watcher in enumerate(watchers(postgres, kind, contract_of())):
        watcher.open(CLOCK.now_ns() + 10 * NS_PER_S)
        try:
            with connect(owner, autocommit=True) as writer:
                writer.execute("INSERT INTO jobs VALUES (%s, 'ERFÜLLT')", (TRACES[number],))
            found = seen_of(watcher, 1)
        finally:
            watcher.close()
        assert [(one.trace_hi, one.trace_lo) for one in found] == [IDS[number]]
        assert [contract_of().state(one.status) for one in found] == [State.SIMULATED]
        assert watcher.unreadable == 0


def test_an_orm_writes_a_row_many_times_in_one_transaction(make: Make, postgres: Postgres) -> None:
    """The log tells each state once for each transaction."""
    owner = make("orm", "CREATE TABLE jobs (ref uuid PRIMARY KEY, phase text, n int)")
    watcher, _ = watchers(postgres, "orm", contract_of())
    watcher.open(CLOCK.now_ns() + 10 * NS_PER_S)
    try:
        with psycopg.connect(owner, autocommit=True) as writer:
            with writer.transaction():
                writer.execute("INSERT INTO jobs VALUES (%s, 'QUEUED', 0)", (TRACES[0],))
                for n in range(3):
                    writer.execute("UPDATE jobs SET n = %s", (n,))
            with writer.transaction():
                for n in range(3):
                    writer.execute("UPDATE jobs SET phase = 'ERFÜLLT', n = %s", (n,))
            writer.execute("UPDATE jobs SET n = 9")
        found = seen_of(watcher, 3)
    finally:
        watcher.close()
    assert [one.status for one in found] == ["QUEUED", "ERFÜLLT", "ERFÜLLT"]
    assert found[1].xid != found[2].xid


def test_a_slot_that_is_still_held_is_left_alone(make: Make, postgres: Postgres) -> None:
    """After a cut connection the watch goes on with a slot of another name."""
    owner = make("held", "CREATE TABLE jobs (ref uuid PRIMARY KEY, phase text)")
    watcher, _ = watchers(postgres, "held", contract_of())
    assert isinstance(watcher, LogicalWatcher)
    watcher.open(CLOCK.now_ns() + 10 * NS_PER_S)
    held = watcher._connection  # the server does not know yet that this side is gone
    watcher._connection = None
    try:
        watcher.open(CLOCK.now_ns() + 10 * NS_PER_S)
        with psycopg.connect(owner, autocommit=True) as writer:
            writer.execute("INSERT INTO jobs VALUES (%s, 'QUEUED')", (TRACES[0],))
        assert len(seen_of(watcher, 1)) == 1
    finally:
        watcher.close()
        assert held is not None
        held.finish()


FORMS = TaskTable(
    table="jobs",
    archive="old_jobs",
    trace_id="ref",
    trace_type="text",
    trace_prefix="ord-",
    trace_case="upper",
    status="phase",
    nonce="seq",
    updated_at="touched",
)
JOBS = 'ref text COLLATE "C", phase text, seq numeric, touched timestamptz DEFAULT now()'


def test_ids_of_another_form_and_rows_that_were_moved(
    make: Make, postgres: Postgres, tmp_path: Path
) -> None:
    """Both are read; what is no id of ours is left alone, and odd values break nothing."""
    odd = f"ord-{TRACES[5].upper()[:-3]}zzz"
    written = [FORMS.format_id(trace) for trace in TRACES]
    owner = make(
        "forms",
        f"CREATE TABLE jobs ({JOBS})",
        f"CREATE TABLE old_jobs ({JOBS})",
    )
    today = "2026-01-02 03:04:05+00"
    fill(
        owner,
        "jobs",
        (written[0], "ERFÜLLT", "7", today),
        (written[1], "ERFÜLLT", "NaN", today),
        (odd, "ERFÜLLT", "1", today),
        (TRACES[2], "QUEUED", "1", today),
        (written[3], None, None, "4713-01-01 BC"),
        (written[4], "SONST", "1e30", "infinity"),
    )
    fill(
        owner,
        "old_jobs",
        (written[2], "AUS", "8", "294276-12-31 23:59:59+00"),
        (written[0], "ERFÜLLT", "7", today),
    )
    contract = contract_of(FORMS)
    write_final_state(reader(postgres, "forms"), None, contract, TAG, tmp_path)
    tasks, _ = read_records(tmp_path / "final-tasks.bin", TASK)
    found = {int(row["trace_lo"]) & 0xFF: (row["state"], int(row["nonce"])) for row in tasks}
    assert len(tasks) == len(found) == 5
    assert found == {
        0: (State.SIMULATED, 7),
        1: (State.SIMULATED, -1),
        2: (State.BEYOND, 8),
        3: (State.OTHER, -1),
        4: (State.OTHER, -1),
    }
    final = json.loads((tmp_path / "final.json").read_text())
    assert final["unread"] == {}
    assert final["postgres"]["statuses"] == {"": 1, "AUS": 1, "ERFÜLLT": 2, "SONST": 1}
    stamps, _ = read_records(tmp_path / "final-stamps.bin", STAMP)
    assert {int(low) & 0xFF for low in stamps["trace_lo"]} == {0, 1, 2, 3}
    poll = PollingWatcher(reader(postgres, "forms"), contract, TAG, CLOCK)
    poll._deduplicator = None
    poll.open(CLOCK.now_ns() + 10 * NS_PER_S)
    poll.close()


def test_a_doubled_row_stays_doubled_when_it_is_moved(
    make: Make, postgres: Postgres, tmp_path: Path
) -> None:
    """A row that stands in both tables is one on its way; two in one table are two."""
    owner = make("doubled", f"CREATE TABLE jobs ({JOBS})", f"CREATE TABLE old_jobs ({JOBS})")
    once, twice = (
        (FORMS.format_id(trace), "ERFÜLLT", "7", "2026-01-02 03:04:05+00") for trace in TRACES[:2]
    )
    fill(owner, "jobs", once, twice, twice)
    fill(owner, "old_jobs", once, twice, twice)
    write_final_state(reader(postgres, "doubled"), None, contract_of(FORMS), TAG, tmp_path)
    tasks, _ = read_records(tmp_path / "final-tasks.bin", TASK)
    assert sorted(int(low) & 0xFF for low in tasks["trace_lo"]) == [0, 1, 1]


def test_bookings_in_another_unit_that_add_up(
    make: Make, postgres: Postgres, tmp_path: Path
) -> None:
    """Two fills of 0.25 and 0.5 are 75 x 10^16; an amount that is no number is a broken row."""
    owner = make(
        "units",
        "CREATE TABLE jobs (ref uuid PRIMARY KEY, phase text)",
        "CREATE TABLE books (ref uuid, tx uuid, debit int, credit int, amount numeric, kind text)",
    )
    amounts = ((0, "0.25"), (0, "0.5"), (1, "NaN"), (2, "Infinity"))
    fill(
        owner,
        "books",
        *((TRACES[at], TRACES[n + 2], 1, 2, size, "FILL") for n, (at, size) in enumerate(amounts)),
    )
    names: dict[str, Any] = {
        "table": "books",
        "internal_tx_id": "tx",
        "trace_id": "ref",
        "debit_account_id": "debit",
        "credit_account_id": "credit",
        "entry_type": "kind",
        "entry_types": {"TRADE": "FILL"},
        "accounts": None,
    }
    ledger = LedgerTable(**names, entries="many", decimals=18)
    contract = contract_of(ledger=ledger)
    write_final_state(reader(postgres, "units"), None, contract, TAG, tmp_path)
    assert json.loads((tmp_path / "final.json").read_text())["unread"] == {}
    bookings, _ = read_records(tmp_path / "final-bookings.bin", BOOKING)
    booked = {int(row["trace_lo"]) & 0xFF: int(row["trade_wei"]) for row in bookings}
    assert booked == {0: 75 * 10**16, 1: -1, 2: -1}
    books, _ = read_records(tmp_path / "final-ledger.bin", LEDGER)
    broken = {int(row["trace_lo"]) & 0xFF: int(row["broken"]) for row in books}
    assert broken == {0: 0, 1: 1, 2: 0}


def test_one_odd_value_leaves_the_rest_to_be_read(
    make: Make, postgres: Postgres, tmp_path: Path
) -> None:
    """A view that casts, say: its part is named with what the server said."""
    owner = make(
        "views",
        "CREATE TABLE jobs (ref uuid PRIMARY KEY, phase text)",
        "CREATE TABLE raw (ref text, amount numeric)",
        "CREATE VIEW books AS SELECT ref::uuid, 1 AS debit, 2 AS credit, amount, 'T' AS kind"
        " FROM raw",
    )
    fill(owner, "jobs", (TRACES[0], "ERFÜLLT"))
    fill(owner, "raw", (TRACES[0], 1), ("no uuid", 2))
    ledger = LedgerTable(
        table="books",
        internal_tx_id=None,
        trace_id="ref",
        debit_account_id="debit",
        credit_account_id="credit",
        entry_type="kind",
        entry_types={"TRADE": "T"},
        accounts=None,
    )
    with pytest.raises(StackError, match='invalid input syntax for type uuid: "no uuid"'):
        write_final_state(
            reader(postgres, "views"), None, contract_of(ledger=ledger), TAG, tmp_path
        )
    final = json.loads((tmp_path / "final.json").read_text())
    assert final["unread"].keys() == {"ledger", "bookings"}
    assert final["postgres"]["statuses"] == {"ERFÜLLT": 1}
    assert not (tmp_path / "final-ledger.bin").exists()


def test_a_poll_reads_its_own_rows_by_the_index(make: Make, postgres: Postgres) -> None:
    """No pattern is held against each of them, and nobody else's rows are read."""
    owner = make(
        "index",
        'CREATE TABLE jobs (ref text COLLATE "C" PRIMARY KEY, phase text)',
        "INSERT INTO jobs SELECT gen_random_uuid()::text, 'QUEUED' FROM generate_series(1, 20000)",
    )
    tasks = TaskTable(
        table="jobs", trace_id="ref", trace_type="text", status="phase", nonce=None, updated_at=None
    )
    own = [(trace_id.text(*trace_id.pack(TAG, 1, number)), "QUEUED") for number in range(500)]
    fill(owner, "jobs", *own)
    with psycopg.connect(owner, autocommit=True) as writer:
        writer.execute("ANALYZE jobs")
        rows = RunRows(contract_of(tasks), TAG, commit_times=True)
        low, high = tasks.run_range(TAG)
        explain = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}").format(rows._query)
        plan = writer.execute(explain, (low, high, None, None)).fetchone()
        assert plan is not None
        nodes = [node for node in _nodes(plan[0][0]["Plan"]) if node.get("Relation Name") == "jobs"]
        assert [node["Node Type"] for node in nodes] in (["Index Scan"], ["Bitmap Heap Scan"])
        assert nodes[0]["Actual Rows"] == 500
        assert nodes[0].get("Rows Removed by Filter", 0) == 0
        # Of some two hundred pages: those of the run's own rows, and of the index above them.
        assert nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"] < 30
        assert "~" not in json.dumps(nodes)


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes, all of them."""
    return [plan, *(node for part in plan.get("Plans", ()) for node in _nodes(part))]


def test_a_word_that_comes_before_its_commit(make: Make, postgres: Postgres) -> None:
    """It is held against the table at once, and until the row shows the state."""
    owner = make(
        "words",
        "CREATE TABLE jobs (ref uuid PRIMARY KEY, phase text)",
    )
    fill(owner, "jobs", *((trace, "QUEUED") for trace in TRACES[:2]))
    check = ReportCheck(reader(postgres, "words"), contract_of(), CLOCK)
    try:
        with psycopg.connect(owner) as writer:
            writer.execute("UPDATE jobs SET phase = 'ERFÜLLT' WHERE ref = %s", (TRACES[0],))
            reported_ns = CLOCK.now_ns()
            check.check([RowVersion(*IDS[0], "ERFÜLLT", 0, 0, 1)], reported_ns)
            check.check([], CLOCK.now_ns())
        check.check([], CLOCK.now_ns())
        facts = check.facts()
        assert (facts["words_checked"], facts["words_early"]) == (1, 1)
        assert 0 < facts["words_early_max_ns"] <= CLOCK.now_ns() - reported_ns
        with psycopg.connect(owner) as writer:
            writer.execute("UPDATE jobs SET phase = 'ERFÜLLT' WHERE ref = %s", (TRACES[1],))
        late_ns = CLOCK.now_ns() + NS_PER_S
        check.check([RowVersion(*IDS[1], "ERFÜLLT", 0, 0, 2)], late_ns)
        assert check.facts()["words_checked"] == 2
        assert check.facts()["words_early"] == 1
    finally:
        check.close()
