"""`harness init --from-database` on a running system: the proposed contract passes every check."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from harness.errors import Exit
from harness.stack.attach.check import CheckOutcome, exit_code_of
from harness.stack.attach.contract_file import load_attach_file
from harness.stack.attach.preflight import run_preflight
from tests.stack.conftest import Postgres, Redis
from tests.stack.external_system import PASSWORD, ExternalSystem

pytestmark = pytest.mark.stack
ORDER = {
    "v": 3,
    "seen": 1,
    "sent": "2026-11-30T18:00:00.000Z",
    "order": {"ref": "r-1", "wallet": "W-0001", "size": "10", "book": "b"},
}
WORKED_MAX_S = 10.0
# One of the server's databases without streams of other tests, which would be proposed as well.
DATABASE = 5


@pytest.fixture(scope="module")
def external(postgres: Postgres, redis_server: Redis) -> Iterator[ExternalSystem]:
    """The desk after it has worked an order."""
    url = urlsplit(redis_server.url)._replace(path=f"/{DATABASE}").geturl()
    made = ExternalSystem(postgres, replace(redis_server, url=url), "desk_init")
    made.prepare()
    with redis.Redis.from_url(url) as client, psycopg.connect(made.owner) as owner:
        client.xadd("desk.orders", {"msg": json.dumps(ORDER)})
        with made.open():
            end_s = time.monotonic() + WORKED_MAX_S
            query = "SELECT 1 FROM desk.jobs WHERE phase = 'FILLED'"
            while owner.execute(query).fetchone() is None:
                owner.rollback()
                assert time.monotonic() < end_s, "the desk works no order"
                time.sleep(0.05)
        yield made
        client.delete("desk.orders", "desk.heights", "desk.results")


def init(external: ExternalSystem, folder: Path, **changes: str) -> tuple[int, str]:
    """The command with the logins of the desk, its exit code and output."""
    urls = {
        "--from-database": f"postgresql://127.0.0.1:{external.postgres.port}/{external.database}",
        "--redis": f"redis://127.0.0.1:{external.redis.port}/{DATABASE}",
        "--name": "desk",
        "--ci": "none",
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "harness", "init", str(folder)),
            *(word for pair in urls.items() for word in pair),
        ],
        env={**external.login(), **changes},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert PASSWORD not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_proposed_contract_passes_every_check(external: ExternalSystem, tmp_path: Path) -> None:
    """Nothing is changed in the system, and no password is written."""
    before = external.traces()
    code, output = init(external, tmp_path / "project")
    assert code == 0, output
    assert external.traces() == before
    path = tmp_path / "project" / "contract.toml"
    assert PASSWORD not in path.read_text(encoding="utf-8")
    file = load_attach_file(path)
    assert (file.tasks.table, file.streams.proposals) == ("desk.jobs", "desk.orders")
    assert len(file.addresses) == 12
    checks = run_preflight(file, external.login(), None).checks
    wrong = {one.id: one.message for one in checks if one.outcome is CheckOutcome.NOT_OK}
    assert (wrong, exit_code_of(checks)) == ({}, Exit.PASS)


@pytest.mark.parametrize("server", ["POSTGRES", "REDIS"])
def test_a_login_that_is_wrong_writes_nothing(
    server: str, external: ExternalSystem, tmp_path: Path
) -> None:
    """Wrong usage, with the server's name."""
    variable = f"DESK_{server}_PASSWORD"
    code, output = init(external, tmp_path / "project", **{variable: "wrong"})
    assert code == Exit.USAGE, output
    assert f"127.0.0.1:{getattr(external, server.lower()).port}" in output
    assert not (tmp_path / "project").exists()
