"""The input of the telemetry process, and its secrets."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from harness.telemetry.plan import TelemetryPlan


def test_secrets_go_through_the_pipe_alone() -> None:
    """One line with the passwords; what is printed or dumped has none."""
    plan = TelemetryPlan(
        conninfo=SecretStr("password=hush"),
        redis_url=SecretStr("redis://:hush@h"),
        path=Path("/x"),
        every_ns=1,
    )
    line = plan.to_stdin()
    assert line.count("\n") == 1
    assert TelemetryPlan.model_validate_json(line) == plan
    assert "hush" in line
    assert "hush" not in repr(plan) + plan.model_dump_json()
