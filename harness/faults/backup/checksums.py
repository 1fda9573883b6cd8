"""What a database holds, as numbers that two of them can be compared by."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from harness.evidence.backup_log import TableChecksum

STATEMENT_MAX_S = 30
# A row's text depends on these; both databases are asked with the same ones.
_SETTINGS = (
    "SET timezone = 'UTC'",
    "SET datestyle = 'ISO, YMD'",
    "SET intervalstyle = 'iso_8601'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
    f"SET statement_timeout = '{STATEMENT_MAX_S}s'",
)
_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY 1, 2
"""
# A sum does not mind the order, and counts a row that is there twice twice.
_SUM = """
SELECT count(*),
       coalesce(sum(('x' || substr(md5((whole.*)::text), 1, 16))::bit(64)::bigint::numeric), 0)
  FROM ONLY {table} AS whole
"""
_APPLICATION = "harness_backup"


def open_session(conninfo: str) -> psycopg.Connection[Any]:
    """A session in which rows have the same text as in every other; in autocommit.

    Errors of psycopg pass through.
    """
    session = psycopg.connect(conninfo, autocommit=True, application_name=_APPLICATION)
    try:
        for setting in _SETTINGS:
            session.execute(setting.encode())
    except psycopg.Error:
        session.close()
        raise
    return session


def table_sums(session: psycopg.Connection[Any]) -> dict[str, TableChecksum]:
    """Every table of the database, within the transaction that the session is in.

    Sequences are left out: they count outside of transactions, so that no snapshot has a value.
    """
    return {
        f"{schema}.{name}": _sum_of(session, sql.Identifier(schema, name))
        for schema, name in session.execute(_TABLES.encode()).fetchall()
    }


def _sum_of(session: psycopg.Connection[Any], table: sql.Identifier) -> TableChecksum:
    row: Any = session.execute(sql.SQL(_SUM).format(table=table)).fetchone()
    return TableChecksum(rows=int(row[0]), digest=str(row[1]))
