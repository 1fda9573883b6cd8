"""A scenario stretched over blocks, with the disturbance over one of each pair."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.assessment.assess import assess_and_store_with_analysis
from harness.clock import NS_PER_S
from harness.errors import UsageError
from harness.evidence.run_folder import scenario_text
from harness.experiments import isolation_run
from harness.experiments.isolation_run import expand_blocks, judge_blocks
from harness.scenario import Scenario
from harness.scenario.isolation import Isolation
from tests.unit.analysis.evidence import World, healthy

PAUSE: dict[str, Any] = {"kind": "pause", "target": "data-processor"}


def document() -> dict[str, Any]:
    """A small scenario with two stages."""
    return {
        "name": "small",
        "about": "a question",
        "objectives": ["p99 < 500 ms"],
        "load": {
            "warmup_s": 5,
            "repeat": 3,
            "stages": [
                {"agents": 5, "rate_from": 10, "rate_to": 90, "duration_s": 7},
                {"agents": 9, "rate_from": 20, "duration_s": 3},
            ],
        },
    }


@given(pairs=st.integers(1, 60), block_s=st.integers(5, 60), seed=st.integers(0, 2**62))
def test_the_disturbance_lies_over_one_block_of_each_pair(
    pairs: int, block_s: int, seed: int
) -> None:
    """Once in each pair, let go before its block ends, and the blocks fill the load."""
    isolation = Isolation(pairs=pairs, block_s=float(block_s))
    found = document()
    expand_blocks(found, isolation, [PAUSE], seed)
    scenario = Scenario.model_validate(found)
    (fault,) = scenario.fault
    assert len(fault.at_s) == pairs
    assert scenario.load.stages[0].duration_s == 2 * pairs * block_s
    assert [int(at_s // (2 * block_s)) for at_s in fault.at_s] == list(range(pairs))
    for before, after in itertools.pairwise(fault.at_s):
        assert after >= before + block_s
    assert scenario.planned_faults()[0].for_ns == isolation.block_ns - isolation.release_ns


@given(pairs=st.integers(1, 20), block_s=st.integers(5, 60), seed=st.integers(0, 2**62))
def test_a_disturbance_of_moments_strikes_again_and_again(
    pairs: int, block_s: int, seed: int
) -> None:
    """At the start of each treatment block, then every four seconds, never after its release."""
    isolation = Isolation(pairs=pairs, block_s=float(block_s))
    lasting, striking = document(), document()
    expand_blocks(lasting, isolation, [PAUSE], seed)
    expand_blocks(striking, isolation, [{"kind": "memory_hog", "target": "python-agent-1"}], seed)
    starts = Scenario.model_validate(lasting).fault[0].at_s
    times = Scenario.model_validate(striking).fault[0].at_s
    assert set(starts) <= set(times)
    for at_s in times:
        since_s = min(at_s - start_s for start_s in starts if start_s <= at_s)
        assert since_s % 4 == pytest.approx(0)
        assert since_s < block_s - isolation.release_s


def test_it_survives_its_file() -> None:
    """What is kept of a run in blocks is read back as it was."""
    found = document()
    expand_blocks(found, Isolation(pairs=5), [PAUSE], 1)
    scenario = Scenario.model_validate(found)
    text = scenario_text(scenario)
    assert Scenario.model_validate(tomllib.loads(text)) == scenario


def test_faults_of_its_own_are_refused() -> None:
    """They would affect baseline blocks as well."""
    found = document() | {"fault": [{**PAUSE, "at_s": 1, "for_s": 1}]}
    with pytest.raises(UsageError, match="faults of its own"):
        expand_blocks(found, Isolation(), [PAUSE], 1)


def test_a_scenario_without_a_load_is_refused() -> None:
    """There is nothing to extend."""
    with pytest.raises(UsageError) as caught:
        expand_blocks({"load": {}}, Isolation(), [PAUSE], 1)
    assert caught.value.where == "load.stages"


def test_blocks_that_do_not_fill_the_load_are_refused() -> None:
    """A load longer than its blocks would have signals that belong to none."""
    found = document() | {"isolation": {"pairs": 5}}
    with pytest.raises(ValidationError, match="the blocks take 150 s"):
        Scenario.model_validate(found)


def test_a_block_of_which_nothing_counts_is_refused() -> None:
    """Settling and release need time."""
    with pytest.raises(ValidationError, match="shorter than block_s"):
        Isolation(block_s=3.0)


def in_blocks() -> World:
    """A run in ten blocks without an effective disturbance."""
    world = healthy()
    load = world.scenario.load
    measured_s = sum(end - start for start, end in load.measured_stretches_ns()) / NS_PER_S
    blocks = {"pairs": 5, "block_s": measured_s / 10, "settle_s": 0.1, "release_s": 0.5}
    document = {**world.scenario.model_dump(mode="json"), "isolation": blocks}
    world.scenario = Scenario.model_validate(document)
    return world


def test_what_was_just_gathered_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And has the same result as the evidence later."""
    folder = in_blocks().write(tmp_path)
    known = assess_and_store_with_analysis(folder)
    again = judge_blocks(folder)
    monkeypatch.delattr(isolation_run, "assess_with_analysis")
    assert judge_blocks(folder, known) == again
    assert [block.signals > 0 for block in again.blocks] == [True] * 10
