"""Tables as the catalogs of PostgreSQL describe them. Read only; found exactly as written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from harness.contract.relation_name import name_parts, quote_relation
from harness.observe.libpq import identifier

_SHOWN_MAX = 1_000
KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}
# As text: a parameter of type name would be cut at 63 bytes without an error.
_RELATION = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text,
 EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid), c.relreplident::text,
 EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisprimary),
 has_schema_privilege(n.oid, 'USAGE'), has_table_privilege(c.oid, 'SELECT'),
 row_security_active(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname::text = %(table)s::text
 AND CASE WHEN %(schema)s::text IS NULL THEN pg_table_is_visible(c.oid)
  ELSE n.nspname::text = %(schema)s::text END
"""
_ALL = (
    "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n"
    " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1, 2 LIMIT %s"
)
# A domain goes back to the type that it is made of.
_COLUMNS = """
WITH RECURSIVE base AS (
 SELECT attnum, atttypid AS oid FROM pg_attribute
 WHERE attrelid = %(oid)s::oid AND attnum > 0 AND NOT attisdropped
 UNION ALL
 SELECT b.attnum, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')
SELECT a.attname::text, a.attnum::int, format_type(a.atttypid, a.atttypmod),
 format_type(t.oid, NULL), t.typcategory::text, a.atttypid <> t.oid,
 has_column_privilege(%(oid)s::oid, a.attnum, 'SELECT'), a.attgenerated <> ''
FROM base b JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
JOIN pg_attribute a ON a.attrelid = %(oid)s::oid AND a.attnum = b.attnum ORDER BY a.attnum
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        number: its place in the catalog.
        type: as SQL writes it.
        base: the type below a domain; the type itself otherwise.
        category: of the base type, as `pg_type.typcategory` has it: N numbers, S texts, ...
        readable: whether the login has SELECT on it.
    """

    name: str
    number: int
    type: str
    base: str
    category: str
    is_domain: bool
    readable: bool
    is_generated: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, a view or what else can be read like one.

    Attributes:
        kind: as `pg_class.relkind` has it.
        persistence: `p` permanent, `u` unlogged, `t` temporary.
        has_children: whether partitions or other tables inherit from it.
        identity: as `pg_class.relreplident` has it.
        row_security: whether a policy hides rows from the login.
    """

    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    has_children: bool
    identity: str
    has_key: bool
    schema_usable: bool
    readable: bool
    row_security: bool
    columns: Mapping[str, Column]

    @property
    def quoted(self) -> str:
        """As SQL quotes it."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    @property
    def text(self) -> str:
        """As a contract writes it."""
        return quote_relation(self.schema, self.name)


def find_relation(connection: Connection[Any], name: str) -> Relation | None:
    """The table of exactly this name, on the search path if it names no schema.

    Raises:
        psycopg.Error: the server does not answer.
    """
    *schema, table = name_parts(name)
    wanted = {"schema": schema[0] if schema else None, "table": table}
    row = connection.execute(_RELATION.encode(), wanted).fetchone()
    if row is None:
        return None
    rows = connection.execute(_COLUMNS.encode(), {"oid": row[0]}).fetchall()
    columns = {values[0]: Column(*values) for values in rows}
    return Relation(*(*row, columns))


def all_relations(connection: Connection[Any]) -> tuple[str, ...]:
    """Names of the tables that there are, as a contract writes them."""
    rows = connection.execute(_ALL.encode(), (_SHOWN_MAX,)).fetchall()
    return tuple(quote_relation(schema, table) for schema, table in rows)
