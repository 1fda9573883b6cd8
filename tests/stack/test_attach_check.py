"""`harness attach --check` against real servers: what is right, and what is wrong in which way."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from harness.clock import NS_PER_MS, NS_PER_S, SystemClock
from harness.contract.ledger import LedgerTable
from harness.contract.names import Contract, TaskTable
from harness.observe.final_state_bookings import has_accounts_table, has_stamps
from harness.observe.logical import LogicalWatcher
from harness.stack.attach.check import CheckOutcome, PreflightCheck, exit_code_of
from harness.stack.attach.contract_file import load_attach_file
from harness.stack.attach.preflight import POSTGRES_CHECKS, REDIS_CHECKS, run_preflight
from harness.stack.attach.redis_checks import RIGHTS
from harness.stack.ports import free_port
from harness.stack.process.postgres import PostgresServer
from harness.stack.process.redis import RedisServer
from harness.stack.process.supervisor import Service
from tests.stack.attach_variants import (
    DROP_OTHER,
    LOGICAL,
    LOGINS,
    PUBLICATIONS,
    READ_OTHER,
    READER,
    REPLICATION,
    SENDER,
    STREAMS,
    TABLES,
    WORDS,
    Variant,
    applied,
    changes_of,
    login,
)
from tests.stack.conftest import READY_NS, Postgres, Redis, Servers
from tests.stack.external_system import PASSWORD, ROOT, ExternalSystem

pytestmark = pytest.mark.stack

ALL = (*PUBLICATIONS, *TABLES, *WORDS, *LOGINS, *STREAMS)
SMOKE = ROOT / "examples" / "foreign" / "desk-smoke.toml"


@pytest.fixture(scope="module")
def external(postgres: Postgres, redis_server: Redis) -> ExternalSystem:
    """The desk's servers and users."""
    made = ExternalSystem(postgres, redis_server, "desk")
    made.prepare()
    return made


def furnish(server: Redis) -> None:
    """Streams and user of the desk on another Redis, or in another database of one."""
    with redis.Redis.from_url(server.url) as client:
        client.xgroup_create("desk.orders", "desk-crew", id="0", mkstream=True)
        client.xadd("desk.heights", {"h": 1})
        client.xadd("desk.results", {"ref": "x"})
        rights: Any = ("on", f">{PASSWORD}", "~*", *RIGHTS.split())
        client.execute_command("ACL", "SETUSER", SENDER, *rights)


@pytest.fixture(scope="module")
def external_7(external: ExternalSystem, redis_7: Redis) -> ExternalSystem:
    """The same with a Redis of version 7."""
    furnish(redis_7)
    return replace(external, redis=redis_7)


def checks_of(
    external: ExternalSystem, variant: Variant, folder: Path
) -> dict[str, PreflightCheck]:
    """Every check of the desk as the variant has it."""
    file = load_attach_file(external.contract(folder, changes_of(external, variant)))
    with applied(external, variant):
        checks = run_preflight(file, login(external, variant), None).checks
    assert [check.id for check in checks] == [*REDIS_CHECKS, *POSTGRES_CHECKS]
    return {check.id: check for check in checks}


def assert_found(variant: Variant, external: ExternalSystem, folder: Path) -> None:
    """By the check that is meant for it, with what to do; no other one is a false alarm."""
    checks = checks_of(external, variant, folder)
    wrong = {check.id: check for check in checks.values() if check.is_failed}
    assert {*wrong} == {variant.id, *variant.also}, wrong
    assert all(check.hint for check in wrong.values())
    found = wrong[variant.id]
    assert re.search(variant.said, f"{found.message} {found.hint}"), found
    assert exit_code_of([*checks.values()]) == variant.code
    assert PASSWORD not in repr(checks)


@pytest.mark.parametrize("variant", ALL, ids=[variant.name for variant in ALL])
def test_what_is_wrong_is_found(variant: Variant, external: ExternalSystem, tmp_path: Path) -> None:
    """Each by its own check, with a hint and an exit code."""
    assert_found(variant, external, tmp_path)


