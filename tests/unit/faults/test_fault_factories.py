"""Every kind is made ready on each stack that can have it, with an injector and a probe."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from harness.clock import SystemClock
from harness.errors import UsageError
from harness.faults.docker import factory as docker_factory
from harness.faults.docker.factory import DockerFaultFactory
from harness.faults.factory import (
    AgentTargets,
    ProcessFaultFactory,
    RunResources,
    StackFaultFactory,
)
from harness.scenario.fault_base import FaultBase
from harness.scenario.fault_registry import fault_kinds, find_injection
from harness.stack.base import Endpoints
from harness.stack.settings import ROOT

ENDPOINTS = Endpoints(
    redis_url=SecretStr("redis://:hush@127.0.0.1:1/0"),
    observer_dsn=SecretStr("host=127.0.0.1 port=1"),
    admin_dsn=SecretStr("host=127.0.0.1 port=1"),
)
RUN = RunResources(
    ROOT,
    ROOT,
    "observer",
    AgentTargets(dict, "dev:proposals", "dev:chain", frozenset()),
    SystemClock(),
)
PAIRS = [
    (kind, stack)
    for kind in fault_kinds()
    for stack in ("process", "docker")
    if find_injection(kind, stack) and kind != "backup"  # needs a real run's folder: tests/stack
]


def factory_of(stack: str, run: RunResources | None) -> StackFaultFactory:
    """Of a stack that does not run."""
    if stack == "process":
        return ProcessFaultFactory(lambda: (), ENDPOINTS, run)
    return DockerFaultFactory("t0", lambda: (), ENDPOINTS, run)


def fault_of(kind: str) -> FaultBase:
    """One with the parameters that a random draw gives it."""
    model = fault_kinds()[kind]
    chance = random.Random(1)  # noqa: S311 - to be repeatable, not secret
    fields: dict[str, Any] = {"kind": kind, "at_s": 1, **model.draw(chance, 5.0)}
    if model.model_fields["target"].is_required():
        fields["target"] = "python-agent-1" if model.targets.needs_agents else "engine"
    return model.model_validate(fields)


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_factory, "connect", SimpleNamespace)


@pytest.mark.parametrize(("kind", "stack"), PAIRS)
def test_a_kind_has_an_injector_and_a_probe_that_know_nothing_of_each_other(
    kind: str, stack: str
) -> None:
    """Both are new for each fault."""
    factory = factory_of(stack, RUN)
    made, again = factory.create(fault_of(kind)), factory.create(fault_of(kind))
    for part, names in ((made.injector, ("inject", "heal")), (made.probe, ("before", "holds"))):
        assert all(callable(getattr(part, name)) for name in names)
    assert made.injector not in vars(made.probe).values()
    assert made.probe not in vars(made.injector).values()
    assert made.injector is not again.injector
    assert made.probe is not again.probe


@pytest.mark.parametrize("kind", ["feed_stall", "backup"])
def test_what_needs_a_run_is_refused_without_one(kind: str) -> None:
    """There are no agents, and no folder."""
    with pytest.raises(UsageError, match="only in a run"):
        factory_of("process", None).create(fault_of(kind))


def test_a_stack_refuses_a_kind_that_it_cannot_have() -> None:
    """Whatever the check before the run missed."""
    with pytest.raises(UsageError, match="not possible on the process stack"):
        factory_of("process", RUN).create(fault_of("partition"))
