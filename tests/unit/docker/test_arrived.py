"""Options of a container that an engine ignores are reported at once, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from harness.clock import SystemClock
from harness.errors import StackError
from harness.stack.docker.containers import Containers
from tests.unit.docker.samples import PLACE, inspected, spec


class Engine:
    """Answers about one container, and knows no image."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.api = self
        self._document = document

    def images(self, **_: Any) -> list[str]:
        """None."""
        return []

    def inspect_container(self, _: str) -> dict[str, Any]:
        """The container."""
        return self._document


def check(**host: Any) -> None:
    """Hold a container with these settings of its host against the sample."""
    document = inspected()
    document["HostConfig"] |= host
    containers = Containers(Engine(document), PLACE, (), SystemClock())
    containers._check_arrived(spec(), "c")


def test_a_container_that_is_as_wanted_passes() -> None:
    """Nothing is raised."""
    check()


@pytest.mark.parametrize(
    ("host", "what", "hint"),
    [
        # As Podman 4.3 ran it without root on control groups of version 1.
        (
            {"CpuPeriod": 0, "CpuQuota": 0, "CpuShares": 0, "Memory": 0, "MemorySwap": 0},
            "cpu_period_us, cpu_quota_us, cpu_shares, memory_bytes, memory_swap_bytes",
            "run by root",
        ),
        ({"Init": False}, "init", "docker inspect"),
        ({"Privileged": True}, "Privileged", "docker inspect"),
    ],
)
def test_what_did_not_arrive_is_named(host: dict[str, Any], what: str, hint: str) -> None:
    """Each field, the service, and what to do about it."""
    with pytest.raises(StackError) as raised:
        check(**host)
    assert raised.value.what == f"the engine did not take: {what}"
    assert raised.value.where == "engine"
    assert hint in raised.value.hint