@pytest.mark.parametrize("variant", STREAMS, ids=[variant.name for variant in STREAMS])
def test_redis_7_is_no_different(
    variant: Variant, external_7: ExternalSystem, tmp_path: Path
) -> None:
    """Its rights are written in other words."""
    assert_found(variant, external_7, tmp_path)


# ruff: noqa: S608 - statements of constants
RIGHT = (
    Variant("the example", "", ""),
    Variant("the log", "", "", LOGICAL,
            REPLICATION[0] + "CREATE PUBLICATION watch FOR TABLE desk.jobs;",
            "DROP PUBLICATION watch;" + REPLICATION[1]),
    Variant("all tables, with an audit twin", "", "", LOGICAL,
            REPLICATION[0] + "CREATE SCHEMA other; CREATE TABLE other.jobs (LIKE desk.jobs);"
            "CREATE PUBLICATION watch FOR ALL TABLES;",
            "DROP PUBLICATION watch;" + DROP_OTHER + REPLICATION[1]),
    Variant("partitions under the name of their table", "", "",
            {**LOGICAL, "tasks.table": "other.jobs"},
            REPLICATION[0] + 'CREATE SCHEMA other; CREATE TABLE other.jobs (ref text COLLATE "C"'
            " PRIMARY KEY, phase text, seq bigint, touched timestamptz) PARTITION BY RANGE (ref);"
            "CREATE TABLE other.jobs_all PARTITION OF other.jobs DEFAULT; CREATE PUBLICATION watch"
            f" FOR TABLE other.jobs WITH (publish_via_partition_root = true);{READ_OTHER}",
            "DROP PUBLICATION watch;" + DROP_OTHER + REPLICATION[1]),
    Variant("names with capitals, dots, blanks and quotes", "", "",
            {"tasks.table": 'other."Jobs.of "" 2"', "tasks.status": 'Phase "x"'},
            'CREATE SCHEMA other; CREATE TABLE other."Jobs.of "" 2" (ref text,'
            f' "Phase ""x""" text, seq bigint, touched timestamptz);{READ_OTHER}', DROP_OTHER),
    Variant("a table that other tables inherit from, polled", "", "", {"tasks.table": "other.jobs"},
            "CREATE SCHEMA other; CREATE TABLE other.jobs (LIKE desk.jobs);"
            f"CREATE TABLE other.more () INHERITS (other.jobs);{READ_OTHER}", DROP_OTHER),
    Variant("nonces in a view", "", "", {"nonces.table": "other.wallets"},
            f"CREATE SCHEMA other; CREATE VIEW other.wallets AS TABLE desk.wallets;{READ_OTHER}",
            DROP_OTHER),
    Variant("an address with a start of its own", "", "",
            {"addresses": ["W-0001", "W-0099"], "nonce_starts": {"W-0099": 7}}),
    Variant("addresses that begin at a number that is given", "", "",
            {"addresses": ["W-0001", "W-0099"], "nonce_first": 0}),
    Variant("a stream that the load may make", "", "",
            {"streams.proposals": "desk.new", "streams.engine_group": False,
             "streams.create": True}),
    Variant("results that are not there yet", "", "",
            {"seen": {"way": "stream", "stream": "zzz", "format": "fields"}}),
    Variant("SELECT on the columns of the nonce table alone", "", "", {},
            f"REVOKE SELECT ON desk.wallets FROM {READER};"
            f"GRANT SELECT (wallet, last_seq) ON desk.wallets TO {READER};",
            f"REVOKE SELECT (wallet, last_seq) ON desk.wallets FROM {READER};"
            f"GRANT SELECT ON desk.wallets TO {READER};"),
)  # fmt: skip


@pytest.mark.parametrize("variant", RIGHT, ids=[variant.name for variant in RIGHT])
def test_what_is_right_is_left_alone(
    variant: Variant, external: ExternalSystem, tmp_path: Path
) -> None:
    """No check of it is a false alarm."""
    checks = checks_of(external, variant, tmp_path)
    assert not [check for check in checks.values() if check.is_failed]


