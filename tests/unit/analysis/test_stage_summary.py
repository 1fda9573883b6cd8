"""The figures of each stage of a load."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.measurement import Measurement
from harness.analysis.stage_clock import StageClock
from harness.assessment.assess import assess, assess_and_store
from harness.judge.verdict import Verdict
from harness.scenario import Load, Stage
from tests.unit.analysis.evidence import healthy, load_of

OBJECTIVES = ("p99 < 500 ms", "stage busy p99 < 5 ms", "stage 1 max < 500 ms")


def staged_load(*, repeat: int = 1, warmup_s: float = 1.0) -> Load:
    """Two stages of 4 and 6 s, with different agents."""
    stages = (
        Stage(agents=3, rate_from=100.0, rate_to=100.0, duration_s=4.0),
        Stage(name="busy", agents=6, rate_from=100.0, rate_to=300.0, duration_s=6.0),
    )
    return Load(stages=stages, warmup_s=warmup_s, drain_s=5.0, repeat=repeat)


def measured(load: Load, reports: Path, *, full_every: int = 0) -> Measurement:
    """The measurement of a healthy run."""
    return assess(healthy(load, *OBJECTIVES, full_every=full_every).write(reports)).measurement


@pytest.mark.parametrize("repeat", [1, 3])
def test_the_stages_add_up_to_the_run(tmp_path: Path, repeat: int) -> None:
    """Signals, planned and sent, and those with a latency; a row for each stage, not repetition."""
    found = measured(staged_load(repeat=repeat), tmp_path, full_every=3)
    first, second = found.stages
    assert (first.number, first.name, second.number, second.name) == (1, "", 2, "busy")
    assert first.repetitions == second.repetitions == repeat
    assert (first.agents, first.duration_s, second.agents, second.duration_s) == (
        *(3, 4.0 * repeat),
        *(6, 6.0 * repeat),
    )
    rate = next(one for one in found.rates if one.phase == "measure")
    assert (first.intended or 0) + (second.intended or 0) == rate.intended
    assert first.sent + second.sent == rate.in_phase
    for mode in ("lite", "full"):
        latency = found.of("latency", "measure", mode)
        own = [one for stage in found.stages for one in stage.latency if one.mode == mode]
        assert latency is not None
        assert sum(one.count for one in own) == latency.count
        assert max(one.max_ns for one in own) >= latency.max_ns


def test_each_stage_has_its_verdict_interval_and_backlog(tmp_path: Path) -> None:
    """The objectives that name a stage decide its verdict; others do not."""
    found = measured(staged_load(), tmp_path)
    first, second = found.stages
    assert (first.verdict, second.verdict) == (Verdict.PASS.name, Verdict.FAIL.name)
    (latency,) = second.latency
    assert latency.p99_ns is not None
    assert (latency.p99_lower_ns or 0) <= latency.p99_ns <= (latency.p99_upper_ns or 0)
    assert second.rate_asked == pytest.approx(200)
    assert second.rate_sent == pytest.approx(200, rel=0.1)
    assert second.simulated_per_s == pytest.approx(200, rel=0.1)
    at_end = {one.start_s + one.length_s: one.in_flight for one in found.seconds}
    assert (first.in_flight_end, second.in_flight_end) == (at_end[5.0], at_end[11.0])


def test_every_second_names_its_stage_and_agents(tmp_path: Path) -> None:
    """0 in the warm-up, nothing in the drain."""
    found = measured(staged_load(), tmp_path)
    stages = [(one.stage, one.agents) for one in found.seconds]
    assert stages[:11] == [(0, 3), *[(1, 3)] * 4, *[(2, 6)] * 6]
    assert set(stages[11:]) <= {(None, None)}


def test_a_load_of_one_stage_has_no_table(tmp_path: Path) -> None:
    """Its figures are those of the run, also where the run ends when it is decided."""
    load = load_of(duration_s=4.0)
    assert assess(healthy(load, "p99 < 500 ms").write(tmp_path)).measurement.stages == ()


def test_the_result_has_them_and_an_older_one_is_still_read(tmp_path: Path) -> None:
    """`measurement.stages` of result.json; a result without them, or their columns, is valid."""
    folder = healthy(staged_load(), *OBJECTIVES).write(tmp_path)
    stored = assess_and_store(folder).measurement
    document = json.loads(folder.result.read_text(encoding="utf-8"))["measurement"]
    assert Measurement.model_validate(document) == stored
    assert len(document.pop("stages")) == 2
    for second in document["seconds"]:
        del second["stage"], second["agents"]
    assert Measurement.model_validate(document).stages == ()


@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=5),
    repeat=st.integers(1, 3),
    warmup_s=st.integers(0, 3),
)
def test_every_moment_has_the_stage_of_the_timeline(
    lengths: list[int], repeat: int, warmup_s: int
) -> None:
    """By its number, as objectives write it."""
    stages = tuple(
        Stage(agents=number, rate_from=1.0, rate_to=1.0, duration_s=float(length))
        for number, length in enumerate(lengths, 1)
    )
    load = Load(stages=stages, warmup_s=float(warmup_s), repeat=repeat)
    clock = StageClock.of_load(load)
    expected: list[int | None] = [0] * warmup_s
    for _ in range(repeat):
        for number, length in enumerate(lengths, 1):
            expected += [number] * length
    found = [clock.at_s(second + 0.5) for second in range(len(expected))]
    assert [one.number for one in found if one is not None] == expected
    assert all(one.agents == max(one.number, 1) for one in found if one is not None)
    assert clock.at_s(len(expected)) is clock.at_s(-0.5) is None
    for number in range(1, len(lengths) + 1):
        own = {index for index, one in enumerate(clock.stages) if one.number == number}
        assert own == load.stage_numbers(str(number))
