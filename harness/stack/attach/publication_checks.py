"""Whether the log will report the changes of the rows of signals: `seen.way = "logical"`.

By relation and by what is really published; a table of the same name in another schema, a row
filter or a column list would otherwise be found out only when signals count as lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import dict_row

from harness.contract.names import Contract
from harness.contract.observation import ObservationMethod
from harness.contract.relation_name import quote_relation
from harness.observe.libpq import identifier
from harness.stack.attach.check import PreflightCheck, Problem, check_from, not_applicable, suggest
from harness.stack.attach.relations import Relation

_SHOWN_MAX = 20
SERVER_CHECKS = ("logical.wal_level", "logical.role", "logical.slots", "logical.senders")
TABLE_CHECKS = ("logical.publication", "logical.published")
# Amazon RDS gives the right by membership (its manual, "PostgreSQL logical replication").
_SERVER = """
SELECT current_setting('wal_level') AS wal_level, current_user::text AS login,
 (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user)
  OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication'
   AND pg_has_role(current_user, oid, 'MEMBER')) AS replication,
 current_setting('max_replication_slots')::int AS slots,
 (SELECT count(*) FROM pg_replication_slots) AS slots_used,
 current_setting('max_wal_senders')::int AS senders,
 (SELECT count(*) FROM pg_stat_replication) AS senders_used
