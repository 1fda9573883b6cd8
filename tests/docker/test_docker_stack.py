"""Zone B in real containers: in force, isolated, restarted, counted."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from harness.contract.names import Contract
from harness.gate.node_provider import is_closed
from harness.stack.docker.database import Database
from harness.stack.docker.gate_container import GateContainer
from harness.stack.docker.provenance import CORES_TO_VOLUME, core_pattern
from harness.stack.docker.settings import AGENT, ENGINE, StackPasswords
from harness.stack.docker.verification_rows import table
from tests.docker.conftest import Running, eventually

pytestmark = pytest.mark.docker

ZONE_B = {
    "redis",
    "postgres",
    "go-execution-engine",
    "mev-router",
    "data-processor",
    "chain-adapter",
    "archiver",
}


def test_every_row_is_met(running: Running) -> None:
    """All that is specified is in force, from the first moment on."""
    verification = running.stack.describe()["verification"]
    assert verification["mismatches"] == []
    assert verification["ok"]
    at_start = {row["container"] for row in verification["rows"] if row["when"] == "start"}
    assert at_start == ZONE_B | {"anvil"}


def test_a_changed_quota_is_named(running: Running) -> None:
    """`docker update` in the middle of a run does not go unseen."""
    api, name = running.client.api, running.name("archiver")
    api.update_container(name, cpu_quota=90_000, cpu_period=100_000, mem_limit=900 * 1024**2)
    try:
        found = [str(row) for row in running.stack.verify("end") if not row.ok]
    finally:
        api.update_container(name, cpu_quota=50_000, cpu_period=100_000, mem_limit=1024**3)
    assert "archiver: CPU is 0.90 (90000 of 100000 us), specified is 0.50 (50000 of 100000 us)" in (
        found
    )
    assert "archiver: memory is 900 MiB, specified is 1 GiB" in found
    assert table(running.stack.verify("end"))["mismatches"] == []


def test_the_observer_may_follow_the_log_and_no_more(running: Running) -> None:
    """A replication connection from this host works; writing does not."""
    dsn = running.endpoints.observer_dsn.get_secret_value()
    with psycopg.connect(f"{dsn} replication=database", autocommit=True) as session:
        row = session.execute("IDENTIFY_SYSTEM").fetchone()
        assert row is not None
        assert row[-1] == "defi"
    with (
        psycopg.connect(dsn) as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        session.execute("DELETE FROM trade_tasks")


def test_an_image_that_lets_no_walsender_in_is_opened(running: Running) -> None:
    """The official image's pg_hba.conf has no line for replication from outside."""
    supervisor = running.stack._supervisor
    assert supervisor is not None
    admin = running.endpoints.admin_dsn.get_secret_value()
    close = "sed -i '/^host replication all all/d' \"$PGDATA/pg_hba.conf\""
    assert running.execute("postgres", "sh", "-c", close)[0] == 0
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute("SELECT pg_reload_conf()")
    password = SecretStr(str(conninfo_to_dict(admin)["password"]))
    passwords = StackPasswords(SecretStr(""), password, SecretStr("of-somebody-else"))
    other = Database(
        supervisor.port("postgres"), passwords, Contract(observer_role="somebody_else")
    )
    other.make_observer(supervisor.containers, running.stack._zones.b.service("postgres"))
    test_the_observer_may_follow_the_log_and_no_more(running)


def test_zone_a_reaches_redis_and_nothing_else(running: Running) -> None:
    """From inside an agent: Redis answers; PostgreSQL and Zone C do not, by name or address."""
    api = running.client.api
    agent = running.agent()
    api.create_container(
        "signal-harness/redis:offline",
        name=running.name("zone-c"),
        labels=api.inspect_container(running.name("redis"))["Config"]["Labels"],
        host_config=api.create_host_config(network_mode=running.name("fortress_net")),
    )
    api.start(running.name("zone-c"))
    probe = (
        "import socket, sys\n"
        "for target in sys.argv[1:]:\n"
        "    host, port = target.split(':')\n"
        "    try:\n"
        "        socket.create_connection((host, int(port)), 1.0).close()\n"
        "        print(target, 'reached')\n"
        "    except OSError as error:\n"
        "        print(target, 'refused')\n"
    )

    def address(service: str, network: str) -> str:
        networks = api.inspect_container(running.name(service))["NetworkSettings"]["Networks"]
        return str(networks[running.name(network)]["IPAddress"])

    database = address("postgres", "sandbox_net")
    signer = address("zone-c", "fortress_net")
    targets = ["redis:6379", "postgres:5432", f"{database}:5432", f"{signer}:6379"]
    try:
        code, output = running.execute(agent, "python3", "-c", probe, *targets)
    finally:
        api.remove_container(running.name("zone-c"), force=True, v=True)
    assert code == 0
    assert output.splitlines() == [
        "redis:6379 reached",
        *(f"{target} refused" for target in targets[1:]),
    ]


def children_of(pid: int) -> list[psutil.Process]:
    """The processes below a container's first one, parents before children."""
    return psutil.Process(pid).children(recursive=True)


