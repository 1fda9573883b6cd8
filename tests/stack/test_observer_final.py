"""What a run left behind, read from real servers."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harness.contract import trace_id
from harness.contract.address import address_text
from harness.contract.names import Contract, LedgerTable, State
from harness.errors import StackError
from harness.evidence.records import BOOKING, LEDGER, STAMP, TASK, read_records
from harness.observe.final_state import write_final_state
from tests.stack.conftest import Postgres, Redis
from zone_b.migrate import migrate

pytestmark = pytest.mark.stack

DATABASE = "final"
CONTRACT = Contract(prefix="final:")
TAG = 0x0123456789AB
TASK_ROW = (
    "INSERT INTO trade_tasks (id, strategy_id, trace_id, status, nonce)"
    " VALUES (gen_random_uuid(), 's', %s, %s, %s)"
)
ENTRY_ROW = "INSERT INTO ledger_entries VALUES (%s, %s, %s, %s, 5, %s)"
TRANSACTIONS = tuple(f"00000000-0000-0000-0000-00000000000{n}" for n in range(3))


@pytest.fixture(scope="module")
def observer_dsn(postgres: Postgres) -> str:
    """A database in which one run, and another one, left their rows."""
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER defi").format(sql.Identifier(DATABASE))
        )
    owner = make_conninfo(postgres.owner_dsn, dbname=DATABASE)
    migrate(owner)
    with psycopg.connect(owner) as connection:
        # As a system without these rules may have left it.
        connection.execute("ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_check")
        for tag in (TAG, TAG + 1):
            good, twice, rejected = (trace_id.text(*trace_id.pack(tag, 1, n)) for n in range(3))
            connection.execute(TASK_ROW, (good, "SIMULATED", 0))
            connection.execute(TASK_ROW, (twice, "SIMULATED", 1))
            connection.execute(TASK_ROW, (rejected, "STALE_DATA_ERROR", None))
            for kind in ("TRADE", "GAS_FEE", "PROTOCOL_FEE"):
                connection.execute(ENTRY_ROW, (TRANSACTIONS[0], good, 1, 2, kind))
            for transaction in TRANSACTIONS[1:]:
                connection.execute(ENTRY_ROW, (transaction, twice, 7, 7, "TRADE"))
            connection.execute(
                "INSERT INTO nonce_locks (address, chain_id, nonce) VALUES (%s, 1, 2)",
                (address_text(tag, 1),),
            )
        # Accounts 1 and 2; there is no 7.
        connection.execute(
            "INSERT INTO accounts (kind, chain_id) VALUES ('wallet', 1), ('pool', 1)"
        )
        connection.execute(
            "UPDATE trade_tasks SET updated_at = '2026-01-02 03:04:05.678901+00'"
            " WHERE status = 'SIMULATED'"
        )
        connection.execute(
            "UPDATE trade_tasks SET updated_at = 'infinity' WHERE status <> 'SIMULATED'"
        )
    with psycopg.connect(postgres.admin_dsn, dbname=DATABASE) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO harness_observer")
    return make_conninfo(postgres.observer_dsn, dbname=DATABASE)


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """A Redis with three signals, two of them delivered and one acknowledged."""
    key, group = CONTRACT.key(CONTRACT.streams.proposals), CONTRACT.streams.engine_group
    with redis.Redis.from_url(redis_server.url) as client:
        client.delete(key)
        client.xgroup_create(key, group, id="0", mkstream=True)
        first, *_ = [client.xadd(key, {"data": b"x"}) for _ in range(3)]
        client.xreadgroup(group, "c", {key: ">"}, count=2)
        client.xack(key, group, first)
    return redis_server.url


def test_final_state_of_the_run_and_of_no_other(
    observer_dsn: str, redis_url: str, tmp_path: Path
) -> None:
    """Tasks, ledger, nonces and stream of this run come out as they were left."""
    write_final_state(observer_dsn, redis_url, CONTRACT, TAG, tmp_path)

    tasks, _ = read_records(tmp_path / "final-tasks.bin", TASK)
    by_index = {int(row["trace_lo"]) & 0xFF: row for row in tasks}
    assert {int(high) >> 16 for high in tasks["trace_hi"]} == {TAG}
    assert {index: int(row["nonce"]) for index, row in by_index.items()} == {0: 0, 1: 1, 2: -1}
    assert by_index[2]["state"] == State.STALE_DATA_ERROR

    ledger, _ = read_records(tmp_path / "final-ledger.bin", LEDGER)
    columns = ("trades", "gas_fees", "protocol_fees", "transactions", "broken")
    found = {int(row["trace_lo"]) & 0xFF: tuple(int(row[c]) for c in columns) for row in ledger}
    assert found == {0: (1, 1, 1, 1, 0), 1: (2, 0, 0, 2, 2)}

    final = json.loads((tmp_path / "final.json").read_text())
    assert final["postgres"]["statuses"] == {"SIMULATED": 2, "STALE_DATA_ERROR": 1}
    assert final["postgres"]["nonces"] == [
        {"address": address_text(TAG, 1), "chain_id": 1, "nonce": 2}
    ]
    assert final["postgres"]["server_version"].startswith("16")
    proposals = final["redis"]["proposals"]
    assert proposals["length"] == final["redis"]["lengths"][CONTRACT.streams.proposals] == 3
    assert proposals["engine_group"]["pending"] == 1
    assert proposals["engine_group"]["lag"] == (1 if final["redis"]["version"] >= "7" else None)


def test_what_was_booked_and_when_rows_say_that_they_changed(
    observer_dsn: str, redis_url: str, tmp_path: Path
) -> None:
    """One amount a signal, and accounts that are looked up; a stamp that tells no time is none."""
    write_final_state(observer_dsn, redis_url, CONTRACT, TAG, tmp_path)

    columns = ("trade_wei", "unbalanced", "strangers")
    bookings, _ = read_records(tmp_path / "final-bookings.bin", BOOKING)
    found = {int(row["trace_lo"]) & 0xFF: tuple(int(row[c]) for c in columns) for row in bookings}
    # Two TRADE entries are not one; what an account that is not there gets, it gives as well.
    assert found == {0: (5, 0, 0), 1: (-2, 0, 2)}
    assert {int(high) >> 16 for high in bookings["trace_hi"]} == {TAG}

    stamps, _ = read_records(tmp_path / "final-stamps.bin", STAMP)
    assert {int(low) & 0xFF for low in stamps["trace_lo"]} == {0, 1}
    assert set(stamps["updated_us"].tolist()) == {1_767_323_045_678_901}

    final = json.loads((tmp_path / "final.json").read_text())["postgres"]
    assert final["stamped"] is True
    assert final["ledger"] == {"accounts_known": True, "debits": "15", "credits": "15"}


@pytest.mark.parametrize(
    ("amount", "trade_wei"), [("9223372036854775807", 2**63 - 1), ("9223372036854775808", -1)]
)
def test_amounts_beyond_64_bits_are_reported_as_such(
    amount: str, trade_wei: int, observer_dsn: str, postgres: Postgres, tmp_path: Path
) -> None:
    """The server's numbers have no end, and those of the evidence do; sums stay exact."""
    tag = TAG + 2 + (trade_wei < 0)
    with psycopg.connect(make_conninfo(postgres.owner_dsn, dbname=DATABASE)) as connection:
        trace = trace_id.text(*trace_id.pack(tag, 1, 0))
        connection.execute(
            "INSERT INTO ledger_entries VALUES (%s, %s, 1, 7, %s, 'TRADE')",
            (TRANSACTIONS[0], trace, amount),
        )
    write_final_state(observer_dsn, None, CONTRACT, tag, tmp_path)
    bookings, _ = read_records(tmp_path / "final-bookings.bin", BOOKING)
    row = bookings[0]
    # Nobody gave it: account 7 is not there.
    assert [int(row[c]) for c in ("trade_wei", "unbalanced", "strangers")] == [trade_wei, 1, 1]
    final = json.loads((tmp_path / "final.json").read_text())["postgres"]
    assert final["ledger"] == {"accounts_known": True, "debits": amount, "credits": "0"}


