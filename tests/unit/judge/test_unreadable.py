"""What could not be read is no violation, and no pass either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.contract.ledger import SidedLedger
from harness.contract.names import Contract, NonceTable, State, TaskTable
from harness.judge.check import Check, CheckKind
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import World, healthy, without
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean
from tests.unit.judge.violations import N

DENIED = "permission denied for table jobs"
READ = "final_state_read"


def attached(contract: Contract | None = None, way: str = "logical") -> World:
    """A healthy run on a system that somebody else runs."""
    world = healthy()
    world.stack = {"kind": "attach", "grade_reasons": []}
    world.observer["way"] = way
    if contract is not None:
        world.plan = world.plan.model_copy(update={"contract": contract})
    return world


def postgres(world: World) -> dict[str, Any]:
    """What the final state tells of PostgreSQL."""
    assert world.final is not None
    found: dict[str, Any] = world.final["postgres"]
    return found


def blind_from(world: World, number: int) -> None:
    """The observer saw nothing any more from the n-th signal on."""
    moment_ns = int(world.attempts[0]["sent_ns"][number])
    world.sightings = world.sightings[world.sightings["seen_ns"] < moment_ns]
    world.observer |= {
        "drained": False,
        "in_gap": True,
        "gaps": 1,
        "blind_since_ns": moment_ns,
        "cause": 'connection lost: terminating; then role "reader" is not permitted to log in',
    }


def lose_server(world: World) -> None:
    """PostgreSQL is away to the end: neither the observer nor anybody else reads its tables."""
    blind_from(world, N)
    world.tasks = world.ledger = world.bookings = world.stamps = None
    assert world.final is not None
    world.final |= {"postgres": None, "unread": {"postgres": "connection refused"}}


def checks_of(world: World, folder: Path) -> tuple[Verdict, dict[str, Check]]:
    """The verdict and the checks by name."""
    judgement = assessed(world, folder).judgement
    return judgement.verdict, {check.id: check for check in judgement.checks}


def integrity(checks: dict[str, Check]) -> dict[str, str]:
    """What is said of integrity."""
    return {one.id: one.message for one in checks.values() if one.kind is CheckKind.INTEGRITY}


def test_a_server_that_is_away_to_the_end_has_lost_nothing(tmp_path: Path) -> None:
    """INVALID with the cause; no signal is lost, and no table that was never read is in order."""
    world = attached()
    lose_server(world)
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.INVALID
    assert {one.status for one in checks.values()} == {
        Status.PASS,
        Status.INVALID,
        Status.NOT_APPLICABLE,
    } | {one.status for one in checks.values() if one.kind is CheckKind.OBJECTIVE}
    assert checks["latency_p99"].status is not Status.FAIL
    said = integrity(checks)
    for name in ("signals_lost", "ledger_balanced", "nonces_contiguous"):
        assert checks[name].figures == {"reason": "unreadable"}, name
        assert "connection refused" in said[name]
    assert "not permitted to log in; can the login" in checks["observer_complete"].message
    every = "tasks, ledger, bookings, nonces, stamps: connection refused; the login needs SELECT"
    assert every in checks[READ].message


def test_nothing_read_at_all_is_not_a_system_that_simulates_nothing(tmp_path: Path) -> None:
    """Even if the observer never saw a row."""
    world = attached()
    lose_server(world)
    world.sightings = world.sightings[:0]
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.INVALID
    assert "it is unknown how the others ended" in checks["signals_simulated"].message


@pytest.mark.parametrize("way", ["logical", "polling"])
def test_an_observer_that_saw_to_the_end_proves_a_loss(way: str, tmp_path: Path) -> None:
    """Whatever became of the table after that."""
    world = attached(way=way)
    violations.lose(world)
    world.tasks = None
    assert world.final is not None
    world.final["unread"] = {"tasks": DENIED}
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.FAIL
    assert checks["signals_lost"].status is Status.FAIL
    assert checks["final_rows_match"].status is Status.NOT_APPLICABLE
    assert DENIED in checks["final_rows_match"].message


@pytest.mark.parametrize(
    "change",
    [
        {"way": "stream"},
        {"way": "polling", "filtered": True},
        {"way": "logical", "drained": False},
        {"way": "logical", "blind_since_ns": 5},
    ],
)
def test_an_observer_that_may_have_missed_it_proves_none(
    change: dict[str, Any], tmp_path: Path
) -> None:
    """The system's word, polls behind row-level security, an observer that did not see the end."""
    world = attached()
    violations.lose(world)
    world.tasks = None
    world.observer |= change
    assert world.final is not None
    world.final["unread"] = {"tasks": DENIED}
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.INVALID
    assert f"the outcome of 1 signal could not be read ({DENIED})" in checks["signals_lost"].message


