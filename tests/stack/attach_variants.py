"""Ways in which a contract and the system behind it do not fit each other, and what is said."""

# ruff: noqa: S608 - statements of constants of this file

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
import redis

from tests.stack.external_system import PASSWORD, ExternalSystem

READER, SENDER = "desk_reader", "desk_sender"
LOGICAL: dict[str, Any] = {"seen": {"way": "logical", "allow_slot": True}, "publication": "watch"}
REPLICATION = (f"ALTER ROLE {READER} REPLICATION;", f"ALTER ROLE {READER} NOREPLICATION;")
OTHER = "other"
JOBS = 'ref text COLLATE "C" PRIMARY KEY, phase text, seq bigint, touched timestamptz'
TWIN = f"CREATE SCHEMA other; CREATE TABLE other.jobs ({JOBS});"
READ_OTHER = (
    f"GRANT USAGE ON SCHEMA other TO {READER}; GRANT SELECT ON ALL TABLES IN SCHEMA other"
    f" TO {READER};"
)
DROP_OTHER = "DROP SCHEMA other CASCADE;"


class Variant(NamedTuple):
    """One thing that is not as it should be.

    Attributes:
        name: for people.
        id: the check that finds it.
        said: regular expression of its message and hint.
        changes: of the example's contract.
        sql: what a superuser does to the database before.
        undo: and afterwards.
        redis: commands before.
        redis_undo: and afterwards.
        code: what a run ends with.
        env: variables with another value.
        also: other checks that must find it too.
    """

    name: str
    id: str
    said: str
    changes: Mapping[str, Any] = {}
    sql: str = ""
    undo: str = ""
    redis: tuple[tuple[Any, ...], ...] = ()
    redis_undo: tuple[tuple[Any, ...], ...] = ()
    code: int = 2
    env: Mapping[str, str] = {}
    also: tuple[str, ...] = ()


def published(name: str, said: str, sql: str, undo: str = "", **more: Any) -> Variant:
    """A variant of what a publication has."""
    changes = {**LOGICAL, **more.pop("changes", {})}
    return Variant(
        name,
        more.pop("id", "logical.published"),
        said,
        changes,
        REPLICATION[0] + sql,
        f"DROP PUBLICATION IF EXISTS watch;{undo}{REPLICATION[1]}",
        **more,
    )


def tasks_in_other(sql: str, name: str, check: str, said: str, **more: Any) -> Variant:
    """A variant whose tasks are in a table `other.jobs` of its own."""
    changes = {"tasks.table": "other.jobs", **more.pop("changes", {})}
    return Variant(
        name, check, said, changes, f"CREATE SCHEMA other;{sql};{READ_OTHER}", DROP_OTHER, **more
    )