def test_a_check_makes_no_stream(
    external: ExternalSystem, external_7: ExternalSystem, tmp_path: Path
) -> None:
    """The XADD that asks whether Redis would accept a signal cannot succeed."""
    changes = {"streams.proposals": "desk.new", "streams.engine_group": False}
    for one in (external, external_7):
        for create in (True, False):
            found = checks_of(
                one, Variant("", "", "", {**changes, "streams.create": create}), tmp_path
            )
            assert found["streams.proposals"].is_failed is not create
            assert not found["redis.write"].is_failed
        with redis.Redis.from_url(one.redis.url) as client:
            assert not client.exists("desk.new")


def test_a_table_that_is_locked_is_no_server_that_is_down(
    external: ExternalSystem, tmp_path: Path
) -> None:
    """A check waits ten seconds at most, and says what it waited for."""
    with psycopg.connect(external.owner) as owner:
        owner.execute("LOCK TABLE desk.wallets IN ACCESS EXCLUSIVE MODE")
        found = checks_of(external, Variant("", "", ""), tmp_path)
    wrong = {check.id: check for check in found.values() if check.is_failed}
    assert [*wrong] == ["postgres.queries"]
    assert "statement timeout" in wrong["postgres.queries"].message
    assert wrong["postgres.queries"].exit_code == 5


def test_labels_that_no_state_names_are_listed(external: ExternalSystem, tmp_path: Path) -> None:
    """They lie beyond SIMULATED, so people should see them."""
    sql = (
        "CREATE SCHEMA other; CREATE TYPE other.phase AS ENUM ('QUEUED', 'FILLED', 'OUTDATED',"
        " 'SETTLED', 'CLOSED'); CREATE TABLE other.jobs (ref text, phase other.phase, seq bigint,"
        f" touched timestamptz);{READ_OTHER}"
    )
    variant = Variant("", "", "", {"tasks.table": "other.jobs"}, sql, DROP_OTHER)
    found = checks_of(external, variant, tmp_path)["tasks.states"]
    assert found.outcome is CheckOutcome.OK
    assert found.hint.endswith("no state names them: SETTLED, CLOSED")


def ask(external: ExternalSystem, folder: Path, *options: str, **changes: Any) -> tuple[int, str]:
    """The command, its exit code and output."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "harness", "attach"),
            *("--check", str(external.contract(folder, changes)), *options),
        ],
        env=external.login(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert PASSWORD not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_command_lists_every_check_and_leaves_no_trace(
    external: ExternalSystem, tmp_path: Path
) -> None:
    """No signal, no key, no slot; a list for people, JSON for programs."""
    before, length = external.traces(), orders(external)
    code, output = ask(external, tmp_path, "--scenario", str(SMOKE))
    assert code == 0, output
    assert re.search(r"ok +scenario +desk-smoke can be asked", output)
    assert re.search(r"not applicable +logical.published +seen.way is polling", output)
    assert "0 not ok" in output
    code, output = ask(external, tmp_path, "--as", "json")
    checks = {check["id"]: check for check in json.loads(output)}
    assert {*checks} == {"production", "scenario", *REDIS_CHECKS, *POSTGRES_CHECKS}
    assert checks["tasks.table"] == {
        "id": "tasks.table",
        "outcome": "ok",
        "message": "tasks.table is desk.jobs",
        "hint": "",
        "exit_code": 0,
    }
    assert (external.traces(), orders(external)) == (before, length)


def orders(external: ExternalSystem) -> int:
    """How many orders have ever been sent."""
    with redis.Redis.from_url(external.redis.url) as client:
        facts: Any = client.xinfo_stream("desk.orders")
    return int(facts["length"])


def test_the_exit_code_says_what_is_wrong(external: ExternalSystem, tmp_path: Path) -> None:
    """2 for contract and scenario; 5 if a server is away, whatever else is wrong."""
    code, output = ask(external, tmp_path, **{"tasks.status": "Phase"})
    assert (code, "did you mean phase?" in output) == (2, True)
    code, output = ask(external, tmp_path, "--scenario", str(SMOKE), addresses=["W-0001"])
    assert code == 2
    assert "10 addresses are needed" in " ".join(output.split())
    code, _ = ask(external, tmp_path, **{"tasks.status": "x", "redis.url": "redis://127.0.0.1:1/0"})
    assert code == 5
    code, output = ask(external, tmp_path, "--as", "xml")
    assert (code, "list" in output) == (2, True)


def test_only_addresses_that_sign_need_a_nonce(external: ExternalSystem, tmp_path: Path) -> None:
    """The scenario's ten agents sign with the first ten."""
    known = [f"W-{number:04d}" for number in range(1, 11)]
    code, output = ask(external, tmp_path, "--scenario", str(SMOKE), addresses=[*known, "W-0099"])
    assert code == 0, output
    code, output = ask(external, tmp_path, addresses=[*known, "W-0099"])
    assert code == 2
    assert "desk.wallets has no row for W-0099" in " ".join(output.split())


