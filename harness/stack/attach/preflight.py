"""Everything that can be known of a running system before a load, by reading alone.

`harness attach --check` prints it; a run begins only if nothing of it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
import redis
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from harness.clock import NS_PER_S
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.observe.connection import connect
from harness.observe.rows import limit_query_time
from harness.redis_connection import node_url, redis_client
from harness.scenario import Scenario
from harness.stack.attach import postgres_checks, redis_checks
from harness.stack.attach.certificate_probe import refusal_reason
from harness.stack.attach.check import (
    PreflightCheck,
    check_from,
    failed_check,
    not_applicable,
    suggest,
)
from harness.stack.attach.cluster_checks import slots_check
from harness.stack.attach.contract_file import AttachFile
from harness.stack.attach.method_check import method_checks
from harness.stack.attach.publication_checks import SERVER_CHECKS, TABLE_CHECKS, publication_checks
from harness.stack.attach.publication_checks import server_checks as logical_checks
from harness.stack.attach.relations import Relation
from harness.stack.attach.required_tables import required_tables
from harness.stack.attach.signing_addresses import address_check
from harness.stack.attach.stream_checks import KEYS, key_checks
from harness.stack.attach.table_checks import ASPECTS, table_checks
from harness.stack.attach.value_checks import (
    column_values,
    ledger_check,
    state_check,
    unlisted_values,
)

_STATEMENT_LIMIT_NS = 10 * NS_PER_S
_VALUE_CHECKS = ("tasks.states", "nonces.addresses", "ledger.words")
_DATABASES = "SELECT datname::text FROM pg_database WHERE datallowconn ORDER BY 1"
REDIS_CHECKS = ("redis.reachable", "redis.login", "redis.database", *redis_checks.SERVER, *KEYS)
POSTGRES_CHECKS = (
    "postgres.reachable",
    "postgres.login",
    *postgres_checks.SERVER,
    *SERVER_CHECKS,
    *(
        f"{table}.{aspect}"
        for table in ("tasks", "archive", "nonces", "ledger", "accounts")
        for aspect in ASPECTS
    ),
    *_VALUE_CHECKS,
    *TABLE_CHECKS,
)


class ServerFacts(NamedTuple):
    """What a server says of itself.

    Attributes:
        life: differs after a restart.
    """

    instance_id: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known of a system.

    Attributes:
        checks: every check once, in a fixed order; first the method, if it is external.
        redis: None if it could not be asked.
        postgres: the same.
        beyond: statuses that the contract does not name.
    """

    checks: tuple[PreflightCheck, ...]
    redis: ServerFacts | None = None
    postgres: ServerFacts | None = None
    unexpected_statuses: tuple[str, ...] = ()


def run_preflight(file: AttachFile, env: Mapping[str, str], scenario: Scenario | None) -> Preflight:
    """Ask both servers; what one of them refuses is a check and no error.

    Args:
        file: the contract.
        env: where user names and passwords are.
        scenario: what will be asked; None: everything that the contract names is searched for.
    """
    checks, store = _examine_redis(file, env)
    more, facts, beyond = _examine_postgres(file, env, scenario)
    return Preflight((*method_checks(file.seen.way), *checks, *more), store, facts, beyond)


def redis_facts(client: redis.Redis) -> ServerFacts:
    """Who Redis is."""
    info: Any = client.info("server")
    return ServerFacts(
        str(info["run_id"]),
        {"version": str(info["redis_version"]), "mode": str(info.get("redis_mode", ""))},
    )


def postgres_facts(connection: Connection[Any]) -> ServerFacts:
    """Who PostgreSQL is."""
    found = postgres_checks.ask_server(connection)
    return ServerFacts(
        str(found["started"]),
        {
            "version": found["version"],
            "track_commit_timestamp": found["commit_times"],
            "wal_level": found["wal_level"],
        },
    )


def _examine_redis(
    file: AttachFile, env: Mapping[str, str]
) -> tuple[tuple[PreflightCheck, ...], ServerFacts | None]:
    where = f"Redis at {file.redis.place}"
    try:
        url = file.redis.secret_url(env)
    except UsageError as error:
        return _complete(
            [failed_check("redis.login", str(error.what), error.hint)], REDIS_CHECKS
        ), None
    found: list[PreflightCheck] = []
    try:
        key = file.contract().key(file.streams.proposals)
        with (
            redis_client(url.get_secret_value()) as client,
            redis_client(node_url(url.get_secret_value(), key)) as node,
        ):
            node.ping()
            found += [
                check_from("redis.reachable", [], f"{where} answers"),
                check_from("redis.login", [], "login accepted"),
                check_from("redis.database", [], f"database {file.redis.database}"),
            ]
            found.append(slots_check(client, url.get_secret_value(), file.contract()))
            found += redis_checks.server_checks(node, file)
            if not any(
                check.id in ("redis.mode", "redis.rights") and check.is_failed for check in found
            ):
                found += key_checks(client, file.contract())
            return _complete(found, REDIS_CHECKS), redis_facts(node)
    except (redis.RedisError, OSError) as error:
        return _complete([*found, redis_checks.refused(error, where)], REDIS_CHECKS), None


