"""What `stack.json` says is held against what the rest of the evidence speaks of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.assessment.assess import assess
from harness.contract.names import Contract, Streams
from harness.evidence.manifest import write_manifest
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from harness.safe_open import RefusedError
from tests.unit.analysis.evidence import World, healthy, load_of
from tests.unit.judge.assessing import assessed, unclean

REPORTED = "stack_consistent"
CLAIM: dict[str, Any] = {
    "kind": "attach",
    "name": "forged",
    "generator_apart": True,
    "grade_reasons": [],
}


def claim_attach(world: World) -> None:
    """A run on servers of our own says that it was attached, where less is judged."""
    assert world.final is not None
    world.final["postgres"]["strangers"] = {"tasks": 5, "ledger": 0, "traces": []}
    world.stack = CLAIM


def claim_defects(world: World) -> None:
    """Defects in a system that ran already."""
    engine = world.scenario.engine.model_copy(update={"defects": ("stuck_row",)})
    world.scenario = world.scenario.model_copy(update={"engine": engine})
    world.stack = CLAIM


def claim_process(world: World) -> None:
    """A system with names of its own, as if the harness had started it."""
    contract = Contract(streams=Streams(proposals="desk:signals"))
    world.plan = world.plan.model_copy(update={"contract": contract})


def say_nothing(world: World) -> None:
    """No kind at all."""
    world.stack = {"name": "nobody"}


@pytest.mark.parametrize(
    ("forge", "text"),
    [
        (claim_attach, "the final state is that of servers started for the run"),
        (claim_defects, "defects exist in child processes only"),
        (claim_process, "contract is that of an external system"),
        (say_nothing, "names no kind of stack"),
    ],
)
def test_stack_that_the_evidence_speaks_against_is_invalid(
    forge: Callable[[World], None], text: str, tmp_path: Path
) -> None:
    """Sealed anew or not: the other files know better."""
    world = healthy()
    forge(world)
    found = assessed(world, tmp_path)
    assert unclean(found)[REPORTED] is Verdict.INVALID
    assert text in next(one.message for one in found.judgement.checks if one.id == REPORTED)


def test_attached_system_is_never_signed_off(tmp_path: Path) -> None:
    """Whatever `stack.json` leaves out: nobody verified its images and quotas."""
    world = healthy(load_of(rate=5.0, duration_s=300.0), "p50 < 500 ms")
    world.stack = CLAIM
    grade = assessed(world, tmp_path).judgement.grade
    assert grade.level == "indicative"
    assert any("attached as it ran" in reason for reason in grade.reasons)


def test_journal_that_lies_elsewhere_is_not_followed(tmp_path: Path) -> None:
    """A link in a foreign folder may lead to any file of the reader's."""
    folder = healthy().write(tmp_path / "reports")
    away = tmp_path / "disk"
    folder.journal.rename(away)
    folder.journal.symlink_to(away)
    with pytest.raises(RefusedError, match="journal: is a symbolic link, which is not followed"):
        assess(folder)


@pytest.mark.parametrize("name", ["stack.json", "environment.json"])
def test_description_that_is_gone_is_missed_without_the_seal(name: str, tmp_path: Path) -> None:
    """A run that is sealed anew without one of them."""
    folder: RunFolder = healthy().write(tmp_path)
    (folder.path / name).unlink()
    write_manifest(folder)
    assert unclean(assess(folder))["evidence_complete"] is Verdict.INVALID