def test_the_documented_rights_are_enough(external: ExternalSystem, tmp_path: Path) -> None:
    """Those of docs/attach.md, in a database with a number, through a whole run."""
    assert RIGHTS in " ".join((ROOT / "docs" / "attach.md").read_text("utf-8").split())
    other = replace(
        external, redis=replace(external.redis, url=external.redis.url.replace("/0", "/1"))
    )
    furnish(other.redis)
    changes = {"redis.url": f"redis://127.0.0.1:{external.redis.port}/1"}
    code, output = ask(external, tmp_path, **changes)
    assert code == 0, output
    with other.open():
        run = other.attach(
            tmp_path,
            *("--set", "load.stages.0.duration_s=3.0", "--set", 'objectives=["p90 < 2 s"]'),
            changes=changes,
        )
    assert run.result["measurement"]["account"]["simulated"] > 0, run.output
    assert "NOPERM" not in run.output


def test_the_log_is_read_by_relation(external: ExternalSystem) -> None:
    """A table of the same name and columns in another schema is published too, and left out."""
    setup = (
        REPLICATION[0] + "CREATE SCHEMA other; CREATE TABLE other.jobs (LIKE desk.jobs INCLUDING"
        " ALL); CREATE PUBLICATION watch FOR ALL TABLES;"
    )
    variant = Variant(
        "", "", "", {}, setup, "DROP PUBLICATION watch;" + DROP_OTHER + REPLICATION[1]
    )
    contract = Contract(
        publication="watch",
        tasks=TaskTable(table="desk.jobs", trace_id="ref", trace_type="text", status="phase"),
    )
    clock = SystemClock()
    own, others = (f"00000000-0000-8000-8000-00000000000{n}" for n in (1, 2))
    with applied(external, variant), psycopg.connect(external.owner, autocommit=True) as owner:
        watcher = LogicalWatcher(reader(external), contract, "harness_by_relation", clock)
        watcher.open(clock.now_ns() + 10 * NS_PER_S)
        try:
            with psycopg.connect(
                external.postgres.admin_dsn, dbname=external.database, autocommit=True
            ) as admin:
                insert = "INSERT INTO {}.jobs (ref, wallet, phase) VALUES ('{}', 'x', 'FILLED')"
                admin.execute(insert.format("other", others).encode())
                admin.execute(insert.format("desk", own).encode())
            found: list[int] = []
            for _ in range(50):
                found += [version.trace_lo for version in watcher.poll(100 * NS_PER_MS)]
                if found:
                    break
        finally:
            watcher.close()
            owner.execute("DELETE FROM desk.jobs WHERE wallet = 'x'")
    assert [low & 0xF for low in found] == [1]


def reader(external: ExternalSystem) -> str:
    """Conninfo of the login that may read."""
    return psycopg.conninfo.make_conninfo(
        external.postgres.admin_dsn, dbname=external.database, user=READER, password=PASSWORD
    )


