"""What the harness lacked makes a run INVALID, named with its cause; what it bore does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.measurement import Measurement
from harness.assessment.assess import Assessment, assess
from harness.contract.names import State
from harness.judge.verdict import Verdict
from tests.unit.analysis.evidence import MS, World, healthy, load_of
from tests.unit.judge import self_monitoring_spoilers, spoilers, violations
from tests.unit.judge.assessing import assessed, unclean

Spoil = Callable[[World], None]


def said(found: Assessment, name: str) -> str:
    """What a check says."""
    return next(check.message for check in found.judgement.checks if check.id == name)


SPOILED: dict[str, tuple[Spoil, str, str]] = {
    "swarm saturated": (
        self_monitoring_spoilers.saturated("swarm-0"),
        "generator_cpu",
        "swarm-0 was saturated: it computed for 970 ms of each second",
    ),
    "swarm starved": (
        self_monitoring_spoilers.starved,
        "generator_cpu",
        "swarm-0 was starved: it waited for a core for 800 ms of each second",
    ),
    "swarm overlooked": (
        self_monitoring_spoilers.omit_process("swarm-0"),
        "generator_cpu",
        "samples of 0 of 1 swarm process",
    ),
    "one long pause": (
        self_monitoring_spoilers.pause_swarm(501 * MS),
        "generator_stalls",
        "overslept by 501 ms",
    ),
    "many short pauses": (
        self_monitoring_spoilers.pause_swarm(100 * MS, times=6),
        "generator_stalls",
        "was not awake for 3.16 % of the time",
    ),
    "no watchdog": (
        self_monitoring_spoilers.silence_watchdog,
        "generator_stalls",
        "the swarm's watchdog reported nothing",
    ),
    "observer saturated": (
        self_monitoring_spoilers.saturated("observer"),
        "observer_cpu",
        "the observer was saturated",
    ),
    "observer overlooked": (
        self_monitoring_spoilers.omit_process("observer"),
        "observer_cpu",
        "no sample of the observer",
    ),
    "observer stopped": (
        self_monitoring_spoilers.stop_observer,
        "observer_stalls",
        "stopped (SIGSTOP, or a debugger) in 2 of ",
    ),
    "observer silent": (
        self_monitoring_spoilers.silence_observer,
        "observer_stalls",
        "silent for 7,000 ms",
    ),
    "observer behind": (
        self_monitoring_spoilers.leave_observer_behind,
        "observer_stalls",
        "20,000,000 bytes of replication lag",
    ),
    "cores stolen": (self_monitoring_spoilers.stolen, "cpu_steal", "used "),
    "nobody looked": (
        self_monitoring_spoilers.skip_polls,
        "self_monitoring_complete",
        "no sample of the harness",
    ),
    "line cut short": (
        self_monitoring_spoilers.garble_self_monitoring,
        "self_monitoring_complete",
        "1 line of vitals.jsonl",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_each_rule_finds_its_own(case: str, tmp_path: Path) -> None:
    """Exactly the check that is there for it turns red, and says with figures why."""
    spoil, name, text = SPOILED[case]
    world = healthy(load_of(duration_s=19.0))
    spoil(world)
    found = assessed(world, tmp_path)
    assert unclean(found) == {name: Verdict.INVALID}
    assert text in said(found, name)


def test_noise_raises_no_alarm(tmp_path: Path) -> None:
    """A fully busy host on which signals go out on time is reported and passes."""
    world = healthy()
    self_monitoring_spoilers.noise(world)
    found = assessed(world, tmp_path)
    assert unclean(found) == {}
    assert any("busy: latencies include waiting" in why for why in found.judgement.grade.reasons)


def test_late_generator_is_reported_why(tmp_path: Path) -> None:
    """A check of lateness names what the swarm had to work with."""
    world = healthy()
    spoilers.late(world)
    self_monitoring_spoilers.consume_share(world, "swarm-0", "wait_ns", 0.4)
    found = assessed(world, tmp_path)
    assert unclean(found)["generator_lag_p99"] is Verdict.INVALID
    assert "of each second swarm-0 computed for 100 ms and waited for a core for 400 ms" in said(
        found, "generator_lag_p99"
    )


@pytest.mark.parametrize("objective", ["p99 < 500 ms", "p99 over any 5 s < 500 ms", "rate >= 99 %"])
def test_starved_generator_accuses_nobody(objective: str, tmp_path: Path) -> None:
    """What it sent up to a second late missed the limit by the generator's own doing."""
    world = healthy(None, objective)
    self_monitoring_spoilers.starve_to_lateness(world)
    found = assessed(world, tmp_path)
    assert found.judgement.verdict is Verdict.INVALID
    assert unclean(found).get(objective) is not Verdict.FAIL
    assert {"generator_lag_p99", "generator_cpu"} <= set(unclean(found))


def test_stale_data_of_a_late_generator_is_its_own_doing(tmp_path: Path) -> None:
    """Refusing it is right; refusals for other reasons, or in time, miss the objective."""
    for state, late, verdict in (
        (State.STALE_DATA_ERROR, True, Verdict.INVALID),
        (State.INVARIANT_BROKEN, True, Verdict.FAIL),
        (State.STALE_DATA_ERROR, False, Verdict.FAIL),
    ):
        world = healthy(None, "rejected < 1 %")
        violations.reject(world, np.arange(len(world.attempts[0])) % 20 == 3, state)
        if late:
            spoilers.late(world)
        found = assessed(world, tmp_path)
        assert unclean(found)["rejected_share"] is verdict, (state, late)


def test_late_observer_is_reported_why(tmp_path: Path) -> None:
    """A check of the observer's delay names what the observer had to work with."""
    world = healthy()
    spoilers.slow_observer(80)(world)
    self_monitoring_spoilers.stop_observer(world)
    assert "it was stopped in 2 of " in said(assessed(world, tmp_path), "observer_delay")


@pytest.mark.parametrize("name", ["vitals.jsonl", "swarm.jsonl", "observer.jsonl"])
def test_lost_self_monitoring_is_invalid(name: str, tmp_path: Path) -> None:
    """A run whose self-monitoring was removed is not complete."""
    folder = healthy().write(tmp_path)
    (folder.path / name).unlink()
    found = unclean(assess(folder))
    assert found["evidence_complete"] is Verdict.INVALID


def test_older_runs_are_not_judged_by_what_they_could_not_keep(tmp_path: Path) -> None:
    """A run from before self-monitoring is judged as it was, and the check says not judged."""
    world = healthy()
    del world.run["kept"]
    folder = world.write(tmp_path)
    for path in (folder.self_monitoring, folder.swarm_status, folder.observer_status, folder.seal):
        path.unlink()
    found = assess(folder)
    assert unclean(found) == {}
    check = next(c for c in found.judgement.checks if c.id == "self_monitoring_complete")
    assert check.figures == {"reason": "not_recorded"}
    assert found.measurement.vitals is None


def test_figures_survive_json(tmp_path: Path) -> None:
    """Who had how much of the cores is part of the result."""
    measured = assessed(healthy(load_of(processes=2)), tmp_path).measurement
    assert Measurement.model_validate_json(measured.model_dump_json()) == measured
    assert measured.vitals is not None
    assert [one.name for one in measured.vitals.processes] == [
        "main",
        "observer",
        "swarm-0",
        "swarm-1",
    ]
    assert measured.vitals.host.busy_share == pytest.approx(0.32, abs=0.001)
    assert measured.vitals.host.harness_share == pytest.approx(0.135, abs=0.001)