def unread_ledger(world: World) -> None:
    """A value in it broke the query."""
    world.ledger = None
    assert world.final is not None
    world.final["unread"] = {"ledger": 'invalid input syntax for type uuid: "x"'}


def test_a_part_that_cannot_be_read_leaves_the_others_judged(tmp_path: Path) -> None:
    """And what is wrong in those is a FAIL."""
    world = attached()
    unread_ledger(world)
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.INVALID
    said = integrity(checks)
    assert "invalid input syntax" in said["ledger_balanced"]
    assert said["signals_lost"] == "every accepted signal became final"
    assert "without a gap" in said["nonces_contiguous"]
    violations.lose(world)
    assert checks_of(world, tmp_path)[0] is Verdict.FAIL


def hide(part: str) -> Callable[[World], None]:
    """Row-level security hides rows of a part from the login."""

    def change(world: World) -> None:
        postgres(world)["filtered"] = {part: "desk.jobs"}
        if part == "tasks":
            world.observer |= {"way": "polling", "filtered": True}
            violations.drop(world, len(world.attempts[0]) - 1)
            violations.lose_last_nonce(world)
        else:
            violations.unbook(world)

    return change


@pytest.mark.parametrize(
    ("part", "name"), [("tasks", "signals_lost"), ("ledger", "ledger_balanced")]
)
def test_hidden_rows_are_not_missing(part: str, name: str, tmp_path: Path) -> None:
    """INVALID, with what the login lacks; where every row shows up nothing is hidden."""
    world = attached()
    postgres(world)["filtered"] = {part: "desk.jobs"}
    world.observer |= {"way": "polling", "filtered": True}
    assert unclean(assessed(world, tmp_path)) == {}
    hide(part)(world)
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.INVALID
    assert "row-level security may hide rows of desk.jobs" in checks[name].message
    assert checks[name].status is Status.NOT_APPLICABLE
    assert "give it BYPASSRLS" in checks[READ].message
    violations.simulate_twice(world)
    assert checks_of(world, tmp_path)[0] is Verdict.FAIL


def test_a_row_that_is_touched_again_is_no_second_effect(tmp_path: Path) -> None:
    """The state is what is judged, and its changes."""
    world = attached()
    violations.touch_again(world)
    assert world.stamps is not None
    world.stamps["updated_us"] += 5_000_000  # as the last of them says
    found = assessed(world, tmp_path)
    assert unclean(found) == {}


def test_statuses_without_a_name_are_named_with_their_counts(tmp_path: Path) -> None:
    """A poll that found three signals only there cannot tell how they ended."""
    world = attached(way="polling")
    picked = [world.of(world.sightings, number) for number in (N, N + 1, N + 2)]
    world.sightings = without(world.sightings, np.logical_or.reduce(picked))
    for number in (N, N + 1, N + 2):
        violations.field(world.tasks, world, number, "state", State.OTHER)
    postgres(world)["statuses"] = {"SIMULATED": 1997, "EXECUTED": 2, "HELD": 1}
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.INVALID
    assert "3 signals left in a status without a name: 'EXECUTED' (2), 'HELD' (1)" in (
        checks[READ].message
    )
    assert "did not see" not in " ".join(one.message for one in checks.values())
    assert checks["signals_lost"].status is Status.NOT_APPLICABLE
    for number in (N, N + 1, N + 2):
        violations.field(world.tasks, world, number, "state", State.BEYOND)
    world.counters = {}  # no service of ours counts them
    # The observer should have seen them there.
    _, checks = checks_of(world, tmp_path)
    assert checks[READ].status is Status.PASS
    assert "that the observer did not see" in checks["evidence_consistent"].message


