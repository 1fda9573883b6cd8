"""What a terminal shows of faults."""

from __future__ import annotations

from pathlib import Path

from harness.clock import NS_PER_S
from harness.evidence.fault_log import FaultRecord
from harness.scenario import Scenario
from tests.unit.analysis.evidence import T0_NS, healthy, load_of
from tests.unit.test_terminal import shown

FAULT = {"kind": "kill", "target": "engine", "at_s": 8}


def test_faults_are_reported_with_their_recovery(tmp_path: Path) -> None:
    """What was done, what the probe saw, and the latency of the signals outside."""
    world = healthy(load_of(), "p99 < 5 s")
    text = shown(world, tmp_path / "without")
    assert "outside of faults" not in text
    document = {**world.scenario.model_dump(mode="json"), "fault": [FAULT]}
    world.scenario = Scenario.model_validate(document)
    at_ns = T0_NS + 9 * NS_PER_S
    world.faults = [
        FaultRecord(
            number=0,
            kind="kill",
            target="engine",
            planned_ns=at_ns,
            injected_ns=at_ns + 1,
            proven_ns=at_ns + 20_000_000,
            healed_ns=at_ns + 20_000_000,
            heal_proven_ns=at_ns + 600_000_000,
            seen="process 7 is gone",
        )
    ]
    text = shown(world, tmp_path / "with")
    for part in ("kill engine", "9.0 s", "process 7 is gone", "signals outside of faults: P50"):
        assert part in text, part
