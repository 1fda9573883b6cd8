"""Faults of containers, each with its own probe, on a stack that runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.clock import SystemClock
from harness.errors import StackError
from harness.evidence.fault_log import read_faults
from harness.faults.docker.factory import DockerFaultFactory
from harness.faults.instance import FaultInstance
from harness.faults.kinds.disk_fill import DiskFill
from harness.faults.kinds.fork_storm import ForkStorm
from harness.faults.kinds.group_leak import GroupLeak
from harness.faults.kinds.link_quality import Delay
from harness.faults.kinds.partition import Partition
from harness.faults.kinds.pause import Pause
from harness.faults.kinds.redis_flood import RedisFlood
from harness.faults.kinds.resource_hog import CpuHog, MemoryHog
from harness.faults.kinds.slow_disk import SlowDisk
from harness.faults.runner import FaultRunner
from harness.judge.faults.injection import check_faults
from harness.judge.verdict import Status
from harness.scenario import Scenario
from harness.scenario.fault import Fault
from tests.docker.broken_partition import astray
from tests.docker.conftest import Running, eventually
from tests.docker.interrupted import has_loops

pytestmark = pytest.mark.docker

# Neither engine nor servers: what other tests of this stack look at stays as it is.
TARGET = "data-processor"
AGENT = "python-agent-1"
FAULTS: tuple[Fault, ...] = (
    Partition(kind="partition", target=TARGET, peer="redis", at_s=(0,), for_s=2),
    Partition(
        kind="partition", target=TARGET, peer="redis", direction="from_peer", at_s=(0,), for_s=2
    ),
    Delay(kind="delay", target=TARGET, peer="redis", at_s=(0,), for_s=2, delay_ms=20),
    Pause(kind="pause", target=TARGET, at_s=(0,), for_s=1),
    CpuHog(kind="cpu_hog", target=TARGET, processes=1, at_s=(0,), for_s=2),
    MemoryHog(kind="memory_hog", target=TARGET, at_s=(0,)),
    ForkStorm(kind="fork_storm", target=TARGET, at_s=(0,), for_s=2),
    RedisFlood(kind="redis_flood", target=AGENT, commands_per_s=4_000, at_s=(0,), for_s=2),
    GroupLeak(kind="group_leak", target=AGENT, at_s=(0,), for_s=2),
)
# The reference engine writes nothing there, so that nobody else is held up.
ON_DISKS: tuple[Fault, ...] = (
    DiskFill(kind="disk_fill", target="engine", at_s=(0,), for_s=1),
    SlowDisk(kind="slow_disk", target="engine", at_s=(0,), for_s=1),
)


@pytest.fixture(scope="module")
def factory(running: Running) -> Iterator[DockerFaultFactory]:
    """Makes faults ready on the session's stack."""
    made = DockerFaultFactory(running.stack.token, running.stack.services, running.endpoints)
    yield made
    made.client.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_a_fault_is_seen_and_healed(
    fault: Fault, factory: DockerFaultFactory, running: Running
) -> None:
    """By a probe that knows nothing of the injector."""
    if fault.target == AGENT:
        running.agent()
    instance = factory.create(fault)
    instance.probe.before()
    assert not instance.probe.holds()
    try:
        instance.injector.inject()
        eventually(lambda: bool(instance.probe.holds()), f"{fault.kind} holds")
    finally:
        instance.injector.heal()
    eventually(lambda: bool(instance.probe.ended()), f"{fault.kind} has ended")
    assert not instance.probe.holds() or fault.kind == "memory_hog"  # its count stays grown


@pytest.mark.parametrize("fault", ON_DISKS, ids=lambda fault: fault.kind)
def test_a_fault_of_a_disk_is_seen_and_healed(
    fault: Fault, factory: DockerFaultFactory, running: Running
) -> None:
    """On the file system that the stack was given for it."""
    if not has_loops():
        pytest.skip("no loop devices for this user")
    test_a_fault_is_seen_and_healed(fault, factory, running)


def test_the_host_s_disk_is_never_harmed(factory: DockerFaultFactory) -> None:
    """A volume that was not given a file system lies on it."""
    instance = factory.create(DiskFill(kind="disk_fill", target="redis", at_s=(0,), for_s=1))
    with pytest.raises(StackError, match="no file system of its own"):
        instance.injector.inject()
    instance.injector.heal()


def test_a_rule_on_the_wrong_address_spoils_the_run(
    factory: DockerFaultFactory, tmp_path: Path
) -> None:
    """It drops nothing between the two, and is removed all the same."""
    instance = factory.create(FAULTS[0])
    injector: Any = instance.injector
    injector.inspect = astray(injector.inspect)
    fault = FAULTS[0].model_copy(update={"for_s": 0.5}).model_dump(mode="json")
    scenario = Scenario.model_validate(
        {
            "name": "astray",
            "about": "a partition that parts nobody",
            "objectives": ["recovery < 15 s"],
            "load": {"warmup_s": 0, "stages": [{"agents": 1, "rate_from": 1, "duration_s": 5}]},
            "fault": [fault],
        }
    )
    path, clock = tmp_path / "faults.jsonl", SystemClock()
    t0_ns = clock.now_ns()
    made: Any = SimpleNamespace(create=lambda _: instance)
    runner = FaultRunner(scenario.planned_faults(), made, path, clock)
    runner.start(t0_ns)
    runner.stop()
    assert len(injector._rules) == 4
    records = read_faults(path.read_text(encoding="utf-8").splitlines())
    case: Any = SimpleNamespace(
        scenario=scenario,
        analysis=SimpleNamespace(faults=SimpleNamespace(records=records)),
        plan=SimpleNamespace(t0_ns=t0_ns),
    )
    (check,) = check_faults(case)
    assert check.status is Status.INVALID
    assert "it was never seen to take hold" in check.message
    assert records[0].heal_proven_ns is not None


def test_nobody_to_connect_to_is_reported_before(factory: DockerFaultFactory) -> None:
    """A peer that does not listen could not be parted from anything."""
    fault = Partition(kind="partition", target=TARGET, peer="archiver", at_s=(0,), for_s=2)
    instance = factory.create(fault)
    with pytest.raises(StackError, match="no connection"):
        _unreachable(instance).before()


def _unreachable(instance: FaultInstance) -> Any:
    probe: Any = instance.probe
    true = probe.path.inspect

    def closed(name: str) -> dict[str, Any]:
        document: dict[str, Any] = true(name)
        document["Config"]["Env"] = ["DEFI_HTTP_PORT=9"]
        return document

    probe.path = replace(probe.path, inspect=closed)
    return probe