def test_names_are_used_as_written_in_the_end_too(external: ExternalSystem) -> None:
    """Capitals beside a lower-case twin: neither is a check switched off nor the twin asked."""
    sql = (
        'CREATE SCHEMA "Other"; CREATE TABLE "Other"."Jobs" (touched timestamptz);'
        'CREATE TABLE "Other"."Accounts" (id text); CREATE SCHEMA other;'
        f"CREATE TABLE other.jobs (touched text); CREATE TABLE other.accounts (id text);"
        f'GRANT USAGE ON SCHEMA "Other", other TO {READER};'
        f'GRANT SELECT ON ALL TABLES IN SCHEMA "Other" TO {READER};'
    )
    contract = Contract(tasks=TaskTable(table="Other.Jobs", updated_at="touched"))
    twin = contract.model_copy(
        update={"tasks": TaskTable(table="other.jobs", updated_at="touched")}
    )
    undo = 'DROP SCHEMA "Other" CASCADE;' + DROP_OTHER
    with (
        applied(external, Variant("", "", "", {}, sql, undo)),
        psycopg.connect(reader(external)) as connection,
    ):
        assert has_stamps(connection, contract)
        assert not has_stamps(connection, twin)
        assert has_accounts_table(connection, LedgerTable(accounts="Other.Accounts"))
        assert not has_accounts_table(connection, LedgerTable(accounts="other.accounts"))


def other_postgres(servers: Servers, name: str, *settings: str) -> PostgresServer:
    """A PostgreSQL with settings of its own, set up."""
    server = PostgresServer(
        servers.folder / name, servers.logs / f"{name}.log", servers.reaper, "harness_observer"
    )
    server.prepare()
    run_postgres(servers, server, name, *settings)
    server.set_up()
    return server


def run_postgres(servers: Servers, server: PostgresServer, name: str, *settings: str) -> None:
    """Start it, and wait until it answers."""
    program = server.program(free_port())
    argv = (*program.argv, *(word for setting in settings for word in ("-c", setting)))
    servers.supervisor.start(Service(replace(program, name=name, argv=argv), server.is_ready))
    servers.supervisor.await_ready(name, READY_NS)


def on(server: PostgresServer, redis_server: Redis) -> ExternalSystem:
    """The desk on this PostgreSQL; not prepared."""
    dsns = (server.admin_dsn, server.owner_dsn, server.observer_dsn)
    return ExternalSystem(Postgres(*dsns, server.port), redis_server, "desk")


def test_a_standby_is_reported(servers: Servers, redis_server: Redis, tmp_path: Path) -> None:
    """It shows what is replayed, and knows no position of what is written."""
    server = other_postgres(servers, "primary")
    on(server, redis_server).prepare()
    servers.supervisor.drop("primary")
    (server._data / "standby.signal").touch()
    run_postgres(servers, server, "standby")
    found = checks_of(on(server, redis_server), Variant("", "", ""), tmp_path)
    servers.supervisor.drop("standby")
    wrong = {check.id: check.hint for check in found.values() if check.is_failed}
    assert wrong == {"postgres.primary": "give the address of the primary"}


