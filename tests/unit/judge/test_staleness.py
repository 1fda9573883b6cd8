"""Agents that are held up: what the engine has to refuse, and what that counts as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.assessment.assess import Assessment
from harness.contract.names import State
from harness.evidence.fault_log import FaultRecord
from harness.evidence.records import HEAD
from harness.judge.check import Check
from harness.judge.verdict import Status, Verdict
from harness.scenario import Scenario
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy, server_us
from tests.unit.judge.assessing import assessed, id_of, unclean

NAME = "stale_refused_in_time"
REJECTED = "rejected < 1 %"
FAULT = {"kind": "feed_stall", "at_s": 4, "for_s": 10}
# One second of warm-up comes before; a block comes every 2 s, block 100 at t0.
BEGIN_NS, END_NS = T0_NS + 5 * S, T0_NS + 15 * S
FIRST, BLOCK_NS = 100, 2 * S
# Block 102 is the last that the agents see; the head is too far past it when 105 comes.
STALE_NS = T0_NS + 10 * S
Chosen = NDArray[np.bool_]


def held_up(**changes: Any) -> FaultRecord:
    """A chain feed stall that was proven and healed."""
    known = {
        "number": 0,
        "kind": "feed_stall",
        "target": "agents",
        "planned_ns": BEGIN_NS,
        "for_ns": 10 * S,
        "injected_ns": BEGIN_NS,
        "proven_ns": BEGIN_NS + 3 * S,
        "held_ns": END_NS,
        "healed_ns": END_NS,
        "heal_proven_ns": END_NS + 60 * MS,
    }
    return FaultRecord.model_validate({**known, **changes})


def stalled(*objectives: str, chain: dict[str, Any] | None = None) -> World:
    """A run whose agents were held up, before the engine has refused anything."""
    world = healthy(None, *(objectives or (REJECTED, "p99 < 500 ms")))
    document = world.scenario.model_dump(mode="json")
    document |= {"fault": [FAULT], "chain": {"block_time_s": 2, **(chain or {})}}
    world.scenario = Scenario.model_validate(document)
    world.faults = [held_up()]
    attempts, acks = world.attempts[0], world.acks[0]
    sent = attempts["sent_ns"]
    still = (sent >= BEGIN_NS) & (sent < END_NS)
    seen_ns = np.where(still, BEGIN_NS, sent)
    attempts["sync_block"] = FIRST + (seen_ns - T0_NS) // BLOCK_NS
    acks["redis_ms"] = server_us(acks["acked_ns"]) // 1_000
    blocks = np.arange(FIRST, FIRST + 12)
    world.heads = np.zeros(len(blocks), dtype=HEAD)
    world.heads["block"] = blocks
    world.heads["redis_ms"] = server_us(T0_NS + (blocks - FIRST) * BLOCK_NS) // 1_000
    return world


def overtaken(world: World, *, after_ns: int = 0) -> Chosen:
    """The signals that the engine has to refuse."""
    sent = world.attempts[0]["sent_ns"]
    found: Chosen = (sent >= STALE_NS + after_ns) & (sent < END_NS)
    return found


def refuse(world: World, chosen: Chosen, state: State = State.STALE_DATA_ERROR) -> None:
    """The engine refuses them."""
    world.reject(world.attempts[0][chosen], state)


def check_of(found: Assessment) -> Check:
    """The check of stale data."""
    return next(check for check in found.judgement.checks if check.id == NAME)


def test_what_is_refused_rightly_counts_as_no_rejection(tmp_path: Path) -> None:
    """A quarter of all signals is refused, and no objective is missed; times are reported."""
    world = stalled()
    refuse(world, overtaken(world))
    found = assessed(world, tmp_path)
    assert unclean(found) == {}
    account = found.measurement.account
    assert account.behind == account.behind_rejected == account.rejected > 400
    assert account.stale == 0
    (stood,) = found.measurement.standstills
    assert (stood.block, stood.followed_s, stood.stale_s) == (FIRST + 2, 1.0, 5.0)
    assert stood.first_refused_s == pytest.approx(5.0, abs=0.2)
    assert stood.last_accepted_s == pytest.approx(5.0, abs=0.2)
    assert stood.accepted_for_s == pytest.approx(4.0, abs=0.2)
    assert (stood.refused, stood.accepted_stale) == (account.behind, 0)
    assert stood.accepted > 400
    assert "4,000 ms are allowed" in check_of(found).message
    latency = found.measurement.of("latency", "measure", "lite")
    assert latency is not None
    assert latency.censored == 0


def test_a_stale_signal_that_is_simulated_fails_by_its_name(tmp_path: Path) -> None:
    """However many others were refused."""
    world = stalled()
    chosen = overtaken(world)
    accepted = int(np.flatnonzero(overtaken(world, after_ns=2 * S))[7])
    chosen[accepted] = False
    refuse(world, chosen)
    found = assessed(world, tmp_path)
    assert unclean(found) == {NAME: Verdict.FAIL}
    assert check_of(found).examples == (world.trace(accepted),)
    assert "1 signal simulated although the head was too far past" in check_of(found).message
    (stood,) = found.measurement.standstills
    assert stood.accepted_stale == 1


def test_news_take_a_moment(tmp_path: Path) -> None:
    """A signal processed just after the block that made it stale may have been read before."""
    world = stalled()
    refuse(world, overtaken(world, after_ns=800 * MS))
    assert unclean(assessed(world, tmp_path)) == {}
    world = stalled()
    refuse(world, overtaken(world, after_ns=1_300 * MS))
    assert unclean(assessed(world, tmp_path)) == {NAME: Verdict.FAIL}


def test_another_reason_is_no_reason(tmp_path: Path) -> None:
    """The Sync Sentinel comes before everything else."""
    world = stalled()
    chosen = overtaken(world)
    other = np.zeros_like(chosen)
    other[np.flatnonzero(overtaken(world, after_ns=2 * S))[:3]] = True
    refuse(world, chosen & ~other)
    refuse(world, other, State.INVARIANT_BROKEN)
    found = assessed(world, tmp_path)
    assert unclean(found) == {NAME: Verdict.FAIL}
    assert "3 signals refused for another reason" in check_of(found).message


def test_refusing_what_is_not_stale_is_a_rejection(tmp_path: Path) -> None:
    """Already at the first block that was missed: the fault does not excuse that."""
    world = stalled()
    sent = world.attempts[0]["sent_ns"]
    refuse(world, (sent >= T0_NS + 7 * S) & (sent < END_NS))
    found = assessed(world, tmp_path)
    # One burst: how often there is one, a single run does not tell.
    assert unclean(found)[id_of(REJECTED)] is Verdict.INCONCLUSIVE
    account = found.measurement.account
    assert account.rejected > account.behind_rejected


def test_outside_of_the_fault_nothing_is_excused(tmp_path: Path) -> None:
    """Data that were stale without a planned fault count as ever."""
    world = stalled()
    attempts = world.attempts[0]
    old = attempts["sent_ns"] > END_NS + 3 * S
    attempts["sync_block"][old] = FIRST
    refuse(world, overtaken(world) | old)
    assert unclean(assessed(world, tmp_path))[id_of(REJECTED)] is Verdict.FAIL


def test_simulating_what_is_stale_fails_without_a_fault_too(tmp_path: Path) -> None:
    """Where it is known where the head was."""
    world = stalled()
    refuse(world, overtaken(world))
    attempts = world.attempts[0]
    attempts["sync_block"][attempts["sent_ns"] > END_NS + 3 * S] = FIRST
    assert unclean(assessed(world, tmp_path)) == {NAME: Verdict.FAIL}


def test_a_shorter_time_may_be_asked_for(tmp_path: Path) -> None:
    """The engine counts blocks; an age below their interval is reported as not kept."""
    world = stalled(chain={"stale_within_s": 2.5})
    refuse(world, overtaken(world))
    found = assessed(world, tmp_path)
    assert unclean(found) == {NAME: Verdict.FAIL}
    assert "their block had been followed too long before" in check_of(found).message


def test_a_chain_that_stops_does_not_stop_the_clock(tmp_path: Path) -> None:
    """One block follows, and no further one: by its count of blocks nothing is ever stale."""
    world = stalled()
    assert world.heads is not None
    world.heads = world.heads[world.heads["block"] <= FIRST + 3]
    found = assessed(world, tmp_path)
    assert unclean(found) == {NAME: Verdict.FAIL}
    assert "followed too long before" in check_of(found).message


@pytest.mark.parametrize("lost", ["heads", "clock"])
def test_without_heads_or_clock_it_is_left_open(lost: str, tmp_path: Path) -> None:
    """Nobody knows what was stale."""
    world = stalled("rejected < 50 %")
    refuse(world, overtaken(world))
    if lost == "heads":
        world.heads = None
    else:
        world.probes = [one for one in world.probes if one["server"] != "redis"]
    found = assessed(world, tmp_path)
    assert check_of(found).status is Status.INCONCLUSIVE


def test_nobody_refused_is_no_pass(tmp_path: Path) -> None:
    """Agents that were never held up, whatever the record says; the probe has its own check."""
    world = stalled()
    sent = world.attempts[0]["sent_ns"]
    world.attempts[0]["sync_block"] = FIRST + (sent - T0_NS) // BLOCK_NS
    assert unclean(assessed(world, tmp_path)) == {NAME: Verdict.INCONCLUSIVE}


def test_runs_without_such_a_fault_do_not_mention_it(tmp_path: Path) -> None:
    """Nor need they know where the head was."""
    assert NAME not in {check.id for check in assessed(healthy(), tmp_path).judgement.checks}


LEFT = "stale_node_avoided"


def lying_behind(**changes: Any) -> World:
    """A run in which an RPC node stood still for a while."""
    world = healthy(None, REJECTED)
    document = world.scenario.model_dump(mode="json")
    document |= {
        "fault": [{"kind": "rpc_stale", "at_s": 4, "for_s": 10}],
        "chain": {"block_time_s": 2, "nodes": 2},
    }
    world.scenario = Scenario.model_validate(document)
    world.faults = [held_up(kind="rpc_stale", target="rpc-primary", **changes)]
    return world


@pytest.mark.parametrize(
    ("answered_ns", "verdict"), [(BEGIN_NS + 4 * S, Verdict.PASS), (None, Verdict.FAIL)]
)
def test_a_node_that_lies_behind_has_to_be_left(
    answered_ns: int | None, verdict: Verdict, tmp_path: Path
) -> None:
    """While it does, and not when it is up to date again."""
    found = assessed(lying_behind(answered_ns=answered_ns), tmp_path)
    assert unclean(found) == ({} if verdict is Verdict.PASS else {LEFT: Verdict.FAIL})


def test_a_fault_that_was_cut_short_blames_nobody_for_staying(tmp_path: Path) -> None:
    """A run that is broken off takes the fault away before anybody had to leave the node."""
    world = lying_behind(answered_ns=None, healed_ns=BEGIN_NS + S)
    assert unclean(assessed(world, tmp_path))[LEFT] is Verdict.INCONCLUSIVE
