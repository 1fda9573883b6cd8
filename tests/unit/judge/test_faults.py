"""Faults in the judgement: unproven ones spoil a run, planned restarts do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.assessment.assess import Assessment
from harness.evidence.fault_log import FaultRecord
from harness.judge.check import Check
from harness.judge.verdict import Verdict
from harness.scenario import Scenario
from tests.unit.analysis.evidence import MS, T0_NS, Delays, S, World, healthy
from tests.unit.judge.assessing import assessed, unclean

NAME = "faults_proven"
RECOVERY = "recovery < 15 s"
KILL = {"kind": "kill", "target": "engine", "at_s": 8}
PAUSE = {"kind": "pause", "target": "redis", "at_s": 8, "for_s": 3}
# One second of warm-up comes before.
AT_NS = T0_NS + 9 * S


def outage(begin_s: float, end_s: float) -> Delays:
    """Nothing is committed within a stretch of the load; then everything at once."""
    intended = healthy().attempts[0]["intended_ns"] - T0_NS

    def draw(count: int) -> Any:
        at_ns = intended[:count]
        held = (at_ns >= begin_s * S) & (at_ns < end_s * S)
        return np.where(held, np.maximum(end_s * S - at_ns, 10 * MS), 10 * MS).astype(np.int64)

    return draw


def faulty(fault: dict[str, Any], record: FaultRecord | None, *objectives: str) -> World:
    """A run with one fault, and what was written down of it."""
    world = healthy(None, *(objectives or (RECOVERY,)), delays=outage(9.0, 9.6))
    document = {**world.scenario.model_dump(mode="json"), "fault": [fault]}
    world.scenario = Scenario.model_validate(document)
    world.faults = [record] if record else []
    return world


def killed(**changes: Any) -> FaultRecord:
    """A kill that was proven and healed."""
    known = {
        "number": 0,
        "kind": "kill",
        "target": "engine",
        "planned_ns": AT_NS,
        "injected_ns": AT_NS + MS,
        "proven_ns": AT_NS + 20 * MS,
        "healed_ns": AT_NS + 20 * MS,
        "heal_proven_ns": AT_NS + 600 * MS,
        "seen": "process 7 is gone",
        "seen_healed": "process 8 is in its place",
    }
    return FaultRecord.model_validate({**known, **changes})


def paused(**changes: Any) -> FaultRecord:
    """A pause of three seconds that was proven and healed."""
    known = {
        "kind": "pause",
        "target": "redis",
        "for_ns": 3 * S,
        "held_ns": AT_NS + 3 * S,
        "healed_ns": AT_NS + 3 * S,
        "heal_proven_ns": AT_NS + 3 * S + 30 * MS,
    }
    return killed(**{**known, **changes})


def check_of(found: Assessment, name: str = NAME) -> Check:
    """The check of that name."""
    return next(check for check in found.judgement.checks if check.id == name)


def test_a_proven_fault_is_no_reason_against_a_run(tmp_path: Path) -> None:
    """With the restart that it brought about."""
    world = faulty(KILL, killed())
    world.event("service_restarted", AT_NS + 200 * MS)
    world.event("fault_planned", AT_NS + 20 * MS)
    found = assessed(world, tmp_path)
    assert unclean(found) == {}
    assert "1 restart that planned faults explain" in check_of(found, "unplanned_events").message


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (None, "it has no record"),
        (killed(injected_ns=None, proven_ns=None, heal_proven_ns=None), "was not injected"),
        (killed(proven_ns=None), "never seen to take hold"),
        (killed(heal_proven_ns=None), "never seen to be over"),
        (killed(injected_ns=AT_NS - MS), "before its time"),
        (killed(target="redis"), "of another fault"),
        (killed(planned_ns=AT_NS + 1), "of another fault"),
        (killed(for_ns=1), "of another fault"),
        (killed(injected_ns=T0_NS + 21 * S, proven_ns=T0_NS + 22 * S), "measured load was over"),
        (killed(number=1), "does not plan"),
        (killed(trouble="OSError: made up"), "made up"),
    ],
)
def test_an_unproven_fault_makes_the_run_invalid(
    record: FaultRecord | None, text: str, tmp_path: Path
) -> None:
    """A fault that silently did nothing proves nothing."""
    found = assessed(faulty(KILL, record), tmp_path)
    assert unclean(found)[NAME] is Verdict.INVALID
    assert text in check_of(found).message


def test_a_fault_that_lasts_must_hold_to_its_end(tmp_path: Path) -> None:
    """What was seen once, and not again before it was removed, may have failed in between."""
    assert unclean(assessed(faulty(PAUSE, paused()), tmp_path)) == {}
    found = assessed(faulty(PAUSE, paused(held_ns=None)), tmp_path)
    assert "did not hold to its end" in check_of(found).message
    cut = paused(held_ns=AT_NS + S, healed_ns=AT_NS + S, heal_proven_ns=AT_NS + 2 * S)
    found = assessed(faulty(PAUSE, cut), tmp_path / "cut")
    assert "healed before its end" in check_of(found).message


def test_lost_evidence_of_faults_is_no_evidence(tmp_path: Path) -> None:
    """A run that planned faults and has no file of them; one that planned none needs none."""
    world = faulty(KILL, killed())
    world.faults = None
    assert unclean(assessed(world, tmp_path))[NAME] is Verdict.INVALID
    assert NAME not in {check.id for check in assessed(healthy(), tmp_path).judgement.checks}


@pytest.mark.parametrize(
    ("after_ns", "record", "fault"),
    [
        (-100 * MS, killed(), KILL),  # before the fault
        (16 * S, killed(heal_proven_ns=AT_NS + S // 2), KILL),  # long after it
        (
            200 * MS,
            killed(kind="checkpoint", target="postgres"),
            {"kind": "checkpoint", "at_s": 8},
        ),  # which ends no service
    ],
)
def test_other_restarts_stay_unplanned(
    after_ns: int, record: FaultRecord, fault: dict[str, Any], tmp_path: Path
) -> None:
    """A fault excuses only what it can have brought about."""
    world = faulty(fault, record)
    world.event("service_restarted", AT_NS + after_ns)
    found = unclean(assessed(world, tmp_path))
    assert found["unplanned_events"] is Verdict.INVALID


def test_recovery_counts_from_the_fault(tmp_path: Path) -> None:
    """From the injection of a moment, from the end of one that lasts."""
    (one,) = assessed(faulty(KILL, killed()), tmp_path).measurement.recoveries
    assert (one.kind, one.what) == ("kill", "kill of engine")
    assert one.first_ns is not None
    assert 400 * MS < one.first_ns < 700 * MS
    world = healthy(None, RECOVERY, delays=outage(9.0, 12.4))
    world.scenario = faulty(PAUSE, None).scenario
    world.faults = [paused()]
    (one,) = assessed(world, tmp_path).measurement.recoveries
    assert one.what == "pause of redis for 3 s"
    assert one.first_ns is not None
    assert one.first_ns < 500 * MS
    assert one.normal_ns is not None
    assert one.normal_ns < 100 * MS  # of the time before the pause, not during it


def test_a_slow_recovery_fails(tmp_path: Path) -> None:
    """However well it was proven."""
    world = faulty(KILL, killed(), "recovery < 0.3 s")
    assert unclean(assessed(world, tmp_path))["recovery_time"] is Verdict.FAIL


def test_percentiles_with_and_without_the_fault(tmp_path: Path) -> None:
    """Signals of the fault keep their place; beside them stands what was outside of it."""
    found = assessed(faulty(KILL, killed()), tmp_path).measurement
    whole = found.of("latency", "measure", "lite")
    apart = next(one for one in found.outside_faults if one.metric == "latency")
    assert whole is not None
    assert whole.max_ns > 400 * MS
    assert apart.max_ns < 50 * MS
    assert 0 < whole.count - apart.count < 200
    assert found.faults[0].seen == "process 7 is gone"
    assert assessed(healthy(), tmp_path).measurement.outside_faults == ()


def late_sending(world: World, begin_s: float, end_s: float) -> None:
    """The swarm sends what was due in a stretch only at its end."""
    sent, intended = world.attempts[0]["sent_ns"], world.attempts[0]["intended_ns"]
    held = (intended >= T0_NS + begin_s * S) & (intended < T0_NS + end_s * S)
    late = np.where(held, np.maximum(sent, T0_NS + round(end_s * S)), sent)
    world.acks[0]["acked_ns"] += late - sent
    world.attempts[0]["sent_ns"] = late


@pytest.mark.parametrize(
    ("spoil", "verdict"),
    [
        (lambda world: late_sending(world, 9.0, 9.5), Verdict.PASS),
        (lambda world: late_sending(world, 14.0, 14.5), Verdict.INVALID),
    ],
)
def test_lateness_is_the_generators_only_outside(
    spoil: Callable[[World], None], verdict: Verdict, tmp_path: Path
) -> None:
    """While Redis is away nothing can be sent to it; at other times it is as ever."""
    world = faulty(KILL, killed())
    spoil(world)
    check = check_of(assessed(world, tmp_path), "generator_lag_p99")
    assert check.status.verdict is verdict
    assert "outside the windows of faults" in check.message
