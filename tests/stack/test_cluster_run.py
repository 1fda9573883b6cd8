"""A whole run on a Redis Cluster of six nodes: every signal is simulated once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import Exit

pytestmark = [pytest.mark.stack, pytest.mark.pair]


def test_a_run_on_six_nodes(tmp_path: Path) -> None:
    """A load of five seconds may leave the percentile undecided; nothing is lost or repeated."""
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "harness", "run", "smoke", "--duration", "5"),
            *("--set", "redis.cluster_nodes=6", "--reports", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    # A busy machine makes a run INVALID, which is a verdict too.
    assert done.returncode in (Exit.PASS, Exit.INCONCLUSIVE, Exit.INVALID), done.stdout
    (result,) = tmp_path.glob("*/result.json")
    document = json.loads(result.read_text(encoding="utf-8"))
    account = document["measurement"]["account"]
    assert account["attempted"] == account["simulated"] > 500
    checks = {one["id"]: one["status"] for one in document["judgement"]["checks"]}
    assert (checks["signals_lost"], checks["effects_duplicated"]) == ("PASS", "PASS")
