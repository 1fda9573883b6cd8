"""Every observation method has its watcher."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.clock import SystemClock
from harness.contract.observation import ObservationMethod
from harness.errors import UsageError
from harness.observe.plan import ObserverPlan
from harness.observe.worker import make_watcher


def plan_of(method: ObservationMethod, redis_url: SecretStr | None) -> ObserverPlan:
    """A plan of servers that are not asked before the watcher is opened."""
    return ObserverPlan(
        observer_dsn=SecretStr("host=127.0.0.1"),
        redis_url=redis_url,
        run_tag=1,
        folder=Path(),
        method=method,
    )


@pytest.mark.parametrize("method", ObservationMethod)
def test_every_method_makes_its_own_watcher(method: ObservationMethod) -> None:
    """In the module that the method names, and from its name as a contract has it."""
    watcher = make_watcher(plan_of(method, SecretStr("redis://127.0.0.1:1/0")), SystemClock())
    assert type(watcher).__module__ == f"harness.observe.{method.module}"
    watcher.close()
    assert ObservationMethod(str(method)) is method


def test_a_stream_needs_its_redis() -> None:
    """An error, and no other method in its place."""
    with pytest.raises(UsageError, match="Redis"):
        make_watcher(plan_of(ObservationMethod.STREAM, None), SystemClock())