"""
_PUBLICATIONS = "SELECT pubname::text FROM pg_publication ORDER BY 1"


class Published(NamedTuple):
    """A publication, and what it has of the table.

    Attributes:
        tables: all of its tables, as a contract writes them.
        row: of the table in `pg_publication_tables`; None if it is not published.
    """

    name: str
    inserts: bool
    updates: bool
    via_root: bool
    tables: tuple[str, ...]
    row: Mapping[str, Any] | None


def server_checks(connection: Connection[Any], contract: Contract) -> list[PreflightCheck]:
    """What the server and the login need.

    Raises:
        psycopg.Error: the server does not answer.
    """
    if contract.seen.way is not ObservationMethod.LOGICAL:
        reason = f"seen.way is {contract.seen.way}"
        return [not_applicable(check_id, reason) for check_id in SERVER_CHECKS]
    with connection.cursor(row_factory=dict_row) as cursor:
        facts = cursor.execute(_SERVER.encode()).fetchone() or {}
    level, login = facts["wal_level"], facts["login"]
    problems: dict[str, list[Problem]] = {check_id: [] for check_id in SERVER_CHECKS}
    polling = "or choose seen.way = 'polling'"
    if level != "logical":
        problems["logical.wal_level"].append(
            Problem(f"wal_level is {level}", f"set wal_level = logical and restart, {polling}")
        )
    if not facts["replication"]:
        problems["logical.role"].append(
            Problem(
                f"the login {login} is NOREPLICATION",
                f"ALTER ROLE {identifier(login)} REPLICATION, {polling}",
            )
        )
    fine = {"logical.wal_level": f"wal_level is {level}", "logical.role": f"{login} may replicate"}
    for check_id, what, setting in (
        ("logical.slots", "slots", "max_replication_slots"),
        ("logical.senders", "senders", "max_wal_senders"),
    ):
        used, most = facts[f"{what}_used"], facts[what]
        fine[check_id] = f"{used} of {most} in use ({setting})"
        if used >= most:
            problems[check_id].append(
                Problem(
                    f"all {most} are in use ({setting})",
                    f"raise {setting}, drop what is not needed, {polling}",
                )
            )
    return [check_from(check_id, problems[check_id], fine[check_id]) for check_id in SERVER_CHECKS]


def publication_checks(
    connection: Connection[Any], contract: Contract, tasks: Relation | None
) -> list[PreflightCheck]:
    """What the publication has of the task table.

    Args:
        connection: to the server.
        contract: names of publication, table and columns.
        tasks: the table; None if another check of it is not ok.

    Raises:
        psycopg.Error: the server does not answer.
    """
    if contract.seen.way is not ObservationMethod.LOGICAL:
        reason = f"seen.way is {contract.seen.way}"
        return [not_applicable(check_id, reason) for check_id in TABLE_CHECKS]
    if tasks is None:
        return [not_applicable(check_id, "a check of tasks is not ok") for check_id in TABLE_CHECKS]
    there = [name for (name,) in connection.execute(_PUBLICATIONS).fetchall()]
    name = contract.publication
    found = _published(connection, name, tasks)
    if found is None:
        shown = ", ".join(there[:_SHOWN_MAX]) or "none"
        problem = Problem(
            f"there is no publication {name}; there are {shown}",
            suggest(name, there) or _create(name, tasks),
        )
        return [
            check_from("logical.publication", [problem], ""),
            not_applicable("logical.published", "the publication was not found"),
        ]
    return [
        check_from("logical.publication", [], f"there is a publication {name}"),
        check_from(
            "logical.published",
            published_problems(found, tasks, contract),
            f"{name} publishes inserts and updates of {tasks.text}, trace id and status included",
        ),
    ]


def _create(name: str, tasks: Relation) -> str:
    root = ", publish_via_partition_root = true" if tasks.kind == "p" else ""
    return (
        f"CREATE PUBLICATION {identifier(name)} FOR TABLE {tasks.quoted}"
        f" WITH (publish = 'insert, update'{root})"
    )


def _own(found: Published, tasks: Relation) -> str:
    """A second one: others may rely on a publication that is there."""
    name = "harness_watch" if found.name != "harness_watch" else "harness_watch_2"
    return f"make one of its own: {_create(name, tasks)}"


def published_problems(found: Published, tasks: Relation, contract: Contract) -> Iterator[Problem]:
    """What the log would not report; pure."""
    own = _own(found, tasks)
    if found.row is None:
        yield _not_published(found, tasks)
        return
    lacking = [
        verb for verb, has in (("insert", found.inserts), ("update", found.updates)) if not has
    ]
    if lacking:
        yield Problem(
            f"{found.name} does not publish {' and '.join(lacking)}",
            own,
        )
    if found.row.get("rowfilter"):
        yield _row_filter_problem(found, tasks, contract, str(found.row["rowfilter"]))
    yield from _column_problems(found, tasks, contract)
    if found.updates and not _has_identity(tasks):
        yield Problem(
            f"{tasks.text} has no replica identity: the server refuses updates of its rows"
            f" while {found.name} publishes them",
            f"give it a primary key, or ALTER TABLE {tasks.quoted} REPLICA IDENTITY FULL",
        )


def _row_filter_problem(
    found: Published, tasks: Relation, contract: Contract, row_filter: str
) -> Problem:
    """A filter on a column outside the replica identity makes the system's own UPDATE fail.

    The identity of a default table is its primary key, which holds no status (PostgreSQL 16,
    section 31.3.1, "Row Filter Rules").
    """
    status, own = contract.tasks.status, _own(found, tasks)
    what = f"{found.name} publishes only rows of {tasks.text} with {row_filter}"
    names_status = re.search(rf"(?<![\w$]){re.escape(status)}(?![\w$])", row_filter)
    if not (names_status and found.updates and tasks.identity != "f"):
        return Problem(f"{what}: a row that leaves the filter would count as lost", own)
    return Problem(
        f"{what}: {status} is not in the replica identity, so the server refuses the system's own"
        " UPDATE (cannot update table)",
        f"remove the filter or the publication, whoever observes; then {own}",
    )


def _not_published(found: Published, tasks: Relation) -> Problem:
    if tasks.kind == "p" and not found.via_root:
        return Problem(
            f"{found.name} publishes the partitions of {tasks.text} under their own names",
            _own(found, tasks),
        )
    shown = ", ".join(found.tables[:_SHOWN_MAX]) or "no table"
    return Problem(
        f"{found.name} does not publish {tasks.text}; it publishes {shown}",
        _own(found, tasks),
    )


def _column_problems(found: Published, tasks: Relation, contract: Contract) -> Iterator[Problem]:
    # Servers that list no columns (before 15) publish all that are not generated.
    columns = (found.row or {}).get("attnames") or [
        column.name for column in tasks.columns.values() if not column.is_generated
    ]
    for key, name in (("trace_id", contract.tasks.trace_id), ("status", contract.tasks.status)):
        if name in columns:
            continue
        if tasks.columns[name].is_generated:
            yield Problem(
                f"tasks.{key}: {name} is a generated column, and {found.name} publishes none",
                "name the column that it is made of, or choose seen.way = 'polling'",
            )
        else:
            yield Problem(
                f"{found.name} leaves out column {name} (tasks.{key})",
                _own(found, tasks),
            )


def _has_identity(tasks: Relation) -> bool:
    return {"d": tasks.has_key, "n": False}.get(tasks.identity, True) or tasks.kind == "p"


def _published(connection: Connection[Any], name: str, tasks: Relation) -> Published | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        own = cursor.execute(
            "SELECT pubinsert, pubupdate, pubviaroot FROM pg_publication"
            " WHERE pubname::text = %s::text",
            (name,),
        ).fetchone()
        if own is None:
            return None
        # Of all columns, as those of row filters and column lists came with PostgreSQL 15.
        rows = cursor.execute(
            "SELECT * FROM pg_publication_tables WHERE pubname::text = %s::text"
            " ORDER BY schemaname, tablename",
            (name,),
        ).fetchall()
    names = tuple(quote_relation(row["schemaname"], row["tablename"]) for row in rows)
    row = dict(zip(names, rows, strict=True)).get(tasks.text)
    return Published(name, own["pubinsert"], own["pubupdate"], own["pubviaroot"], names, row)
