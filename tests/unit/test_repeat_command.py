"""`harness run --repeat` and `harness judge` on its folder, with runs made on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import running
from harness.cli.choice import StackChoice, StackKind
from harness.cli.overrides import as_overrides
from harness.errors import Exit
from harness.judge.assess import Assessment, assess_and_store
from harness.scenario import Scenario
from harness.store import RunFolder
from tests.unit.judge.violations import drop
from tests.unit.measure.evidence import healthy

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
    """Three runs with consecutive seeds; one that loses a signal decides."""

    def on_paper(own: Scenario, reports: Path, *_: object) -> tuple[Assessment, RunFolder]:
        world = healthy(None, "p99 < 500 ms", seed=own.seed)
        if own.seed == lossy_seed:
            drop(world, 1_000)
        folder = world.write(reports)
        return assess_and_store(folder), folder

    monkeypatch.setattr(running, "run_once", on_paper)
    path = ROOT / "scenarios" / "smoke.toml"
    choice = StackChoice(StackKind.PROCESS, "offline", [], 0, {})
    found = running.run_scenario(
        path, OVERRIDES, reports=tmp_path, choice=choice, root=ROOT, times=3
    )
    output = capsys.readouterr().out
    assert found == code
    for words in ("run 1 of 3, seed 41", "run 3 of 3, seed 43", "that of a typical run lies"):
        assert words in " ".join(output.split()), output
    (group,) = tmp_path.iterdir()
    assert len([entry for entry in group.iterdir() if entry.is_dir()]) == 3
    assert (group / "junit.xml").is_file()
    assert running.judge_folder(group) == code
    assert code.name in capsys.readouterr().out