def _examine_postgres(
    file: AttachFile, env: Mapping[str, str], scenario: Scenario | None
) -> tuple[tuple[PreflightCheck, ...], ServerFacts | None, tuple[str, ...]]:
    where = f"PostgreSQL at {file.postgres.place}"
    try:
        conninfo = file.postgres.secret_conninfo(env)
    except UsageError as error:
        failed = failed_check("postgres.login", str(error.what), error.hint)
        return _complete([failed], POSTGRES_CHECKS), None, ()
    found: list[PreflightCheck] = []
    try:
        with connect(
            conninfo.get_secret_value(), autocommit=True, application_name="harness_attach"
        ) as connection:
            found += [
                check_from("postgres.reachable", [], f"{where} answers"),
                check_from(
                    "postgres.login", [], f"login accepted, database {file.postgres.database}"
                ),
                check_from("postgres.tls", [], _tls(connection)),
            ]
            limit_query_time(connection, _STATEMENT_LIMIT_NS)
            beyond = _ask_postgres(connection, file, scenario, found)
            return _complete(found, POSTGRES_CHECKS), postgres_facts(connection), beyond
    except psycopg.Error as error:
        if error.sqlstate is not None:  # it let the user in, and refused a query of a check
            failed = postgres_checks.query_failed(error, where)
        else:
            hint = _databases(conninfo, file) if "does not exist" in str(error) else ""
            failed = postgres_checks.refused(_with_reason(str(error), file), where, hint)
        return _complete([*found, failed], POSTGRES_CHECKS), None, ()


def _ask_postgres(
    connection: Connection[Any],
    file: AttachFile,
    scenario: Scenario | None,
    found: list[PreflightCheck],
) -> tuple[str, ...]:
    """Adds what is found; the statuses beyond SIMULATED."""
    contract = file.contract()
    facts = postgres_checks.ask_server(connection)
    found += postgres_checks.server_checks(facts, connection.info.backend_pid, file)
    found += logical_checks(connection, contract)
    tables: dict[str, Relation | None] = {}
    for needed in required_tables(contract):
        more, tables[needed.id] = table_checks(connection, contract, needed)
        found += more
    nonces, ledger = tables["nonces"], tables["ledger"]
    if nonces is not None:
        found.append(address_check(connection, file, scenario, nonces))
    if ledger is not None and contract.ledger is not None:
        found.append(ledger_check(connection, contract.ledger, ledger))
    tasks = tables["tasks"]
    found += publication_checks(connection, contract, tasks)
    if tasks is not None:
        found.append(state_check(connection, file, tasks))
    found.append(check_from("postgres.queries", [], "every query of a check was answered"))
    return _beyond(connection, contract, tasks) if tasks is not None else ()


def _beyond(connection: Connection[Any], contract: Contract, tasks: Relation) -> tuple[str, ...]:
    known = column_values(connection, tasks, contract.tasks.status, ())
    return unlisted_values(known._replace(present=()), contract.states)


def _with_reason(message: str, file: AttachFile) -> str:
    """A refusal of a certificate with the reason that libpq leaves out; of one host."""
    if "certificate verify failed" not in message or len(file.postgres.hosts) > 1:
        return message
    parts = file.postgres.parts
    host = str(parts.get("hostaddr") or parts["host"])
    reason = refusal_reason(host, int(parts.get("port") or 5432), parts.get("sslrootcert") or "")
    return f"{message.strip()}: {reason}" if reason else message


def _tls(connection: Connection[Any]) -> str:
    return "in use" if connection.pgconn.ssl_in_use else "not in use"


def _databases(conninfo: SecretStr, file: AttachFile) -> str:
    """A hint with the databases that there are, if this login may see them."""
    try:
        with connect(make_conninfo(conninfo.get_secret_value(), dbname="postgres")) as connection:
            there = [name for (name,) in connection.execute(_DATABASES).fetchall()]
    except psycopg.Error:
        return ""
    return suggest(file.postgres.database, there) or f"there are {', '.join(there)}"


def _complete(found: list[PreflightCheck], ids: tuple[str, ...]) -> tuple[PreflightCheck, ...]:
    """Every check once, in its order; those that could not be made say why."""
    by_id = {check.id: check for check in found}
    wrong = next((check for check in found if check.is_failed), None)
    reason = f"{wrong.id} is not ok" if wrong else "nothing of it is named"
    return tuple(by_id.get(check_id) or not_applicable(check_id, reason) for check_id in ids)
