"""A foreign system polled on a server without commit times: whose delay a latency is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import NS_PER_MS
from harness.evidence.records import READ, read_records
from harness.stack.ports import free_port
from harness.stack.process.postgres import PostgresServer
from harness.stack.process.supervisor import Service
from tests.stack.conftest import READY_NS, Postgres, Redis, Servers
from tests.stack.external_system import Attached, ExternalSystem

pytestmark = [pytest.mark.stack, pytest.mark.pair]

OBJECTIVE = "p90 < 500 ms"
# So few signals that the desk, which works them one by one, keeps up on a busy host too.
OPTIONS = (
    *("--set", f'objectives=["{OBJECTIVE}", "rejected < 1 %"]'),
    *("--set", "load.stages.0.rate_from=15"),
)


@pytest.fixture(scope="module")
def external(servers: Servers, redis_server: Redis) -> ExternalSystem:
    """The desk on a PostgreSQL of its own, which keeps no commit times."""
    server = PostgresServer(
        servers.folder / "untimed", servers.logs / "untimed.log", servers.reaper, "harness_observer"
    )
    server.prepare()
    program = server.program(free_port())
    argv = (*program.argv, "-c", "track_commit_timestamp=off")
    program = replace(program, name="untimed", argv=argv)
    servers.supervisor.start(Service(program, server.is_ready))
    servers.supervisor.await_ready("untimed", READY_NS)
    server.set_up()
    untimed = Postgres(server.admin_dsn, server.owner_dsn, server.observer_dsn, server.port)
    made = ExternalSystem(untimed, redis_server, "desk")
    made.prepare()
    return made


def polled(external: ExternalSystem, folder: Path, *, late_ms: int, pause_ms: int) -> Attached:
    """A run on a desk of so much latency, polled so often."""
    with external.open(f"late:{late_ms}"):
        run = external.attach(folder, *OPTIONS, changes={"seen.pause_ms": pause_ms})
    assert run.folder is not None, run.output
    assert run.result["measurement"]["account"]["commit_unknown"] > 0
    reads, torn = read_records(run.folder.reads, READ)
    assert len(reads) > 0
    assert torn == 0
    assert ((reads["seen_ns"] - reads["since_ns"]) >= pause_ms * NS_PER_MS).all()
    return run


def test_a_slow_poll_is_not_the_systems_delay(external: ExternalSystem, tmp_path: Path) -> None:
    """Some 10 ms, polled each 1,500 ms: INVALID, with the pause that would do.

    The P90 of a uniform delay of up to 1,500 ms is 1,350 ms: its interval does not reach 500 ms.
    """
    run = polled(external, tmp_path, late_ms=10, pause_ms=1_500)
    assert run.code == 4, run.output
    assert run.check("latency_p90")["status"] == "INCONCLUSIVE"
    assert run.check("latency_p90")["figures"]["undecided_by"] == "observer"
    kept_up = run.check("observer_delay")
    assert kept_up["status"] == "INVALID"
    assert "polls pause for 1500 ms at least: set seen.pause_ms to " in kept_up["message"]


def test_a_quick_poll_passes(external: ExternalSystem, tmp_path: Path) -> None:
    """The same, polled each 20 ms; a busy host may leave it undecided."""
    run = polled(external, tmp_path, late_ms=10, pause_ms=20)
    assert run.check("latency_p90")["status"] in ("PASS", "INCONCLUSIVE"), run.output
    assert run.code in (0, 3), run.output


def test_a_slow_system_fails_however_it_is_polled(external: ExternalSystem, tmp_path: Path) -> None:
    """900 ms, polled each 100 ms: the read before lies beyond the limit too."""
    run = polled(external, tmp_path, late_ms=900, pause_ms=100)
    assert run.code == 1, run.output
    assert run.check("latency_p90")["status"] == "FAIL"
    assert run.check("observer_delay")["status"] == "PASS"
