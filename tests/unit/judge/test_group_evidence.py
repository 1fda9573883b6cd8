"""Several runs together: one system, one contract, the runs that were made here, and a grade."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.assessment.assess import Assessment, assess_and_store
from harness.assessment.group import GroupJudgement
from harness.contract.names import Contract, Streams
from harness.evidence.group_folder import GroupFolder
from harness.evidence.manifest import write_manifest
from harness.evidence.run_folder import RunFolder
from harness.experiments.repeat import judge_again, repeat
from harness.judge.grade import Grade, worst_grade
from harness.judge.verdict import Status, Verdict
from harness.scenario import Scenario
from tests.unit.analysis.evidence import World, healthy

Change = Callable[[World], None]


def made(reports: Path, second: Change = lambda _: None) -> tuple[GroupFolder, GroupJudgement]:
    """A group of three clean runs; something is done to the evidence of the second."""

    def once(scenario: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
        world = healthy(seed=scenario.seed)
        world.scenario = scenario
        if scenario.seed == 2:
            second(world)
        folder = world.write(within)
        return assess_and_store(folder), folder

    folder = GroupFolder.create(reports, "synthetic", 0)
    return folder, repeat(healthy(seed=1).scenario, 3, folder, once)


def problems(found: GroupJudgement) -> dict[str, str]:
    """What is not clean, and what is said of it."""
    return {c.id: c.message for c in found.checks if c.status is not Status.PASS}


def on(stack: dict[str, object]) -> Change:
    """The run was made on another stack."""

    def change(world: World) -> None:
        world.stack = stack

    return change


def other_contract(world: World) -> None:
    """The run knew its system by other names."""
    contract = Contract(streams=Streams(proposals="staging:stream:agent:proposals"))
    world.plan = world.plan.model_copy(update={"contract": contract})


@pytest.mark.parametrize(
    "stack",
    [{"kind": "attach", "name": "desk", "grade_reasons": []}, {"kind": "attach", "name": "other"}],
)
def test_group_of_mixed_stacks_is_invalid(tmp_path: Path, stack: dict[str, object]) -> None:
    """Runs against different systems say nothing together, and the systems are named."""
    folder, found = made(tmp_path, on(stack))
    assert found.verdict is Verdict.INVALID
    said = problems(found)["group_runs_comparable"]
    assert f"process; attached, {stack['name']}" in said
    assert judge_again(folder) == found


def test_group_of_other_images_is_invalid(tmp_path: Path) -> None:
    """Containers of another image are another system, whatever the set is called."""
    folder, found = made(tmp_path, on({"kind": "docker", "images": {"engine": {"id": "sha256:a"}}}))
    assert "images engine=sha256:a" in problems(found)["group_runs_comparable"]
    assert judge_again(folder) == found


def test_group_of_different_contracts_is_invalid(tmp_path: Path) -> None:
    """One system is known by one set of names."""
    _, found = made(tmp_path, other_contract)
    assert "contracts differ" in problems(found)["group_runs_comparable"]


def test_group_carries_the_worst_grade_with_its_reasons(tmp_path: Path) -> None:
    """A reason of all runs is given once, one of some with their numbers."""
    _, found = made(tmp_path)
    assert found.grade.level == "indicative"
    assert "child processes have no quotas" in found.grade.reasons
    own = [Grade(level="signoff"), Grade(level="indicative", reasons=("too short",))]
    both = worst_grade(own)
    assert (both.level, both.reasons) == ("indicative", ("run 2: too short",))
    assert worst_grade(own[:1]) == own[0]
    assert worst_grade([]).level == "indicative"


def edit_facts(folder: GroupFolder) -> None:
    """One planned run less, so that nobody misses it."""
    document = json.loads(folder.facts.read_text(encoding="utf-8"))
    document["runs"], document["seeds"] = document["runs"][:2], document["seeds"][:2]
    shutil.rmtree(folder.path / sorted(folder.started_runs() - set(document["runs"]))[0])
    folder.facts.write_text(json.dumps(document), encoding="utf-8")


def swap_run(folder: GroupFolder) -> None:
    """A run made elsewhere, sealed well, in the place of one made here."""
    name = folder.read().runs[1]
    other = healthy(seed=2, run_tag=0x123456).write(folder.path.parent / "elsewhere")
    shutil.rmtree(folder.path / name)
    other.path.rename(folder.path / name)


def reseal_run(folder: GroupFolder) -> None:
    """A run whose evidence was changed and sealed anew."""
    run = RunFolder(folder.path / folder.read().runs[0])
    run.environment.write_text(run.environment.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    write_manifest(run)


def drop_seal(folder: GroupFolder) -> None:
    """The group's seal is gone."""
    folder.seal.unlink()


@pytest.mark.parametrize("tamper", [edit_facts, swap_run, reseal_run, drop_seal])
def test_group_that_was_changed_afterwards_is_invalid(
    tmp_path: Path, tamper: Callable[[GroupFolder], None]
) -> None:
    """Whatever is exchanged for something that is whole in itself."""
    folder, found = made(tmp_path)
    assert found.verdict is Verdict.PASS, problems(found)
    tamper(folder)
    again = judge_again(folder)
    assert again.verdict is Verdict.INVALID
    assert list(problems(again)) == ["group_sealed"]


def test_group_from_before_there_were_seals_is_judged_as_it_was(tmp_path: Path) -> None:
    """An older `repeat.json` names no seal, and none is missed."""
    folder, _ = made(tmp_path)
    document = json.loads(folder.facts.read_text(encoding="utf-8"))
    del document["kept"]
    folder.facts.write_text(json.dumps(document), encoding="utf-8")
    folder.seal.unlink()
    assert judge_again(folder).verdict is Verdict.PASS