def test_a_server_that_lets_in_by_tls_only(
    servers: Servers, redis_server: Redis, tmp_path: Path
) -> None:
    """What its own rules say is not what a server that is down says."""
    server = other_postgres(servers, "strict")
    external = on(server, redis_server)
    external.prepare()
    with psycopg.connect(external.postgres.admin_dsn) as admin:
        row = admin.execute("SHOW hba_file").fetchone()
        assert row is not None
        Path(row[0]).write_text("host all postgres 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
        admin.execute("SELECT pg_reload_conf()")
    found = checks_of(external, Variant("", "", ""), tmp_path)
    servers.supervisor.drop("strict")
    wrong = {check.id: check for check in found.values() if check.is_failed}
    assert [*wrong] == ["postgres.login"]
    assert "no encryption" in wrong["postgres.login"].message
    assert "?sslmode=require" in wrong["postgres.login"].hint


def test_a_server_without_room_for_the_log(
    servers: Servers, redis_server: Redis, tmp_path: Path
) -> None:
    """wal_level, slots and senders, each by its name; and no commit times for a poll."""
    settings = (
        *("wal_level=replica", "max_wal_senders=1", "max_replication_slots=1"),
        "track_commit_timestamp=off",
    )
    external = on(other_postgres(servers, "narrow", *settings), redis_server)
    external.prepare()
    admin_dsn = external.postgres.admin_dsn
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_create_physical_replication_slot('taken')")
    polled = checks_of(external, Variant("", "", ""), tmp_path)
    assert not [check for check in polled.values() if check.is_failed]
    assert "track_commit_timestamp = on" in polled["postgres.commit_times"].hint
    sender = psycopg.pq.PGconn.connect(
        psycopg.conninfo.make_conninfo(admin_dsn, replication="database").encode()
    )
    sql = REPLICATION[0] + "CREATE PUBLICATION watch FOR TABLE desk.jobs;"
    logged = checks_of(external, Variant("", "", "", LOGICAL, sql), tmp_path)
    sender.finish()
    servers.supervisor.drop("narrow")
    wrong = {check.id: check.message for check in logged.values() if check.is_failed}
    assert wrong == {
        "logical.wal_level": "wal_level is replica",
        "logical.slots": "all 1 are in use (max_replication_slots)",
        "logical.senders": "all 1 are in use (max_wal_senders)",
    }


def test_a_node_of_a_cluster_that_does_not_own_the_stream(
    external: ExternalSystem, servers: Servers, tmp_path: Path
) -> None:
    """What XADD would meet is met before: no slot is served, and then one is."""
    server = RedisServer(servers.folder / "node", servers.logs / "node.log")
    server.prepare()
    program = server.program(free_port())
    argv = (*program.argv, "--cluster-enabled", "yes")
    servers.supervisor.start(Service(replace(program, name="node", argv=argv), server.is_ready))
    servers.supervisor.await_ready("node", READY_NS)
    node = Redis(server.url.get_secret_value(), server.port, "")
    rights: Any = ("on", f">{PASSWORD}", "~*", *RIGHTS.split())
    with redis.Redis.from_url(node.url) as client:
        client.execute_command("ACL", "SETUSER", SENDER, *rights)
    checks = checks_of(replace(external, redis=node), Variant("", "", ""), tmp_path)
    wrong = [check for check in checks.values() if check.is_failed]
    assert [check.id for check in wrong] == ["redis.mode", "redis.write"]
    assert "cluster" in wrong[0].hint


def test_a_redis_that_cannot_save(external: ExternalSystem, tmp_path: Path) -> None:
    """A failed snapshot keeps it from taking a signal (MISCONF)."""
    (tmp_path / "dump.rdb").mkdir()  # nothing can be renamed to it
    with redis.Redis.from_url(external.redis.url, decode_responses=True) as client:
        names = ("dir", "save", "dbfilename")
        kept: dict[str, Any] = {name: client.config_get(name)[name] for name in names}
        clock = SystemClock()
        try:
            client.config_set("dir", str(tmp_path))
            client.config_set("dbfilename", "dump.rdb")
            client.config_set("save", "86400 1")
            with pytest.raises(redis.ResponseError):
                client.save()
            client.bgsave()
            for _ in range(100):
                info: Any = client.info("persistence")
                if info["rdb_last_bgsave_status"] == "err":
                    break
                clock.sleep_ns(50 * NS_PER_MS)
            checks = checks_of(external, Variant("", "", ""), tmp_path)
        finally:
            for name, value in kept.items():
                client.config_set(name, value)
            client.bgsave()
            for _ in range(100):
                info = client.info("persistence")
                if info["rdb_last_bgsave_status"] == "ok":
                    break
                clock.sleep_ns(50 * NS_PER_MS)
    wrong = [check for check in checks.values() if check.is_failed]
    assert [check.id for check in wrong] == ["redis.write"], wrong
    assert "could not save" in wrong[0].hint
