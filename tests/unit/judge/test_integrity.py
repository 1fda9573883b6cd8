"""Each violation of integrity is found, distinguished, and named by its signals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.contract import trace_id
from harness.contract.names import State
from harness.judge.check import CheckKind
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import (
    RUN_TAG,
    World,
    healthy,
)
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean

ADDED = "stream_entries_added"
ASKED = "ledger_amounts"
STAMPS = "row_timestamps"
ORDER = "nonce_order"
FAILURES: list[tuple[str, Callable[[World], None], str, str]] = [
    ("lost", violations.lose, "signals_lost", "accepted by Redis and never final"),
    ("stuck", violations.stick, "signals_lost", "stuck in INIT"),
    ("final twice", violations.simulate_twice, "effects_duplicated", "more than once"),
    ("two rows", violations.second_row, "effects_duplicated", "more than one FSM row"),
    ("same row twice", violations.same_row_twice, "effects_duplicated", "more than one FSM row"),
    (
        "booked twice",
        violations.ledger_column("trades", 2),
        "effects_duplicated",
        "booked more than once",
    ),
    (
        "two transactions",
        violations.ledger_column("transactions", 2),
        "effects_duplicated",
        "booked more",
    ),
    ("unexpected", violations.invent, "effects_unexpected", "was not attempted"),
    ("refused", violations.refuse_and_process, "effects_unexpected", "that Redis refused"),
    ("other state", violations.change_state, "final_rows_match", "another state"),
    ("no row", violations.lose_row, "final_rows_match", "without an FSM row"),
    ("back to INIT", violations.back_to_init, "fsm_transitions", "back to INIT"),
    ("no INIT", violations.skip_init, "fsm_transitions", "without INIT"),
    ("nonce skipped", violations.skip_nonce, "nonces_contiguous", "skipped 1 nonce"),
    (
        "nonce repeated",
        violations.repeat_nonce,
        "nonces_contiguous",
        "another one of its",
    ),
    ("nonce burned", violations.burn_nonce, "nonces_contiguous", "would be given nonce"),
    ("no fee", violations.ledger_column("gas_fees", 0), "ledger_balanced", "without one of its"),
    ("broken rows", violations.ledger_column("broken", 1), "ledger_balanced", "do not balance"),
    ("not booked", violations.unbook, "ledger_balanced", "simulated and not booked"),
    ("undue", violations.book_a_rejection, "ledger_balanced", "without being simulated"),
    (
        "no account",
        violations.book("strangers", 1),
        "ledger_balanced",
        "account that does not exist",
    ),
    ("uneven", violations.book("unbalanced", 1), "ledger_balanced", "are not their credits"),
    ("other amount", violations.book("trade_wei", 5), ASKED, "1 signal booked with another"),
    ("no amount", violations.book("trade_wei", -1), ASKED, "1 signal booked with another"),
    ("clock ahead", violations.stamp_off(3), STAMPS, "stamped after the commit, by up to 2,999 ms"),
    ("clock behind", violations.stamp_off(-3), STAMPS, "stamped before they were sent"),
    ("overtaken", violations.overtake, ORDER, "2 signals whose nonces are not in the order"),
    (
        "stale simulated",
        violations.sent_stale(State.SIMULATED),
        "stale_refused",
        "1 signal sent stale on purpose and simulated",
    ),
    (
        "stale misjudged",
        violations.sent_stale(State.INVARIANT_BROKEN),
        "stale_refused",
        "for another reason",
    ),
    ("pending", violations.leave_pending, "stream_drained", "3 delivered and never"),
    ("trimmed", violations.trim_unread, "stream_trimmed", "1 signal trimmed from the"),
    ("entry gone", violations.lose_entry, ADDED, "Redis has lost 1 acknowledged entry"),
    ("lag", violations.leave_lag, "stream_drained", "2 never delivered"),
]


@pytest.mark.parametrize(
    ("breaks", "name", "words"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES]
)
def test_violation_fails(
    breaks: Callable[[World], None], name: str, words: str, tmp_path: Path
) -> None:
    """Each violation of integrity is a FAIL of its own check, with its reason and its signal."""
    world = healthy()
    breaks(world)
    found = assessed(world, tmp_path)
    assert found.judgement.verdict is Verdict.FAIL
    check = next(check for check in found.judgement.checks if check.id == name)
    assert (check.status, check.kind) == (Status.FAIL, CheckKind.INTEGRITY)
    assert set(unclean(found)) == {name}
    assert words in check.message
    if name not in (ADDED, "nonces_contiguous"):
        known = {world.trace(violations.N), world.trace(len(world.attempts[0]) - 1)}
        mine = np.flatnonzero(world.attempts[0]["agent"] == 0)
        known.add(world.trace(int(mine[-1])))
        if name == ORDER:
            agents = world.attempts[0]["agent"]
            before = np.flatnonzero(agents[: violations.N] == agents[violations.N])[-1]
            known = {world.trace(violations.N), world.trace(int(before))}
        if breaks is not violations.invent:
            assert set(check.examples) <= known
        assert check.examples


def test_ghosts_are_named(tmp_path: Path) -> None:
    """The example of an unexpected effect is the trace id that was seen."""
    world = healthy()
    violations.invent(world)
    found = assessed(world, tmp_path)
    check = next(check for check in found.judgement.checks if check.id == "effects_unexpected")
    row = world.sightings[-1]
    assert check.examples == (trace_id.text(int(row["trace_hi"]), int(row["trace_lo"])),)
    assert int(row["trace_hi"]) >> 16 == RUN_TAG


def test_redis_without_lag(tmp_path: Path) -> None:
    """Before 7.0 there is no lag to tell; from 7.0 on a missing one leaves a doubt."""
    world = healthy()
    assert world.final is not None
    world.final["redis"]["proposals"]["engine_group"]["lag"] = None
    found = assessed(world, tmp_path)
    assert unclean(found) == {"stream_drained": Verdict.INCONCLUSIVE}
    world.final["redis"]["version"] = "6.2.14"
    assert unclean(assessed(world, tmp_path)) == {}


def test_violation_in_an_invalid_run_is_still_a_failure(tmp_path: Path) -> None:
    """A lost signal is lost."""
    world = healthy()
    violations.lose(world)
    world.event("service_restarted")
    assert assessed(world, tmp_path).judgement.verdict is Verdict.FAIL
