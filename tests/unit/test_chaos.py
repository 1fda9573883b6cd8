"""Rounds are made in order, and gone on with where they were broken off."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.assessment.assess import Assessment, assess
from harness.errors import EvidenceError, UsageError
from harness.evidence.chaos_folder import ChaosFolder, ChaosProgress
from harness.evidence.run_folder import RunFolder
from harness.experiments import chaos
from harness.experiments.chaos import judge_rounds, run_rounds
from harness.judge.verdict import Verdict
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario, load_scenario
from harness.stack.settings import ROOT
from tests.unit.analysis.evidence import healthy
from tests.unit.judge.violations import lose

CHOICES = (("kill", "engine"), ("pause", "redis"), ("checkpoint", "postgres"))


class Rounds:
    """Makes rounds without a system, and breaks off at one of them; in another a signal is lost."""

    def __init__(self, broken_at: int = 0, lost_at: int = 0) -> None:
        self.made: list[Scenario] = []
        self._broken_at = broken_at
        self._lost_at = lost_at

    def once(self, scenario: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
        """One round."""
        if len(self.made) + 1 == self._broken_at:
            raise Interrupted(2)
        self.made.append(scenario)
        world = healthy(seed=scenario.seed)
        if len(self.made) == self._lost_at:
            lose(world)
        written = world.write(within)
        folder = RunFolder(written.path.rename(within / f"run-{scenario.seed}"))
        return assess(folder), folder


def unheard(_: str) -> None:
    """Report nothing."""


def folder_in(path: Path, rounds: int = 5) -> ChaosFolder:
    """A folder of rounds of which none was made."""
    folder = ChaosFolder.create(path, load_scenario(ROOT / "scenarios" / "chaos.toml"), 10**18)
    folder.write(ChaosProgress(seed=40, rounds=rounds, stack="process", choices=CHOICES))
    return folder


def test_each_round_has_one_fault_and_a_seed_of_its_own(tmp_path: Path) -> None:
    """And what was made is written down in order."""
    folder, rounds = folder_in(tmp_path), Rounds()
    run_rounds(folder, rounds.once, unheard)
    assert [one.seed for one in rounds.made] == [41, 42, 43, 44, 45]
    assert all(len(one.fault) == 1 for one in rounds.made)
    assert folder.read().runs == tuple(f"run-{seed}" for seed in range(41, 46))


def test_a_broken_off_round_is_made_again(tmp_path: Path) -> None:
    """What finished stays, and the rest has the same faults as without the break."""
    whole = Rounds()
    run_rounds(folder_in(tmp_path / "whole"), whole.once, unheard)
    folder, first, second = folder_in(tmp_path / "broken"), Rounds(broken_at=3), Rounds()
    with pytest.raises(Interrupted):
        run_rounds(folder, first.once, unheard)
    assert len(folder.read().runs) == 2
    run_rounds(ChaosFolder.open(folder.path), second.once, unheard)
    assert [*first.made, *second.made] == whole.made


def test_a_round_is_judged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judgement at its end counts, and its evidence has the same result when judged again."""
    folder = folder_in(tmp_path, rounds=3)
    made = run_rounds(folder, Rounds(lost_at=2).once, unheard)
    again = judge_rounds(folder)
    assert [one.verdict for one in again.rounds] == [Verdict.PASS, Verdict.FAIL, Verdict.PASS]
    assert (again.verdict, again.rounds[1].lost) == (Verdict.FAIL, 1)
    judged: list[str] = []

    def noting(run: RunFolder) -> Assessment:
        judged.append(run.run_id)
        return assess(run)

    monkeypatch.setattr(chaos, "assess", noting)
    assert judge_rounds(folder, made) == again
    assert judged == []
    # Of an earlier call nothing is believed but the evidence.
    assert judge_rounds(folder, made[1:]) == again
    assert judged == [made[0].run_id]


def test_rounds_of_another_folder_are_refused(tmp_path: Path) -> None:
    """A number alone does not make it this one's."""
    folder = folder_in(tmp_path, rounds=1)
    (made,) = run_rounds(folder, Rounds(lost_at=1).once, unheard)
    other = made.model_copy(update={"run_id": "run-7", "verdict": Verdict.PASS})
    assert judge_rounds(folder, [other]).verdict is Verdict.FAIL


def test_a_round_stands_for_no_other(tmp_path: Path) -> None:
    """A clean one that is named three times is no three clean ones."""
    folder = folder_in(tmp_path, rounds=3)
    run_rounds(folder, Rounds(lost_at=2).once, unheard)
    facts = folder.read()
    folder.write(facts.model_copy(update={"runs": (facts.runs[0],) * 3}))
    with pytest.raises(EvidenceError, match=r"is not round 2: its seed is 41, .* 42"):
        judge_rounds(folder)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    """With what it should be."""
    with pytest.raises(UsageError, match="not the folder of a chaos run"):
        ChaosFolder.open(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        ChaosFolder.open(tmp_path / "away")