# A variant reads best in as few lines as it needs.
# fmt: off
PUBLICATIONS = (
    published("no publication", "no publication watch; there are none.*CREATE PUBLICATION \"watch\""
              ' FOR TABLE "desk"."jobs"', "", id="logical.publication"),
    published("misspelt publication", "no publication watch; there are Watch2.*mean Watch2",
              'CREATE PUBLICATION "Watch2" FOR TABLE desk.jobs;', 'DROP PUBLICATION "Watch2";',
              id="logical.publication"),
    published("the same name in another schema",
              'not publish desk.jobs; it publishes other.jobs.*own: CREATE PUB.*"desk"."jobs" W',
              TWIN + "CREATE PUBLICATION watch FOR TABLE other.jobs;", DROP_OTHER),
    published("inserts only", "does not publish update.*\\(publish = 'insert, update'\\)",
              "CREATE PUBLICATION watch FOR TABLE desk.jobs WITH (publish = 'insert');"),
    published("updates only", "does not publish insert",
              "CREATE PUBLICATION watch FOR TABLE desk.jobs WITH (publish = 'update');"),
    published("a row filter", "publishes only rows of desk.jobs with .*ref.*count as lost",
              "CREATE PUBLICATION watch FOR TABLE desk.jobs WHERE (ref > '5');"),
    published("a row filter that names the status",
              "phase is not in the replica identity.*cannot update table.*remove the filter",
              "CREATE PUBLICATION watch FOR TABLE desk.jobs WHERE (phase = 'FILLED');"),
    published("a column list", "leaves out column phase \\(tasks.status\\)",
              "CREATE PUBLICATION watch FOR TABLE desk.jobs (ref, seq);"),
    published("no replica identity", "no replica identity.*REPLICA IDENTITY FULL",
              "ALTER TABLE desk.jobs REPLICA IDENTITY NOTHING;"
              "CREATE PUBLICATION watch FOR TABLE desk.jobs;",
              "ALTER TABLE desk.jobs REPLICA IDENTITY DEFAULT;"),
    published("partitions under their own names",
              'under their own names.*update., publish_via_partition_root = true\\)',
              f"CREATE SCHEMA other; CREATE TABLE other.jobs ({JOBS}) PARTITION BY RANGE (ref);"
              "CREATE TABLE other.jobs_all PARTITION OF other.jobs DEFAULT;"
              f"CREATE PUBLICATION watch FOR TABLE other.jobs;{READ_OTHER}", DROP_OTHER,
              changes={"tasks.table": "other.jobs"}),
    published("inherited tables", "other tables inherit from other.jobs.*polling",
              f"{TWIN}CREATE TABLE other.more () INHERITS (other.jobs);"
              f"CREATE PUBLICATION watch FOR TABLE other.jobs;{READ_OTHER}", DROP_OTHER,
              changes={"tasks.table": "other.jobs"}, id="tasks.kind"),
    published("an unlogged table", "unlogged table is in no log.*SET LOGGED",
              f"CREATE SCHEMA other; CREATE UNLOGGED TABLE other.jobs ({JOBS});{READ_OTHER}",
              DROP_OTHER, changes={"tasks.table": "other.jobs"}, id="tasks.kind"),
    published("a generated status", "phase is a generated column",
              'CREATE SCHEMA other; CREATE TABLE other.jobs (ref text COLLATE "C" PRIMARY KEY,'
              " seq bigint, touched timestamptz, phase text GENERATED ALWAYS AS"
              " (CASE WHEN seq IS NULL THEN 'QUEUED' ELSE 'FILLED' END) STORED);"
              f"CREATE PUBLICATION watch FOR TABLE other.jobs;{READ_OTHER}", DROP_OTHER,
              changes={"tasks.table": "other.jobs"}),
    Variant("a login without REPLICATION", "logical.role", f"{READER} is NOREPLICATION.*ALTER ROLE",
            LOGICAL, "CREATE PUBLICATION watch FOR TABLE desk.jobs;", "DROP PUBLICATION watch;"),
)
TABLES = (
    Variant("a view", "tasks.kind", "other.jobs is a view, whose rows have no version",
            {"tasks.table": "other.jobs"},
            f"CREATE SCHEMA other; CREATE VIEW other.jobs AS TABLE desk.jobs;{READ_OTHER}",
            DROP_OTHER),
    Variant("a materialized view", "tasks.kind", "is a materialized view",
            {"tasks.table": "other.jobs"},
            f"CREATE SCHEMA other; CREATE MATERIALIZED VIEW other.jobs AS TABLE desk.jobs;"
            f"{READ_OTHER}", DROP_OTHER),
    Variant("a foreign table", "tasks.kind", "is a foreign table", {"tasks.table": "other.jobs"},
            "CREATE SCHEMA other; CREATE FOREIGN DATA WRAPPER nowhere;"
            "CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere; CREATE FOREIGN TABLE other.jobs"
            f" (ref text, phase text, seq bigint, touched timestamptz) SERVER nowhere;{READ_OTHER}",
            DROP_OTHER + "DROP FOREIGN DATA WRAPPER nowhere CASCADE;"),
    Variant("capitals beside a lower-case twin", "tasks.columns",
            "table other.Jobs has no column touched; it has ref, phase, seq",
            {"tasks.table": "other.Jobs"},
            f'{TWIN} CREATE TABLE other."Jobs" (ref text, phase text, seq bigint);{READ_OTHER}',
            DROP_OTHER),
    Variant("a table in lower case only", "tasks.table",
            "there is no table desk.Jobs.*did you mean desk.jobs", {"tasks.table": "desk.Jobs"}),
    Variant("a column in other capitals", "tasks.columns",
            "has no column Phase; it has .*did you mean phase", {"tasks.status": "Phase"}),
    Variant("a dot in a name without quotes", "tasks.table", 'did you mean other."a.jobs"',
            {"tasks.table": "other.a"},
            f'CREATE SCHEMA other; CREATE TABLE other."a.jobs" ({JOBS});{READ_OTHER}', DROP_OTHER),
    Variant("a name of more than 63 bytes", "tasks.table", f"did you mean other.{'j' * 63}\\?",
            {"tasks.table": f"other.{'j' * 66}"},
            f"CREATE SCHEMA other; CREATE TABLE other.{'j' * 63} ({JOBS});{READ_OTHER}",
            DROP_OTHER),
    Variant("a misspelt table of accounts", "accounts.table",
            "ledger.accounts: there is no table desk.acounts.*did you mean desk.accounts",
            {"ledger": {
                "table": "desk.postings", "internal_tx_id": "batch", "trace_id": "ref",
                "trace_type": "text", "debit_account_id": "account", "credit_account_id": "account",
                "entry_type": "what", "entry_types": {"TRADE": "FILL", "PROTOCOL_FEE": "VENUE"},
                "accounts": "desk.acounts"}},
            f"CREATE TABLE desk.accounts (id text); GRANT SELECT ON desk.accounts TO {READER};",
            "DROP TABLE desk.accounts;"),
    tasks_in_other('CREATE TABLE other.jobs (ref text, phase text, seq bigint, touched timestamp)',
                   "a stamp without time zone", "tasks.types",
                   "touched is of type timestamp without time zone, which identifies no instant"),
    tasks_in_other('CREATE TABLE other.jobs (ref text, phase text, seq text, touched timestamptz);'
                   "INSERT INTO other.jobs VALUES ('x', 'FILLED', '0x1f', now())",
                   "a nonce of text that is no number", "tasks.types",
                   "seq is of type text and holds '0x1f', which is no whole number"),
    Variant("amounts of text", "ledger.types", "amount: column account is of type text; sums",
            {"ledger.amount": "account"}),
    Variant("amounts of floating point", "ledger.types", "size is of type double precision",
            {"ledger.amount": "size"}, "ALTER TABLE desk.postings ADD size double precision;",
            "ALTER TABLE desk.postings DROP size;"),
    Variant("no SELECT on one column", "tasks.rights",
            'no SELECT on desk.jobs \\(touched\\).*GRANT SELECT ON "desk"."jobs"', {},
            f"REVOKE SELECT ON desk.jobs FROM {READER};"
            f"GRANT SELECT (ref, wallet, phase, seq) ON desk.jobs TO {READER};",
            f"REVOKE SELECT (ref, wallet, phase, seq) ON desk.jobs FROM {READER};"
            f"GRANT SELECT ON desk.jobs TO {READER};"),
    Variant("no SELECT at all", "nonces.rights", "may not read desk.wallets.*GRANT SELECT", {},
            f"REVOKE SELECT ON desk.wallets FROM {READER};",
            f"GRANT SELECT ON desk.wallets TO {READER};"),
    Variant("no USAGE of the schema", "tasks.rights", 'GRANT USAGE ON SCHEMA "desk" TO', {},
            f"REVOKE USAGE ON SCHEMA desk FROM {READER};",
            f"GRANT USAGE ON SCHEMA desk TO {READER};", also=("nonces.rights", "ledger.rights")),
    Variant("row-level security", "tasks.rows", "row-level security is in force on desk.jobs", {},
            "ALTER TABLE desk.jobs ENABLE ROW LEVEL SECURITY;",
            "ALTER TABLE desk.jobs DISABLE ROW LEVEL SECURITY;"),
)
_ENUM = (
    "CREATE TYPE other.phase AS ENUM ('QUEUED', 'FILLED', 'OUTDATED', 'SETTLED');"
    "CREATE TABLE other.jobs (ref text, phase other.phase, seq bigint, touched timestamptz)"
)
_CHECKED = (
    "CREATE TABLE other.jobs (ref text, phase text CHECK (phase IN ('QUEUED', 'FILLED',"
    " 'OUTDATED')), seq bigint, touched timestamptz)"
)
_DOMAIN = (
    "CREATE DOMAIN other.phase AS text CHECK (VALUE IN ('QUEUED', 'FILLED', 'OUTDATED'));"
    "CREATE TABLE other.jobs (ref text, phase other.phase, seq bigint, touched timestamptz)"
)
_REFERRED = (
    "CREATE TABLE other.phases (phase text PRIMARY KEY);"
    "INSERT INTO other.phases VALUES ('QUEUED'), ('FILLED'), ('OUTDATED');"
    "CREATE TABLE other.jobs (ref text, phase text REFERENCES other.phases, seq bigint,"
    " touched timestamptz)"
)
_MISSPELT = {"states": {"QUEUED": "INIT", "FILED": "SIMULATED", "OUTDATED": "STALE_DATA_ERROR"}}
_FOUND = "'FILED'; it accepts QUEUED, FILLED, OUTDATED.*did you mean FILLED"
WORDS = (
    tasks_in_other(_ENUM, "a word that an enum does not know", "tasks.states", _FOUND,
                   changes=_MISSPELT),
    tasks_in_other(_CHECKED, "a word that a CHECK does not admit", "tasks.states", _FOUND,
                   changes=_MISSPELT),
    tasks_in_other(_DOMAIN, "a word that a domain does not admit", "tasks.states", _FOUND,
                   changes=_MISSPELT),
    tasks_in_other(_REFERRED, "a word that a table of words lacks", "tasks.states",
                   "'FILED'; it accepts FILLED, OUTDATED, QUEUED.*did you mean FILLED",
                   changes=_MISSPELT),
    tasks_in_other("CREATE TABLE other.jobs (ref text, phase int, seq bigint, touched timestamptz)",
                   "words for a column of numbers", "tasks.states",
                   "cannot hold 'QUEUED', 'FILLED', 'OUT"),
    Variant("a word in other capitals", "tasks.states", "rows have 'FILLED', not 'Filled'",
            {"states": {"QUEUED": "INIT", "Filled": "SIMULATED"}},
            "INSERT INTO desk.jobs (ref, wallet, phase) VALUES ('x', 'W-0001', 'FILLED');",
            "DELETE FROM desk.jobs WHERE ref = 'x';"),
    Variant("a wrong word for a side", "ledger.words",
            "no row has 'DB' in column dc; it has CR, DR",
            {"ledger.debit": "DB"},
            "INSERT INTO desk.postings (batch, ref, account, dc, amount, what) VALUES"
            " (gen_random_uuid(), 'x', 'a', 'DR', 1, 'FILL'),"
            " (gen_random_uuid(), 'x', 'a', 'CR', 1, 'VENUE');", "DELETE FROM desk.postings;"),
    Variant("a wrong word for a kind of entry", "ledger.words",
            "no row has 'FILLS' in column what; it has FILL, VENUE.*did you mean FILL",
            {"ledger.entry_types": {"TRADE": "FILLS", "PROTOCOL_FEE": "VENUE"}},
            "INSERT INTO desk.postings (batch, ref, account, dc, amount, what) VALUES"
            " (gen_random_uuid(), 'x', 'a', 'DR', 1, 'FILL'),"
            " (gen_random_uuid(), 'x', 'a', 'CR', 1, 'VENUE');", "DELETE FROM desk.postings;"),
    Variant("a side that the column is too short for", "ledger.words", "dc cannot hold 'DEBIT'",
            {"ledger.debit": "DEBIT"}),
    Variant("addresses that the nonce table does not know", "nonces.addresses",
            "desk.wallets has no row for W-1, W-0099.*did you mean W-00",
            {"addresses": ["W-0001", "W-1", "W-0099"]}),
    Variant("several chains and one asked for", "nonces.addresses", "has several rows for W-0001",
            {"nonces.table": "other.wallets"},
            "CREATE SCHEMA other; CREATE TABLE other.wallets AS TABLE desk.wallets;"
            f"INSERT INTO other.wallets TABLE desk.wallets;{READ_OTHER}", DROP_OTHER),
    Variant("own addresses that the column cannot hold", "nonces.addresses", "cannot hold an addr",
            {"addresses": []}, "ALTER TABLE desk.wallets ALTER wallet TYPE varchar(20);",
            "ALTER TABLE desk.wallets ALTER wallet TYPE text;"),
)
LOGINS = (
    Variant("a wrong password", "postgres.login", "password authentication failed.*wrong user or",
            env={"DESK_POSTGRES_PASSWORD": "wrong"}),
    Variant("a role that is NOLOGIN", "postgres.login", "not permitted to log in.*NOLOGIN",
            sql=f"ALTER ROLE {READER} NOLOGIN;", undo=f"ALTER ROLE {READER} LOGIN;"),
    Variant("a database that does not exist", "postgres.login",
            'database "desk2" does not exist.*did you mean desk', {"postgres.database": "desk2"}),
    Variant("no right to connect", "postgres.login", "permission denied for database.*GRANT CONN",
            sql="REVOKE CONNECT ON DATABASE desk FROM PUBLIC;",
            undo="GRANT CONNECT ON DATABASE desk TO PUBLIC;"),
    Variant("TLS that the server has not", "postgres.login", "does not support SSL.*sslmode",
            {"postgres.query": "?sslmode=require"}),
    Variant("a connection limit that is used up", "postgres.connections",
            "too many connections for role", sql=f"ALTER ROLE {READER} CONNECTION LIMIT 0;",
            undo=f"ALTER ROLE {READER} CONNECTION LIMIT -1;", code=5),
    Variant("a connection limit that is too low", "postgres.connections",
            "a run needs 5 connections; 0 of 2 are in use",
            sql=f"ALTER ROLE {READER} CONNECTION LIMIT 2;",
            undo=f"ALTER ROLE {READER} CONNECTION LIMIT -1;", code=5),
    Variant("nothing at the address", "postgres.reachable", "Connection refused.*is it up",
            {"postgres.url": "postgresql://127.0.0.1:1/desk"}, code=5),
    Variant("a variable that is not set", "postgres.login", "DESK_NOWHERE not set",
            {"postgres.password_env": "DESK_NOWHERE"}),
    Variant("a wrong password of Redis", "redis.login", "user_env and password_env",
            env={"DESK_REDIS_PASSWORD": "wrong"}),
    Variant("no Redis at the address", "redis.reachable", "is it up",
            {"redis.url": "redis://127.0.0.1:1/0"}, code=5),
    Variant("a database of Redis that there is not", "redis.database", "DB index is out of range",
            {"redis.database": "99"}),
)
_SETUSER = ("ACL", "SETUSER", SENDER)
STREAMS = (
    Variant("a login without XADD", "redis.rights", "may not run XADD desk.orders.*\\+xadd",
            redis=((*_SETUSER, "-xadd"),), redis_undo=((*_SETUSER, "+xadd"),)),
    Variant("a login without SELECT", "redis.rights", "select.*\\+select", {"redis.database": "1"},
            redis=((*_SETUSER, "-select"),), redis_undo=((*_SETUSER, "+select"),)),
    Variant("a login without INFO", "redis.rights", "info.*\\+info",
            redis=((*_SETUSER, "-info"),), redis_undo=((*_SETUSER, "+info"),)),
    Variant("a login without XPENDING and TIME", "redis.rights", "may not run TIME, .*XPENDING",
            redis=((*_SETUSER, "-xpending", "-time"),),
            redis_undo=((*_SETUSER, "+xpending", "+time"),)),
    Variant("a login that may not see one key", "redis.rights", "XREVRANGE desk.heights",
            redis=((*_SETUSER, "resetkeys", "~desk.orders"),), redis_undo=((*_SETUSER, "~*"),)),
    Variant("memory that is full", "redis.write", "would refuse a signal.*maxmemory or make room",
            redis=(("CONFIG", "SET", "maxmemory", "1000"),),
            redis_undo=(("CONFIG", "SET", "maxmemory", "0"),), code=5),
    Variant("too few replicas", "redis.write", "would refuse a signal.*min-replicas-to-write",
            redis=(("CONFIG", "SET", "min-replicas-to-write", "1"),),
            redis_undo=(("CONFIG", "SET", "min-replicas-to-write", "0"),), code=5),
    Variant("a replica", "redis.mode", "this is a replica of 127.0.0.1:1",
            redis=(("REPLICAOF", "127.0.0.1", "1"),), redis_undo=(("REPLICAOF", "NO", "ONE"),)),
    Variant("a stream that is not there, without a group", "streams.proposals",
            "no stream desk.order, and the load would create it.*did you mean desk.orders",
            {"streams.proposals": "desk.order", "streams.engine_group": False}),
    Variant("another database of Redis", "streams.proposals", "no stream desk.orders, and the load",
            {"redis.database": "3", "streams.engine_group": False},
            also=("streams.chain_events",)),
    Variant("a key of another type", "streams.proposals", "desk.text is a string, not a stream",
            {"streams.proposals": "desk.text"}, redis=(("SET", "desk.text", "1"),),
            redis_undo=(("DEL", "desk.text"),)),
    Variant("another field than the system's", "streams.field",
            "entries of desk.orders have msg, and signals would have message",
            {"streams.field": "message"}, redis=(("XADD", "desk.orders", "*", "msg", "{}"),),
            redis_undo=(("XTRIM", "desk.orders", "MAXLEN", "0"),)),
    Variant("a group that is not there", "streams.engine_group",
            "has no group desk-cew; it has desk-crew.*did you mean desk-crew",
            {"streams.engine_group": "desk-cew"}),
    Variant("chain events that are not there", "streams.chain_events",
            "no stream desk.height.*did you mean desk.heights",
            {"streams.chain_events": "desk.height"}),
    Variant("another field of the block", "streams.chain_events",
            "has no block at height; its fields are h",
            {"chain.block": "height"}),
    Variant("a misspelt stream of results", "seen.stream", "did you mean desk.results",
            {"seen": {"way": "stream", "stream": "desk.result", "format": "fields"}}),
    Variant("results without the trace id", "seen.stream",
            "no trace id at order; its fields are ref",
            {"seen": {"way": "stream", "stream": "desk.results", "format": "fields",
                      "trace_id": "order"}}),
)


