"""Faults of containers, each with its own probe, on a stack that runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.docker.faults import DockerArmory
from harness.docker.partition import PartitionInjector
from harness.errors import StackError
from harness.faults.arms import Arm
from harness.scenario.fault import CpuHog, Fault, MemoryHog, Partition, Pause
from tests.docker.conftest import Running, eventually

pytestmark = pytest.mark.docker

# Neither engine nor servers: what other tests of this stack look at stays as it is.
TARGET = "data-processor"
FAULTS: tuple[Fault, ...] = (
    Partition(kind="partition", target=TARGET, peer="redis", at_s=(0,), for_s=2),
    Partition(
        kind="partition", target=TARGET, peer="redis", direction="from_peer", at_s=(0,), for_s=2
    ),
    Pause(kind="pause", target=TARGET, at_s=(0,), for_s=1),
    CpuHog(kind="cpu_hog", target=TARGET, processes=1, at_s=(0,), for_s=2),
    MemoryHog(kind="memory_hog", target=TARGET, at_s=(0,)),
)


@pytest.fixture(scope="module")
def armory(running: Running) -> Iterator[DockerArmory]:
    """Makes faults ready on the session's stack."""
    made = DockerArmory(running.stack.token, running.stack.services, running.endpoints)
    yield made
    made._client.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_a_fault_is_seen_and_healed(fault: Fault, armory: DockerArmory) -> None:
    """By a probe that knows nothing of the injector."""
    arm = armory.arm(fault)
    arm.probe.before()
    assert not arm.probe.holds()
    try:
        arm.injector.inject()
        eventually(lambda: bool(arm.probe.holds()), f"{fault.kind} holds")
    finally:
        arm.injector.heal()
    eventually(lambda: bool(arm.probe.ended()), f"{fault.kind} has ended")
    assert not arm.probe.holds() or fault.kind == "memory_hog"  # its count stays grown


def test_a_rule_on_the_wrong_address_is_not_seen(armory: DockerArmory) -> None:
    """It drops nothing between the two, and is taken away all the same."""
    arm: Arm = armory.arm(FAULTS[0])
    injector = arm.injector
    assert isinstance(injector, PartitionInjector)
    true = injector.inspect

    def wrong(name: str) -> dict[str, Any]:
        document = true(name)
        for network in document["NetworkSettings"]["Networks"].values():
            network["IPAddress"] = "192.0.2.1"
        return document

    injector.inspect = wrong
    arm.probe.before()
    try:
        injector.inject()
        assert injector._rules
        assert arm.probe.holds() == ""
    finally:
        injector.heal()
    assert arm.probe.ended()


def test_nobody_to_connect_to_is_told_before(armory: DockerArmory) -> None:
    """A peer that does not listen could not be parted from anything."""
    fault = Partition(kind="partition", target=TARGET, peer="archiver", at_s=(0,), for_s=2)
    arm = armory.arm(fault)
    with pytest.raises(StackError, match="no connection"):
        _unreachable(arm).before()


def _unreachable(arm: Arm) -> Any:
    probe: Any = arm.probe
    true = probe.inspect

    def closed(name: str) -> dict[str, Any]:
        document: dict[str, Any] = true(name)
        document["Config"]["Env"] = ["DEFI_HTTP_PORT=9"]
        return document

    probe.inspect = closed
    return probe
