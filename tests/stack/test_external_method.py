"""A method of another package, installed apart and used by its name in a real run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.stack.conftest import Postgres, Redis
from tests.stack.external_broker import Broker
from tests.stack.external_system import ROOT

pytestmark = [pytest.mark.stack, pytest.mark.pair]

PACKAGE = ROOT / "examples" / "observation-method"
CHANGES = "dbserver.Trading.Orders"
SETTINGS = {"stream": CHANGES, "id_column": "orderId", "status_column": "State"}
SEEN = {"seen": {"way": "debezium_redis", "settings": SETTINGS}}
OPTIONS = (
    *("--set", "load.stages.0.duration_s=4.0", "--set", "telemetry.enabled=false"),
    *("--set", 'objectives=["p90 < 2 s", "rejected < 1 %"]'),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of its own with the package, as `pip install --target` makes it."""
    target = tmp_path_factory.mktemp("site")
    built = tmp_path_factory.mktemp("wheel")
    build = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(built)],
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=True,
    )
    wheel = built / done.stdout.split()[-1]
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(target)], check=True)
    return target


@pytest.fixture
def broker(
    postgres: Postgres, redis_server: Redis, site: Path, monkeypatch: pytest.MonkeyPatch
) -> Broker:
    """The broker's servers; the harness's processes find the package."""
    paths = [str(site), str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    made = Broker(postgres, redis_server, "broker_external")
    made.prepare()
    return made


@contextmanager
def change_capture(url: str, *, broken_after: int | None = None) -> Iterator[None]:
    """Writes each report of the broker as a change in Debezium's format, until it breaks."""
    ended = threading.Event()

    def relay() -> None:
        client = redis.Redis.from_url(url, decode_responses=True)
        last, written = "$", 0
        while not ended.is_set():
            found: Any = client.xread({"broker/reports": last}, 500, 20)
            for entry_id, fields in found[0][1] if found else ():
                last = entry_id
                row = {"orderId": fields["order"], "State": fields["state"]}
                source = {"ts_ms": time.time_ns() // 1_000_000}
                change = {"payload": {"op": "u", "after": row, "source": source}}
                written += 1
                text = json.dumps(change)
                broken = broken_after is not None and written > broken_after
                client.xadd(CHANGES, {"value": "{" if broken else text})
        client.close()

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(5)


def run(broker: Broker, folder: Path, changes: Any, **capture: Any) -> Any:
    """A run by the broker's contract with changes."""
    with broker.open(), change_capture(broker.redis.url, **capture):
        return broker.attach(folder, *OPTIONS, changes=changes)


def test_a_method_of_another_package_by_its_name(broker: Broker, tmp_path: Path) -> None:
    """Every signal is seen, and the evidence names the package."""
    made = run(broker, tmp_path, SEEN)
    assert made.folder is not None, made.output
    observer = json.loads((made.folder.path / "observer.json").read_text("utf-8"))
    assert observer["way"] == "debezium_redis"
    assert observer["method_package"] == "signal-harness-debezium-redis 0.1.0"
    assert observer["misses_nothing"] is True
    for check in ("signals_lost", "final_rows_match", "evidence_consistent", "observer_complete"):
        assert made.check(check)["status"] == "PASS", made.check(check)
    assert made.check("reports_after_commit")["figures"]["words"] > 0
    reasons = " ".join(made.result["judgement"]["grade"]["reasons"])
    assert "signal-harness-debezium-redis 0.1.0" in reasons


def test_a_method_that_crashes_makes_the_run_invalid(broker: Broker, tmp_path: Path) -> None:
    """The name of the package is in the check, and nothing it did not see is a latency."""
    made = run(broker, tmp_path, SEEN, broken_after=20)
    check = made.check("observer_complete")
    assert check["status"] == "INVALID", check
    assert "debezium_redis of signal-harness-debezium-redis 0.1.0 failed" in check["message"]


def test_wrong_names_and_settings_are_refused_before_the_load(
    broker: Broker, tmp_path: Path
) -> None:
    """With the nearest word; exit 2."""
    for seen, text in (
        ({"way": "debezium_rediss"}, "'debezium_redis'"),
        ({"way": "debezium_redis", "settings": {"streams": "x"}}, "stream"),
        ({"way": "polling", "settings": {"stream": "x"}}, "only external methods"),
    ):
        made = broker.attach(tmp_path, *OPTIONS, changes={"seen": seen})
        assert made.code == 2, made.output
        assert text in made.output
        assert made.folder is None