def test_agents_come_and_go_without_a_restart(running: Running) -> None:
    """3 agents, then 1: Zone B's processes stay the same ones."""
    before = {state.name: state.pid for state in running.stack.services() if state.name in ZONE_B}
    running.stack.scale(3)
    assert {f"{AGENT}-{n}" for n in (1, 2, 3)} <= {s.name for s in running.stack.services()}
    rows = [row for row in running.stack.verify("now") if row.container.startswith(AGENT)]
    assert rows
    assert [str(row) for row in rows if not row.ok] == []
    running.stack.scale(1)
    after = {state.name: state.pid for state in running.stack.services()}
    assert {name: after[name] for name in before} == before
    assert f"{AGENT}-2" not in after


def test_anvil_is_there_while_the_gate_is_open(running: Running) -> None:
    """Absent before, verified within, absent after, by the engine's own events."""
    before = len(_actions(running, "anvil"))
    running.stack.open_gate()
    within = [row for row in running.stack.verify("now") if row.container == "anvil"]
    running.stack.close_gate()
    assert [str(row) for row in within if not row.ok] == []
    assert {"CPU", "memory", "tmpfs /anvil", "restart"} <= {row.setting for row in within}
    absent = [row for row in running.stack.verify("now") if row.container == "anvil"]
    assert [(row.setting, row.live) for row in absent] == [("on demand", "absent")]
    eventually(
        lambda: "destroy" in _actions(running, "anvil")[before:],
        "the engine tells that Anvil is gone",
    )
    assert _actions(running, "anvil")[before:] == ["create", "start", "kill", "die", "destroy"]


def test_a_gate_under_load_has_a_node_of_its_own(running: Running) -> None:
    """Seen there, seen gone by the engine and by its port, and no service of the stack is lost."""
    keeper, before = GateContainer(running.stack), len(_actions(running, "anvil-1"))
    node = keeper.open()
    assert keeper.gone() == ""
    assert not is_closed(node.url)
    keeper.close()
    eventually(lambda: node.name in keeper.gone(), "the node is gone")
    assert _actions(running, "anvil-1")[before:] == ["create", "start", "kill", "die", "destroy"]
    assert all(state.alive for state in running.stack.services())


def test_a_killed_engine_is_restarted_and_counted(running: Running) -> None:
    """SIGKILL of the container's first process, from the host."""
    before = running.state(ENGINE)
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: running.state(ENGINE).restarts == before.restarts + 1, "a restart")
    eventually(lambda: running.state(ENGINE).alive, "the engine is back")
    after = running.state(ENGINE)
    assert after.last_exit == -signal.SIGKILL
    assert after.pid != before.pid
    assert running.stack.describe()["services"][ENGINE]["restarts"] == after.restarts


def test_an_aborted_engine_leaves_a_core_file(running: Running) -> None:
    """In its volume, where the next container of the engine finds it."""
    if core_pattern()["goes_to"] != CORES_TO_VOLUME:
        pytest.skip(f"core files go to {core_pattern()['goes_to']}")
    eventually(lambda: len(children_of(running.state(ENGINE).pid)) > 0, "the engine's own process")
    before = running.state(ENGINE)
    os.kill(children_of(before.pid)[0].pid, signal.SIGABRT)
    eventually(lambda: running.state(ENGINE).restarts == before.restarts + 1, "a restart")
    volume = running.client.api.inspect_volume(running.name("engine-cores"))
    cores = list(Path(volume["Mountpoint"]).glob("core*"))
    assert [path.stat().st_size > 100_000 for path in cores] == [True]
    assert running.state(ENGINE).last_exit == -signal.SIGABRT


def test_an_agent_beyond_its_memory_leaves_the_pool(running: Running) -> None:
    """Out of memory four times: three restarts, then an alert; nothing else is affected."""
    supervisor = running.stack._supervisor
    assert supervisor is not None
    agent = running.stack._zones.a.service(AGENT)
    environment = {**dict(agent.environment), "AGENT_HOG_MEMORY_MB": "300"}
    # An eighth of the quota, because to fill 2 GB four times takes a quarter of a minute.
    limit = agent.memory_bytes // 8
    greedy = replace(
        agent,
        environment=tuple(environment.items()),
        memory_bytes=limit,
        memory_swap_bytes=limit,
    )
    supervisor.start(greedy, 99)
    eventually(lambda: bool(running.stack.alerts()), "an alert")
    counted = running.stack.describe()["services"][f"{AGENT}-99"]
    assert (counted["restarts"], counted["oom_kills"], counted["lost"]) == (3, 4, True)
    (alert,) = running.stack.alerts()
    assert "out of the pool" in alert
    assert "out of memory" in alert
    assert all(state.alive for state in running.stack.services() if state.name in ZONE_B)
    supervisor.remove(running.name(f"{AGENT}-99"))


def _actions(running: Running, service: str) -> list[str]:
    name = running.name(service)
    return [e["action"] for e in running.stack.describe()["events"] if e["container"] == name]
