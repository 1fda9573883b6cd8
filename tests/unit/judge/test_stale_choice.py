"""What is stale on purpose follows from the seed; a journal that says otherwise is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.contract.names import State
from harness.judge.verdict import Verdict
from harness.scenario import Signals
from tests.unit.analysis.evidence import World, healthy, load_of
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, id_of, unclean

PLANNED = "journal_matches_plan"
OBJECTIVES = ("p99 < 500 ms", "rejected < 20 %")


def hide_a_slow_signal(world: World) -> None:
    """A rejected signal is marked stale, so that no objective counts it."""
    ordinary = np.flatnonzero(world.attempts[0]["stale"] == 0)[500]
    chosen = np.arange(len(world.attempts[0])) == ordinary
    violations.reject(world, chosen, State.STALE_DATA_ERROR)
    world.attempts[0]["stale"][ordinary] = 1


def hide_a_stale_signal(world: World) -> None:
    """A signal that was sent stale is said to have been an ordinary one."""
    world.attempts[0]["stale"][np.flatnonzero(world.attempts[0]["stale"] == 1)[50]] = 0


@pytest.mark.parametrize(
    ("forge", "text"),
    [
        (hide_a_slow_signal, "1 signal marked as stale that the seed does not choose"),
        (hide_a_stale_signal, "1 signal not marked as stale that the seed chooses"),
    ],
)
def test_marks_that_the_seed_does_not_give_are_invalid(
    forge: Callable[[World], None], text: str, tmp_path: Path
) -> None:
    """Either way round, a single one is found."""
    world = healthy(None, *OBJECTIVES, stale_every=10)
    forge(world)
    found = assessed(world, tmp_path)
    assert unclean(found).get(PLANNED) is Verdict.INVALID
    said = next(one.message for one in found.judgement.checks if one.id == PLANNED)
    assert text in said


def test_mark_in_a_plan_without_stale_signals_is_invalid(tmp_path: Path) -> None:
    """Nothing is sent stale where the scenario does not ask for it."""
    world = healthy(None, *OBJECTIVES)
    hide_a_slow_signal(world)
    assert unclean(assessed(world, tmp_path)) == {PLANNED: Verdict.INVALID}


def test_chain_that_was_too_young_for_stale_blocks_is_no_forgery(tmp_path: Path) -> None:
    """Until the head is at block 6, chosen signals are sent as ordinary ones."""
    world = healthy(None, *OBJECTIVES, stale_every=10)
    attempts = world.attempts[0]
    young = attempts["sent_ns"] < np.sort(attempts["sent_ns"])[0] + 2_000_000_000
    attempts["sync_block"][young] = 5
    chosen = young & (attempts["stale"] == 1)
    assert chosen.sum() > 5
    attempts["stale"][chosen] = 0
    found = unclean(assessed(world, tmp_path))
    assert PLANNED not in found


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**63 - 1), st.integers(2, 40), st.integers(1, 7))
def test_what_the_seed_gives_is_never_called_forged(
    tmp_path: Path, seed: int, every: int, agents: int
) -> None:
    """Any seed, any share, any number of agents."""
    world = healthy(load_of(agents=agents, rate=50.0, duration_s=3.0), seed=seed, stale_every=every)
    assert PLANNED not in unclean(assessed(world, tmp_path))


def test_stale_signals_alone_cannot_be_asked_for() -> None:
    """No objective is about them, so that nothing would be judged."""
    with pytest.raises(ValidationError, match="less than 1"):
        Signals(stale_share=1.0)


def test_run_of_stale_signals_alone_says_nothing(tmp_path: Path) -> None:
    """Should chance, or a forger, leave no other: no objective is met by missing data."""
    world = healthy(load_of(agents=1), *OBJECTIVES, "simulated >= 50 %", stale_every=10)
    world.reject(world.attempts[0][world.attempts[0]["stale"] == 0], State.STALE_DATA_ERROR)
    world.attempts[0]["stale"] = 1
    found = assessed(world, tmp_path)
    for name in ("signals_simulated", *map(id_of, (*OBJECTIVES, "simulated >= 50 %"))):
        assert unclean(found)[name] is Verdict.INVALID, name
