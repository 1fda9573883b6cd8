"""A second foreign system, seen in each way: no false alarm, and every defect by its signals.

The whole table, way by defect: `python -m tests.studies.bench.broker`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.broker.broker import DEFECTS
from tests.stack.conftest import Postgres, Redis
from tests.stack.external_broker import Broker
from tests.studies.bench.broker import alarms, problems_of

pytestmark = [pytest.mark.stack, pytest.mark.pair]

# Of a host that tests share with others no more is asked.
PATIENT = ("--set", 'objectives=["p90 < 2 s", "rejected < 1 %"]')
SHORT = ("--set", "load.stages.0.duration_s=4.0", "--set", "telemetry.enabled=false")
# Twice the usual shares, so that a short run has orders of each. An order has one nonce: what
# leaves a gap gives none twice.
ALL = {name: min(0.5, 2 * share) for name, share in DEFECTS.items() if name != "nonce_reuse"}
TRIES = 2


@pytest.fixture(scope="module")
def broker(postgres: Postgres, redis_server: Redis) -> Broker:
    """The broker's servers and users."""
    made = Broker(postgres, redis_server, "broker")
    made.prepare()
    return made


@pytest.mark.parametrize("way", ["polling", "notification"])
def test_a_right_system_raises_no_alarm(way: str, broker: Broker, tmp_path: Path) -> None:
    """Nothing is wrong with it; once more, should the host have been too busy for the run."""
    for attempt in range(TRIES):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        run, _ = broker.trade(way, folder, *SHORT, *PATIENT)
        wrong = {name: check["message"] for name, check in alarms(run).items()}
        assert "FAIL" not in {check["status"] for check in alarms(run).values()}, wrong
        if not wrong:
            return
    assert wrong == {}


@pytest.mark.parametrize("way", ["logical", "stream"])
def test_every_defect_is_named(way: str, broker: Broker, tmp_path: Path) -> None:
    """All of them in one run, each on orders of its own, found by the check that is theirs."""
    defects = [f"{name}:{share}" for name, share in ALL.items()]
    run, harmed = broker.trade(way, tmp_path, *SHORT, defects=defects)
    assert set(harmed) == set(ALL)
    problems = list(problems_of(run, way, harmed))
    assert problems == [], "\n".join(problems)
    assert run.code == 1
