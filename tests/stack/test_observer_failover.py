"""A streaming replica is promoted in the middle of a run; the observer has both hosts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from harness.clock import NS_PER_MS, NS_PER_S
from harness.contract.names import State
from harness.evidence.records import SIGHTING, read_records
from harness.observe.observer import Observer
from harness.observe.plan import ObservationMethod, ObserverPlan
from harness.stack.ports import LOOPBACK, free_port
from harness.stack.private_dir import own_dir, write_private
from harness.stack.process.postgres import PostgresServer
from tests.stack.conftest import Servers
from tests.stack.test_observer_restart import CLOCK, RUN_TAG, Crashing, commit, started

pytestmark = pytest.mark.stack


def make_server(servers: Servers, name: str) -> PostgresServer:
    """A server that is not prepared."""
    log = servers.logs / f"{name}.log"
    return PostgresServer(servers.folder / name, log, servers.reaper, "harness_observer")


def make_replica(servers: Servers, primary: PostgresServer) -> PostgresServer:
    """A streaming replica of a running server, ready to start."""
    replica = make_server(servers, f"replica-{primary.port}")
    replica.passwords, replica._user = primary.passwords, primary._user
    replica._installation = primary._installation
    own_dir(replica._folder, replica._user)
    replica._data.mkdir(mode=0o700)
    write_private(replica._hba, primary._hba.read_text(), replica._user)
    account: dict[str, Any] = {}
    if os.getuid() == 0:
        owner = primary._data.stat()
        os.chown(replica._data, owner.st_uid, owner.st_gid)
        account = {"user": owner.st_uid, "group": owner.st_gid}
    subprocess.run(
        [
            *(str(primary._installation / "bin" / "pg_basebackup"), "-R", "-c", "fast"),
            *("-D", str(replica._data), "-h", LOOPBACK, "-p", str(primary.port), "-U", "postgres"),
        ],
        env={**os.environ, "PGPASSWORD": primary.passwords.admin},
        cwd="/",
        check=True,
        capture_output=True,
        timeout=60,
        **account,
    )
    return replica


@pytest.fixture
def pair(servers: Servers) -> Iterator[tuple[Crashing, Crashing]]:
    """A primary with Zone B's tables, and its replica."""
    port = free_port()
    server = make_server(servers, f"primary-{port}")
    server.prepare()
    primary = started(server, port, servers)
    copy = make_replica(servers, server)
    replica = Crashing(copy, copy.program(free_port()), servers)
    replica.start()
    yield primary, replica
    replica.crash()
    if primary.process.poll() is None:
        primary.crash()


def both(primary: Crashing, replica: Crashing) -> str:
    """The observer's conninfo of the two hosts, as a contract makes it."""
    return make_conninfo(
        primary.server.observer_dsn,
        host=f"{LOOPBACK},{LOOPBACK}",
        port=f"{primary.server.port},{replica.server.port}",
        target_session_attrs="primary",
    )


@pytest.mark.parametrize("way", [ObservationMethod.LOGICAL, ObservationMethod.POLLING])
def test_the_observer_goes_on_with_the_new_primary(
    pair: tuple[Crashing, Crashing], tmp_path: Path, way: ObservationMethod
) -> None:
    """Its slot is lost with the primary; what was committed until the next one is queried."""
    primary, replica = pair
    plan = ObserverPlan(
        observer_dsn=SecretStr(both(primary, replica)),
        run_tag=RUN_TAG,
        folder=tmp_path,
        method=way,
    )
    observer = Observer(plan, CLOCK)
    observer.start()
    try:
        commit(primary.server.owner_dsn, 0, 200)
        await_replay(primary, replica)
        primary.crash()
        with psycopg.connect(replica.server.admin_dsn, autocommit=True) as admin:
            assert admin.execute("SELECT pg_promote(true, 30)").fetchone() == (True,)
        commit(replica.server.owner_dsn, 200, 200)
        deadline_ns = CLOCK.now_ns() + 20 * NS_PER_S
        while (observer.latest or {}).get("in_gap", True) or (observer.latest or {})["gaps"] == 0:
            assert CLOCK.now_ns() < deadline_ns
            CLOCK.sleep_ns(20 * NS_PER_MS)
        commit(replica.server.owner_dsn, 400, 50)
    finally:
        observer.stop()
    assert observer.failure() is None
    sightings, _ = read_records(tmp_path / "sightings.bin", SIGHTING)
    final = sightings[sightings["state"] == State.SIMULATED]
    assert sorted(low & 0xFFFF for low in final["trace_lo"].tolist()) == list(range(450))
    assert (observer.latest or {})["gaps"] == 1


def await_replay(primary: Crashing, replica: Crashing) -> None:
    """Until the replica has what the primary has committed: replication is asynchronous."""
    with (
        psycopg.connect(primary.server.admin_dsn, autocommit=True) as one,
        psycopg.connect(replica.server.admin_dsn, autocommit=True) as other,
    ):
        lsn = one.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
        while other.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", lsn).fetchone() != (
            False,
        ):
            assert CLOCK.now_ns() < deadline_ns
            CLOCK.sleep_ns(10 * NS_PER_MS)
