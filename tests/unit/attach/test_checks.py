"""What is reported of a system before the load: refusals, unsuitable servers, exit codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import exceptions

from harness.contract.names import Contract
from harness.errors import Exit, StackError, UsageError, nearest
from harness.stack.attach import postgres_checks, redis_checks
from harness.stack.attach.check import (
    CheckOutcome,
    PreflightCheck,
    Problem,
    check_from,
    exit_code_of,
    failed_check,
    not_applicable,
)
from harness.stack.attach.contract_file import AttachFile
from harness.stack.attach.preflight import POSTGRES_CHECKS, REDIS_CHECKS
from harness.stack.attach.publication_checks import Published, published_problems
from harness.stack.attach.relations import Column, Relation
from harness.stack.attach.stack import refuse_bad

FILE = AttachFile.model_validate(
    {
        "schema_version": 1,
        "name": "least",
        "redis": {"url": "redis://a/0"},
        "postgres": {"url": "postgresql://a/b"},
        "seen": {"way": "polling"},
    }
)
FACTS: dict[str, Any] = {
    "version": "16.4",
    "number": 160_004,
    "commit_times": "on",
    "read_only": "on",
    "recovering": False,
    "pid": 7,
    "used": 10,
    "most": 97,
    "login_used": 1,
    "login_most": -1,
    "database_used": 3,
    "database_most": -1,
}
CHECKS = st.builds(
    PreflightCheck,
    st.sampled_from(["a", "b"]),
    st.sampled_from(CheckOutcome),
    st.just(""),
    st.just(""),
    st.sampled_from([Exit.USAGE, Exit.STACK]),
)


def wrong(checks: Sequence[PreflightCheck]) -> dict[str, str]:
    """What is not ok."""
    return {check.id: f"{check.message} {check.hint}" for check in checks if check.is_failed}


@given(st.lists(CHECKS))
def test_only_what_is_wrong_has_an_exit_code(checks: list[PreflightCheck]) -> None:
    """A server that is away comes first; a run begins if nothing is wrong, and only then."""
    code = exit_code_of(checks)
    found = {check.exit_code for check in checks if check.outcome is CheckOutcome.NOT_OK}
    assert code == (Exit.STACK if Exit.STACK in found else Exit.USAGE if found else Exit.PASS)
    error = {Exit.STACK: StackError, Exit.USAGE: UsageError}.get(code)
    if error is None:
        refuse_bad(checks, "desk")
    else:
        with pytest.raises(error, match="attach --check"):
            refuse_bad(checks, "desk")


def test_a_check_tells_every_problem_once() -> None:
    """Messages in their order, each hint once."""
    found = check_from(
        "a", [Problem("one", "do x"), Problem("two", "do x"), Problem("three")], "fine"
    )
    assert (found.message, found.hint) == ("one; two; three", "do x")
    assert check_from("a", [], "fine", "see") == PreflightCheck("a", CheckOutcome.OK, "fine", "see")
    assert not not_applicable("a", "why").is_failed
    assert failed_check("a", "why").exit_code is Exit.USAGE


def test_ids_are_distinguished() -> None:
    """A check without an id of its own would hide another one."""
    ids = [*REDIS_CHECKS, *POSTGRES_CHECKS]
    assert len({*ids}) == len(ids)


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("FILED", ["QUEUED", "FILLED"], "FILLED"),
        ("jobs", ["Jobs", "postings"], "Jobs"),
        ("x", ["QUEUED"], ""),
        ("x", [], ""),
    ],
)
def test_the_nearest_name(name: str, known: list[str], found: str) -> None:
    """Whatever the capitals; nothing rather than something unlike."""
    assert nearest(name, known) == found


@pytest.mark.parametrize(
    ("message", "check", "code"),
    [
        ('FATAL:  password authentication failed for user "x"', "login", Exit.USAGE),
        ("fe_sendauth: no password supplied", "login", Exit.USAGE),
        ('FATAL:  role "x" is not permitted to log in', "login", Exit.USAGE),
        ('FATAL:  database "y" does not exist', "login", Exit.USAGE),
        ('FATAL:  role "x" does not exist', "login", Exit.USAGE),
        (
            'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "x", no encryption',
            "login",
            Exit.USAGE,
        ),
        ("server does not support SSL, but SSL was required", "login", Exit.USAGE),
        ("SSL error: certificate verify failed", "tls", Exit.USAGE),
        ("SSL error: certificate verify failed: certificate has expired", "tls", Exit.USAGE),
        ('FATAL:  certificate authentication failed for user "x"', "tls", Exit.USAGE),
        ("server is in hot standby mode", "primary", Exit.STACK),
        ('FATAL:  permission denied for database "y"', "login", Exit.USAGE),
        ("FATAL:  unsupported startup parameter: options", "direct", Exit.USAGE),
        ("FATAL:  sorry, too many clients already", "connections", Exit.STACK),
        ('FATAL:  too many connections for role "x"', "connections", Exit.STACK),
        (
            "FATAL:  remaining connection slots are reserved for roles with SUPERUSER",
            "connections",
            Exit.STACK,
        ),
        ("FATAL:  the database system is starting up", "reachable", Exit.STACK),
        ("FATAL:  the database system is shutting down", "reachable", Exit.STACK),
        ("FATAL:  etwas anderes", "login", Exit.USAGE),
        ("Connection refused", "reachable", Exit.STACK),
        ("timeout expired", "reachable", Exit.STACK),
    ],
)
def test_each_refusal_of_postgres_has_its_own_words(message: str, check: str, code: Exit) -> None:
    """A server that answers is not asked whether it is up."""
    text = f'connection to server at "127.0.0.1", port 5432 failed: {message}\n'
    found = postgres_checks.refused(text, "PostgreSQL at h:1")
    assert (found.id, found.exit_code) == (f"postgres.{check}", code)
    assert found.hint
    assert found.message.startswith("PostgreSQL at h:1: ")
    assert ("is it up" in found.hint) == (message in ("Connection refused", "timeout expired"))


@pytest.mark.parametrize(
    ("error", "check", "code"),
    [
        (exceptions.BusyLoadingError("Redis is loading the dataset"), "reachable", Exit.STACK),
        (exceptions.ConnectionError("max number of clients reached"), "reachable", Exit.STACK),
        (exceptions.MaxConnectionsError("x"), "reachable", Exit.STACK),
        (exceptions.TimeoutError("x"), "reachable", Exit.STACK),
        (OSError("x"), "reachable", Exit.STACK),
        (exceptions.AuthenticationError("WRONGPASS"), "login", Exit.USAGE),
        (exceptions.ResponseError("NOAUTH Authentication required."), "login", Exit.USAGE),
        (exceptions.ConnectionError("DENIED protected mode"), "login", Exit.USAGE),
        (exceptions.NoPermissionError("x"), "rights", Exit.USAGE),
        (exceptions.ResponseError("DB index is out of range"), "database", Exit.USAGE),
        (exceptions.ClusterDownError("CLUSTERDOWN"), "mode", Exit.STACK),
        (exceptions.MasterDownError("x"), "mode", Exit.USAGE),
        (exceptions.ResponseError("MISCONF x"), "write", Exit.STACK),
    ],
)
def test_each_refusal_of_redis_has_its_own_words(error: Exception, check: str, code: Exit) -> None:
    """A right that is missing is not a server that is down."""
    found = redis_checks.refused(error, "Redis at h:1")
    assert (found.id, found.exit_code) == (f"redis.{check}", code)
    assert found.hint


@pytest.mark.parametrize(
    ("changes", "pid", "check", "message"),
    [
        ({"read_only": "off"}, 7, "direct", "start-up options do not reach"),
        ({}, 8, "direct", "a pooler is in front"),
        ({"number": 120_011, "version": "12.11"}, 7, "version", "12.11 is too old"),
        ({"recovering": True}, 7, "primary", "this is a standby"),
        ({"used": 94}, 7, "connections", "93 of 97 are in use (max_connections)"),
        ({"database_most": 6}, 7, "connections", "2 of 6 are in use (CONNECTION LIMIT of the da"),
        ({"login_most": 0, "login_used": 1}, 7, "connections", "0 of 0 are in use (its CONN"),
    ],
)
def test_servers_that_will_not_do(
    changes: dict[str, Any], pid: int, check: str, message: str
) -> None:
    """Known by what they report of themselves."""
    found = wrong(postgres_checks.server_checks({**FACTS, **changes}, pid, FILE))
    assert [*found] == [f"postgres.{check}"]
    assert message in found[f"postgres.{check}"]


def test_a_server_that_will_do() -> None:
    """With room for exactly the connections that a run needs."""
    facts = {**FACTS, "used": 97 - postgres_checks.CONNECTIONS + 1}
    assert not wrong(postgres_checks.server_checks(facts, 7, FILE))


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"redis_mode": "sentinel"}, "this is a Sentinel"),
        ({"role": "slave", "master_host": "m", "master_port": 1}, "this is a replica of m:1"),
        ({"role": "master", "redis_mode": "cluster"}, ""),
    ],
)
def test_kinds_of_redis(info: dict[str, Any], message: str) -> None:
    """A node of a cluster will do if it owns the keys."""
    found = " ".join(problem.message for problem in redis_checks._mode_problems(info))
    assert found.startswith(message)
    assert bool(found) == bool(message)


def test_a_redis_that_drops_streams_is_reported() -> None:
    """No error: it may never happen."""
    info = {"used_memory": 50, "maxmemory": 100, "maxmemory_policy": "allkeys-lru"}
    message, hint = redis_checks._memory(info)
    assert message == "50% of maxmemory in use, allkeys-lru"
    assert "drops whole streams" in hint


def relation(**changes: Any) -> Relation:
    """The reference task table."""
    columns = {
        name: Column(name, at, kind, kind, "S", False, True, False)
        for at, (name, kind) in enumerate([("trace_id", "text"), ("status", "text")], 1)
    }
    values: dict[str, Any] = {
        "oid": 9,
        "schema": "S",
        "name": 'a"b',
        "kind": "r",
        "persistence": "p",
        "has_children": False,
        "identity": "d",
        "has_key": True,
        "schema_usable": True,
        "readable": True,
        "row_security": False,
        "columns": columns,
    }
    return Relation(**{**values, **changes})


def test_hints_quote_identifiers() -> None:
    """They are copied into a console as they stand."""
    found = Published('W "x"', True, False, False, (), None)
    hints = " ".join(p.hint for p in published_problems(found, relation(), Contract()))
    assert hints.startswith(
        'make one of its own: CREATE PUBLICATION "harness_watch" FOR TABLE "S"."'
    )
    assert '"S"."a""b" WITH' in hints
    assert relation().text == 'S.a"b'


@pytest.mark.parametrize(
    ("changes", "is_wrong"),
    [
        ({}, False),
        ({"has_key": False}, True),
        ({"identity": "n"}, True),
        ({"identity": "f", "has_key": False}, False),
        ({"identity": "i", "has_key": False}, False),
        ({"kind": "p", "has_key": False}, False),
    ],
)
def test_replica_identity(changes: dict[str, Any], is_wrong: bool) -> None:
    """Without one the server refuses updates as soon as they are published."""
    row = {"attnames": ["trace_id", "status"], "rowfilter": None}
    found = Published("w", True, True, False, (), row)
    problems = list(published_problems(found, relation(**changes), Contract()))
    assert bool(problems) == is_wrong
