"""`harness run --repeat` and `harness judge` on its folder, with runs made on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.assessment.assess import Assessment, assess_and_store
from harness.cli import run_command
from harness.cli.judge import judge_folder
from harness.cli.overrides import as_overrides
from harness.cli.stack_choice import StackChoice, StackKind
from harness.errors import EvidenceError, Exit
from harness.evidence.group_folder import GroupFolder, GroupProgress
from harness.evidence.history import read_history
from harness.evidence.run_folder import RunFolder
from harness.experiments.repeat import judge_again
from harness.scenario import Scenario
from tests.unit.analysis.evidence import healthy
from tests.unit.judge.violations import drop

ROOT = Path(__file__).resolve().parents[2]
OVERRIDES = as_overrides(agents=None, rate=None, duration=None, seed=41, settings=[])


@pytest.mark.parametrize(("lossy_seed", "code"), [(None, Exit.PASS), (42, Exit.FAIL)])
def test_group_ends_with_its_own_code_and_is_judged_again_to_the_same(
    lossy_seed: int | None,
    code: Exit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Three runs, consecutive seeds; one that loses a signal decides. The history has each."""

    def on_paper(own: Scenario, reports: Path, *_: object) -> tuple[Assessment, RunFolder]:
        world = healthy(None, "p99 < 500 ms", seed=own.seed)
        if own.seed == lossy_seed:
            drop(world, 1_000)
        folder = world.write(reports)
        return assess_and_store(folder), folder

    monkeypatch.setattr(run_command, "run_once", on_paper)
    path = ROOT / "scenarios" / "smoke.toml"
    choice = StackChoice(StackKind.PROCESS, "offline", [], 0, {})
    reports, history = tmp_path / "reports", tmp_path / "h.jsonl"
    found = run_command.run_scenario(
        path, OVERRIDES, reports=reports, choice=choice, root=ROOT, times=3, history=history
    )
    output = capsys.readouterr().out
    assert found == code
    for words in ("run 1 of 3, seed 41", "run 3 of 3, seed 43", "that of a typical run lies"):
        assert words in " ".join(output.split()), output
    (group,) = reports.iterdir()
    lines = read_history([history]).lines
    assert {one.run_id for one in lines} == {one.name for one in group.iterdir() if one.is_dir()}
    assert {one.seed for one in lines if one.verdict == "FAIL"} == {lossy_seed} - {None}
    assert len([entry for entry in group.iterdir() if entry.is_dir()]) == 3
    assert (group / "junit.xml").is_file()
    assert judge_folder(group) == code
    assert code.name in capsys.readouterr().out


@pytest.mark.parametrize("name", ["delete_result", "write_text"])
def test_where_nobody_may_write_the_verdict_is_still_reported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a run, and of a group; that it is not stored is said too."""

    def read_only(*_: object) -> None:
        raise EvidenceError("cannot write: Read-only file system", where="result.json")

    folder = healthy(None, "p99 < 500 ms").write(tmp_path / "group")
    monkeypatch.setattr(RunFolder, name, read_only)
    assert judge_folder(folder.path) == Exit.PASS
    reported = " ".join(capsys.readouterr().out.split())
    assert "this judgement is not stored: result.json: cannot write: Read-only file" in reported
    assert "PASS exit code 0" in reported
    group = GroupFolder(folder.path.parent)
    group.write(GroupProgress(seeds=(folder.read_plan().seed,), runs=(folder.run_id,)))
    code = judge_folder(group.path)
    assert "this judgement is not stored" in " ".join(capsys.readouterr().out.split())
    assert code == judge_again(group).exit_code