def test_rows_of_others_are_counted_where_nobody_else_should_be(
    observer_dsn: str, tmp_path: Path
) -> None:
    """Whatever bears another run's trace id, in both tables; left alone unless asked for."""
    write_final_state(observer_dsn, None, CONTRACT, TAG + 1, tmp_path, alone=True)
    found = json.loads((tmp_path / "final.json").read_text())["postgres"]["strangers"]
    good, twice, rejected = (trace_id.text(*trace_id.pack(TAG, 1, n)) for n in range(3))
    # Other tests of this module book for runs of their own.
    assert found["tasks"] == 3
    assert found["ledger"] >= 5
    assert {good, twice, rejected} <= set(found["traces"])
    other = tmp_path / "other"
    other.mkdir()
    write_final_state(observer_dsn, None, CONTRACT, TAG, other)
    assert "strangers" not in json.loads((other / "final.json").read_text())["postgres"]


def test_unreadable_table_is_reported_and_what_was_read_stays(
    observer_dsn: str, redis_url: str, tmp_path: Path
) -> None:
    """A table that is not there is an error with a hint, and final.json says what is missing."""
    contract = Contract(ledger=LedgerTable(table="nowhere"))
    with pytest.raises(StackError, match=r"(?s)nowhere.*hint: .*SELECT"):
        write_final_state(observer_dsn, redis_url, contract, TAG, tmp_path)
    final = json.loads((tmp_path / "final.json").read_text())
    assert final["unread"].keys() == {"ledger", "bookings"}
    assert 'relation "nowhere" does not exist' in final["unread"]["ledger"]
    assert final["postgres"]["statuses"] == {"SIMULATED": 2, "STALE_DATA_ERROR": 1}
    assert not (tmp_path / "final-ledger.bin").exists()
    assert (tmp_path / "final-tasks.bin").exists()
    assert len(read_records(tmp_path / "final-tasks.bin", TASK)[0]) == 3
