"""Polling through PgBouncer in transaction mode."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from harness.errors import UsageError
from harness.stack.attach.contract_file import load_attach_file
from harness.stack.attach.preflight import run_preflight
from harness.stack.ports import free_port
from tests.stack.conftest import Postgres, Redis
from tests.stack.external_system import PASSWORD, ExternalSystem

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer"),
]
_INI = """\
[databases]
{name} = host=127.0.0.1 port={server} dbname={name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 3
server_tls_sslmode = disable
"""
_UNSET = "ALTER ROLE desk_reader RESET ALL"
_SET = (
    "ALTER ROLE desk_reader SET default_transaction_read_only = on",
    "ALTER ROLE desk_reader SET statement_timeout = '10s'",
)


@pytest.fixture(scope="module")
def external(postgres: Postgres, redis_server: Redis) -> Iterator[ExternalSystem]:
    """The desk's servers and users."""
    made = ExternalSystem(postgres, redis_server, "desk")
    made.prepare()
    yield made
    alter(made, _UNSET)


@pytest.fixture
def port(external: ExternalSystem) -> Iterator[int]:
    """The port of a pooler in front of them."""
    assert PGBOUNCER is not None
    port = free_port()
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "users.txt").write_text(f'"desk_reader" "{PASSWORD}"\n', encoding="utf-8")
        text = _INI.format(
            name=external.database, server=external.postgres.port, port=port, folder=folder
        )
        (folder / "pgbouncer.ini").write_text(text, encoding="utf-8")
        user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else os.getuid()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [PGBOUNCER, str(folder / "pgbouncer.ini")], stdout=log, stderr=log, user=user
            )
        try:
            await_port(port)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def await_port(port: int) -> None:
    """Until the pooler answers."""
    deadline = time.monotonic() + 10
    while True:
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=x dbname=x").close()
        except psycopg.OperationalError as error:
            if "refused" not in str(error):
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def alter(external: ExternalSystem, *statements: str) -> None:
    """Settings of the reader."""
    with psycopg.connect(external.postgres.admin_dsn, autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement.encode())


@pytest.mark.pair  # its verdict needs a core
def test_a_run_by_polling(external: ExternalSystem, port: int, tmp_path: Path) -> None:
    """It is judged as one that reaches the server itself."""
    alter(external, *_SET)
    url = f"postgresql://127.0.0.1:{port}/{external.database}"
    changes = {"postgres.url": url, "postgres.pooler": True}
    with external.open():
        done = external.attach(tmp_path, "--duration", "5", changes=changes)
    assert done.result["judgement"]["verdict"] == "PASS", done.output
    assert done.check("observation_complete")["status"] == "PASS"
    assert done.check("final_state_read")["status"] == "PASS"


def test_what_the_login_lacks_is_found(external: ExternalSystem, port: int, tmp_path: Path) -> None:
    """Sessions cannot be given settings, so the login has to have them."""
    alter(external, _UNSET)
    url = f"postgresql://127.0.0.1:{port}/{external.database}"
    changes = {"postgres.url": url, "postgres.pooler": True}
    file = load_attach_file(external.contract(tmp_path, changes))
    [found] = [one for one in run_preflight(file, external.login(), None).checks if one.is_failed]
    assert found.id == "postgres.direct"
    assert "default_transaction_read_only = on" in found.message + found.hint
    assert "statement_timeout" in found.message + found.hint


def test_a_pooler_that_the_contract_does_not_name(
    external: ExternalSystem, port: int, tmp_path: Path
) -> None:
    """It refuses the start-up options of the harness."""
    url = f"postgresql://127.0.0.1:{port}/{external.database}"
    file = load_attach_file(external.contract(tmp_path, {"postgres.url": url}))
    [found] = [one for one in run_preflight(file, external.login(), None).checks if one.is_failed]
    assert found.id == "postgres.direct"
    assert "server's own address" in found.hint


@pytest.mark.parametrize(
    "seen",
    [
        {"way": "logical", "allow_slot": True},
        {"way": "notification", "channel": "c", "format": "text"},
    ],
)
def test_no_session_of_its_own(
    external: ExternalSystem, tmp_path: Path, seen: dict[str, object]
) -> None:
    """Replication and LISTEN are refused before anything is connected to."""
    changes = {"postgres.pooler": True, "seen": seen, "publication": "p"}
    with pytest.raises(UsageError, match="the address of the server itself"):
        load_attach_file(external.contract(tmp_path, changes))
