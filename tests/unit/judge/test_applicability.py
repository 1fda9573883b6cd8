"""A system that lacks a thing is judged by the rest, and the report says what was left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contract.ledger import LedgerTable
from harness.contract.names import Contract, Streams, TaskTable
from harness.judge.check import Check
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import World, healthy
from tests.unit.judge.assessing import assessed, unclean


def world_without(contract: Contract) -> World:
    """A healthy run of a system that has only what its contract names."""
    world = healthy()
    world.plan = world.plan.model_copy(update={"contract": contract})
    assert world.tasks is not None
    assert world.final is not None
    if contract.ledger is None:
        world.ledger = None
    if contract.tasks.nonce is None:
        world.tasks["nonce"] = -1
        world.final["postgres"]["nonces"] = None
    if contract.streams.engine_group is None:
        world.final["redis"]["proposals"]["engine_group"] = None
    return world


def named(checks: tuple[Check, ...], name: str) -> Check:
    """The check of this name."""
    return next(check for check in checks if check.id == name)


@pytest.mark.parametrize(
    ("contract", "name", "message"),
    [
        (Contract(ledger=None), "ledger_balanced", "ledger"),
        (
            Contract(tasks=TaskTable(nonce=None), nonces=None),
            "nonces_contiguous",
            "nonce of a task",
        ),
        (
            Contract(streams=Streams(engine_group=None)),
            "stream_drained",
            "group of the engine",
        ),
    ],
    ids=["ledger", "nonce", "group"],
)
def test_what_is_not_named_is_not_judged(
    contract: Contract, name: str, message: str, tmp_path: Path
) -> None:
    """The run passes, the check says that it was not made, and so does the grade."""
    found = assessed(world_without(contract), tmp_path)
    assert unclean(found) == {}
    check = named(found.judgement.checks, name)
    assert check.status is Status.NOT_APPLICABLE
    assert check.figures == {"reason": "contract", "missing": message}
    assert any(name in reason and message in reason for reason in found.judgement.grade.reasons)


def test_nothing_is_waived_that_is_named(tmp_path: Path) -> None:
    """With the ledger named, its missing file makes the run INVALID."""
    world = healthy()
    world.ledger = None
    found = assessed(world, tmp_path)
    assert unclean(found)["evidence_complete"] is Verdict.INVALID
    assert not any("does not apply" in reason for reason in found.judgement.grade.reasons)


def test_other_checks_still_fail(tmp_path: Path) -> None:
    """A system without a ledger can lose a signal all the same."""
    world = world_without(Contract(ledger=None))
    assert world.tasks is not None
    lost = world.trace(700)
    world.sightings = world.sightings[~world.of(world.sightings, 700)]
    world.tasks = world.tasks[~world.of(world.tasks, 700)]
    found = assessed(world, tmp_path)
    check = named(found.judgement.checks, "signals_lost")
    assert (check.status, check.examples) == (Status.FAIL, (lost,))


def test_only_entries_that_the_system_books_are_due(tmp_path: Path) -> None:
    """Without fees in its books, a trade alone is whole; with them it is not."""
    for ledger, verdict in (
        (LedgerTable(entry_types={"TRADE": "FILL"}), None),
        (LedgerTable(), Verdict.FAIL),
    ):
        world = healthy()
        world.plan = world.plan.model_copy(update={"contract": Contract(ledger=ledger)})
        assert world.ledger is not None
        world.ledger["gas_fees"] = world.ledger["protocol_fees"] = 0
        assert unclean(assessed(world, tmp_path)).get("ledger_balanced") is verdict


@pytest.mark.parametrize("start", [0, 700])
def test_nonces_begin_where_the_plan_says(start: int, tmp_path: Path) -> None:
    """An address that was used before does not begin at zero, and the folder alone knows it."""
    world = healthy()
    assert world.tasks is not None
    assert world.final is not None
    agents = int(np.max(world.attempts[0]["address"])) + 1
    starts = dict.fromkeys(range(agents), start)
    world.plan = world.plan.model_copy(update={"nonce_starts": starts})
    world.tasks["nonce"] += 700
    for row in world.final["postgres"]["nonces"]:
        row["nonce"] += 700
    found = unclean(assessed(world, tmp_path)).get("nonces_contiguous")
    assert found is (None if start else Verdict.FAIL)