def test_signals_may_be_left_beyond_simulated(tmp_path: Path) -> None:
    """Those that were seen there; with a name for the state or without one."""
    for state in (State.BEYOND, State.OTHER):
        world = attached()
        violations.field(world.tasks, world, N, "state", state)
        assert unclean(assessed(world, tmp_path)) == {}


def keep_nonce(world: World) -> None:
    """A refused signal took a nonce, and its row keeps it."""
    assert world.tasks is not None
    nonce = int(world.tasks["nonce"][world.of(world.tasks, N)][0])
    nonces = world.tasks["nonce"].copy()
    tables = [dict(row) for row in postgres(world)["nonces"]]
    violations.reject(world, np.arange(len(world.attempts[0])) == N, State.STALE_DATA_ERROR)
    world.tasks["nonce"] = nonces
    postgres(world)["nonces"] = tables
    assert int(world.tasks["nonce"][world.of(world.tasks, N)][0]) == nonce


def test_nonces_that_are_assigned_at_intake_are_no_gap(tmp_path: Path) -> None:
    """Where the contract says so; otherwise the nonce of a refused signal is skipped."""
    name = "nonces_contiguous"
    world = attached(Contract(nonces=NonceTable(taken_at="intake")))
    keep_nonce(world)
    assert name not in unclean(assessed(world, tmp_path))
    world = attached()
    keep_nonce(world)
    _, checks = checks_of(world, tmp_path)
    assert checks[name].status is Status.FAIL
    assert "set nonces.taken_at = 'intake' in the contract" in checks[name].message


def test_rows_may_be_removed_once_they_are_final(tmp_path: Path) -> None:
    """Where the contract says so; their nonces went with them."""
    world = attached(Contract(tasks=TaskTable(kept="until_final")))
    assert world.tasks is not None
    world.tasks = without(world.tasks, world.of(world.tasks, N))
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.PASS
    assert checks["nonces_contiguous"].figures == {"reason": "rows_removed"}
    world.plan = world.plan.model_copy(update={"contract": Contract()})
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.FAIL
    said = checks["final_rows_match"].message
    assert "set tasks.archive or tasks.kept in the contract" in said


def test_a_signal_may_have_many_entries(tmp_path: Path) -> None:
    """Where the contract says so."""
    ledger = SidedLedger.model_validate(
        {
            "form": "sides",
            "table": "postings",
            "internal_tx_id": False,
            "trace_id": "ref",
            "amount": "amount",
            "side": False,
            "entry_type": "kind",
            "entry_types": {"TRADE": "FILL"},
            "entries": "many",
        }
    )
    for entries, verdict in (("many", Verdict.PASS), ("one", Verdict.FAIL)):
        world = attached(Contract(ledger=ledger.model_copy(update={"entries": entries})))
        violations.field(world.ledger, world, N, "trades", 3)
        violations.field(world.ledger, world, N, "transactions", 3)
        assert checks_of(world, tmp_path)[0] is verdict


@pytest.mark.parametrize(
    ("reported", "status", "said"),
    [
        ({"words_checked": 9}, Status.PASS, "9 reports compared with the table"),
        ({}, Status.NOT_APPLICABLE, "no report"),
        (
            {"words_checked": 9, "words_early": 8, "words_early_max_ns": 203_000_000},
            Status.INVALID,
            "8 of 9 reports came before the table showed the state, by up to 203 ms",
        ),
    ],
)
def test_words_that_come_before_the_commit(
    reported: dict[str, int], status: Status, said: str, tmp_path: Path
) -> None:
    """The system then looks faster than it is."""
    world = attached(way="notification")
    world.observer |= reported
    _, checks = checks_of(world, tmp_path)
    assert checks["reports_after_commit"].status is status
    assert said in checks["reports_after_commit"].message


def test_an_inverted_bracket_and_lost_signals_are_both_reported(tmp_path: Path) -> None:
    """Commit times that lie after the sightings crash no check and hide no loss."""
    world = attached()
    violations.lose(world)
    world.sightings["commit_us"] += 10_000_000
    verdict, checks = checks_of(world, tmp_path)
    assert verdict is Verdict.FAIL
    assert checks["signals_lost"].status is Status.FAIL
    assert checks["durations_nonnegative"].status is Status.INVALID
    assert not [name for name in checks if name.startswith("check of")]
