from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from harness.observe.plan import ObservationMethod, ObserverPlan


def test_plan_survives_the_pipe_and_hides_elsewhere() -> None:
    """Secrets reach the worker by its pipe and show nowhere else."""
    plan = ObserverPlan(
        observer_dsn=SecretStr("password=abc"),
        redis_url=SecretStr("redis://:def@h"),
        run_tag=5,
        folder=Path("r"),
        method=ObservationMethod.POLLING,
    )
    assert ObserverPlan.model_validate_json(plan.to_stdin()) == plan
    assert "abc" not in repr(plan)
    assert "def" not in plan.model_dump_json()