# fmt: on
@contextmanager
def applied(external: ExternalSystem, variant: Variant) -> Iterator[None]:
    """The servers as the variant has them."""
    with (
        psycopg.connect(
            external.postgres.admin_dsn, dbname=external.database, autocommit=True
        ) as admin,
        redis.Redis.from_url(external.redis.url) as client,
    ):
        try:
            for command in variant.redis:
                client.execute_command(*command)
            if variant.sql:
                admin.execute(variant.sql.encode())
            yield
        finally:
            if variant.undo:
                admin.execute(variant.undo.encode())
            for command in variant.redis_undo:
                client.execute_command(*command)


def login(external: ExternalSystem, variant: Variant) -> dict[str, str]:
    """The environment of the run."""
    assert variant.env.get("DESK_REDIS_PASSWORD") != PASSWORD
    return {**external.login(), **variant.env}


def changes_of(external: ExternalSystem, variant: Variant) -> dict[str, Any]:
    """With the addresses of these servers put in."""
    changes = dict(variant.changes)
    base = f"127.0.0.1:{external.postgres.port}"
    if "postgres.database" in changes:
        changes["postgres.url"] = f"postgresql://{base}/{changes.pop('postgres.database')}"
    if "postgres.query" in changes:
        changes["postgres.url"] = f"postgresql://{base}/desk{changes.pop('postgres.query')}"
    if "redis.database" in changes:
        url = f"redis://127.0.0.1:{external.redis.port}/{changes.pop('redis.database')}"
        changes["redis.url"] = url
    return changes
