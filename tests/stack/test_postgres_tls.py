"""TLS to PostgreSQL: what is refused, by which check, and what the message and its hint say.

`pytest -s tests/stack/test_postgres_tls.py` prints the table.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

from harness.clock import NS_PER_S
from harness.observe.libpq import connect
from harness.observe.watcher import WatcherLost
from harness.stack.attach.contract_file import AttachFile
from harness.stack.attach.preflight import run_preflight
from tests.stack.tls_postgres import PASSWORD, TlsPostgres, find_programs, running_tls_postgres

PROGRAMS = find_programs()
pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL with TLS (Debian's), or not root"),
]


class Case(NamedTuple):
    """One connection.

    Attributes:
        name: what is wrong.
        check: the check that fails.
        hint: regular expression of message and hint.
        options: of the URL; `{at}` is the folder of the certificates.
        user: who logs in.
        server: certificate of the server.
        password: of the user.
    """

    name: str
    check: str
    hint: str
    options: Mapping[str, str] = {}
    user: str = "desk_reader"
    server: str = "good"
    password: str = PASSWORD


FULL = {"sslmode": "verify-full", "sslrootcert": "{at}/ca.crt"}


def client(name: str) -> dict[str, str]:
    """Options of a client certificate."""
    return {**FULL, "sslcert": f"{{at}}/{name}.crt", "sslkey": f"{{at}}/{name}.key"}


CASES = (
    Case("wrong name in the certificate", "tls", "subjectAltName", FULL, server="wrong"),
    Case("expired certificate", "tls", "has expired.*out of date", FULL, server="expired"),
    Case("unknown CA", "tls", "does not hold the CA", {**FULL, "sslrootcert": "{at}/other.crt"}),
    Case("no file of the CA", "tls", "sslrootcert names a file",
         {**FULL, "sslrootcert": "{at}/none.crt"}),
    Case("client certificate missing", "tls", "sslcert and sslkey", FULL, user="cert_user"),
    Case("client certificate of another user", "tls", "its CN has to be the user",
         client("client-other-user"), user="cert_user"),
    Case("client certificate of another CA", "tls", "does not know the CA of the client",
         client("client-other-ca"), user="cert_user"),
    Case("expired client certificate", "tls", "client certificate .sslcert. is out of date",
         client("client-expired"), user="cert_user"),
    Case("wrong password", "login", "wrong user or password", FULL, password="not-that-one"),
    Case("SCRAM channel binding refused", "tls", "no SCRAM over TLS",
         {**FULL, "channel_binding": "require"}, user="md5_user"),
    Case("no entry of pg_hba.conf", "login", "pg_hba.conf does not admit", FULL, user="no_entry"),
    Case("no entry without TLS", "login", "sslmode=require", {"sslmode": "disable"}),
)  # fmt: skip
FINE = (
    Case(
        "verify-full and SCRAM with channel binding", "", "", {**FULL, "channel_binding": "require"}
    ),
    Case("client certificate", "", "", client("client"), user="cert_user"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[TlsPostgres]:
    """One for all cases; below a folder that the server's user can reach."""
    assert PROGRAMS is not None
    with (
        tempfile.TemporaryDirectory(prefix="harness-tls-", dir="/tmp") as folder,
        running_tls_postgres(Path(folder), PROGRAMS) as made,
    ):
        yield made


def attach_file(server: TlsPostgres, case: Case) -> tuple[AttachFile, dict[str, str]]:
    """A contract whose PostgreSQL is the server, and the environment of it."""
    options = {key: value.format(at=server.folder) for key, value in case.options.items()}
    query = urlencode({"hostaddr": "127.0.0.1", **options})
    document = {
        "schema_version": 1,
        "name": "desk",
        "redis": {"url": "redis://127.0.0.1:1/0"},
        "postgres": {
            "url": f"postgresql://{case.user}@db.test:{server.port}/desk?{query}",
            "password_env": "P",
        },
        "seen": {"way": "polling"},
    }
    return AttachFile.model_validate(document), {"P": case.password}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_refusal_has_its_own_check_and_hint(server: TlsPostgres, case: Case) -> None:
    """No message repeats the password."""
    server.use(case.server)
    file, env = attach_file(server, case)
    checks = run_preflight(file, env, None).checks
    [found] = [one for one in checks if one.is_failed and one.id.startswith("postgres.")]
    # Shown by `pytest -s`.
    sys.stdout.write(f"\n{case.name}\n  {found.id}: {found.message}\n  {found.hint}\n")
    assert found.id == f"postgres.{case.check}", found
    assert re.search(case.hint, f"{found.message} {found.hint}"), found
    assert case.password not in repr(checks)


@pytest.mark.parametrize("case", FINE, ids=[case.name for case in FINE])
def test_tls_is_in_use(server: TlsPostgres, case: Case) -> None:
    """By an ordinary connection and by one for replication."""
    server.use("good")
    file, env = attach_file(server, case)
    checks = {one.id: one for one in run_preflight(file, env, None).checks}
    assert checks["postgres.tls"].message == "in use"
    conninfo = file.postgres.secret_conninfo(env).get_secret_value()
    # The role has no REPLICATION: the server says so only after TLS and login.
    with pytest.raises(WatcherLost, match=r"REPLICATION|replication"):
        connect(f"{conninfo} replication=database", 2 * NS_PER_S)
