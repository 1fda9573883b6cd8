"""One real run through the pytest plugin: result, tables, and a process that stays as it was."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from harness.process.run_registry import other_runs
from tests.unit.api.test_pytest_plugin import PLUGIN

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.stack, pytest.mark.alone]
ROOT = Path(__file__).resolve().parents[2]
SUITE = f"""
import numpy as np
from harness import seconds

def test_smoke(signal_run):
    run = signal_run(
        "{ROOT}/scenarios/smoke.toml", agents=5, rate=50, duration_s=8, seed=3,
        settings=["load.warmup_s=1", "load.drain_s=5", "engine.workers=1"],
    )
    assert run.verdict.name in ("PASS", "INCONCLUSIVE"), run.summary
    assert not run.p50 >= seconds(5)
    assert run.report.is_file()
    signals = run.signals()
    assert signals.rows == run.measurement.account.attempted > 300
    arrived = signals["class"] == "simulated"
    assert arrived.any() and np.isfinite(signals["latency_ns"][arrived]).all()
    assert run.telemetry().rows
"""


def test_a_real_run_in_a_test(pytester: pytest.Pytester) -> None:
    """The process of pytest has its handlers, environment and name afterwards."""
    pytester.makepyfile(SUITE)
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    name = Path("/proc/self/comm").read_text(encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    done = pytester.runpytest_inprocess(*PLUGIN, "-W", "error")
    done.assert_outcomes(passed=1)
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert Path("/proc/self/comm").read_text(encoding="utf-8") == name
    after = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    assert after == environment
    assert "gevent" not in sys.modules
    assert os.getpid() not in other_runs().pids
