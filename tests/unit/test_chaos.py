"""Rounds are made in order, and gone on with where they were broken off."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from harness.errors import UsageError
from harness.experiments.chaos import make_rounds
from harness.judge.assess import Assessment
from harness.judge.verdict import Verdict
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario, load_scenario
from harness.stack.settings import ROOT
from harness.store import RunFolder
from harness.store.chaos import ChaosFacts, ChaosFolder

CHOICES = (("kill", "engine"), ("pause", "redis"), ("checkpoint", "postgres"))


class Rounds:
    """Makes rounds that do nothing, and breaks off at one of them."""

    def __init__(self, broken_at: int = 0) -> None:
        self.made: list[Scenario] = []
        self._broken_at = broken_at

    def once(self, scenario: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
        """One round."""
        if len(self.made) + 1 == self._broken_at:
            raise Interrupted(2)
        self.made.append(scenario)
        judgement = SimpleNamespace(verdict=Verdict.PASS)
        found = cast("Assessment", SimpleNamespace(judgement=judgement))
        return found, RunFolder(within / f"run-{scenario.seed}")


def unheard(_: str) -> None:
    """Nobody listens."""


def folder_in(path: Path, rounds: int = 5) -> ChaosFolder:
    """A folder of rounds of which none was made."""
    folder = ChaosFolder.create(path, load_scenario(ROOT / "scenarios" / "chaos.toml"), 10**18)
    folder.write(ChaosFacts(seed=40, rounds=rounds, stack="process", choices=CHOICES))
    return folder


def test_each_round_has_one_fault_and_a_seed_of_its_own(tmp_path: Path) -> None:
    """And what was made is written down in order."""
    folder, rounds = folder_in(tmp_path), Rounds()
    make_rounds(folder, rounds.once, unheard)
    assert [one.seed for one in rounds.made] == [41, 42, 43, 44, 45]
    assert all(len(one.fault) == 1 for one in rounds.made)
    assert folder.read().runs == tuple(f"run-{seed}" for seed in range(41, 46))


def test_a_broken_off_round_is_made_again(tmp_path: Path) -> None:
    """What came to its end stays, and the rest has the same faults as without the break."""
    whole = Rounds()
    make_rounds(folder_in(tmp_path / "whole"), whole.once, unheard)
    folder, first, second = folder_in(tmp_path / "broken"), Rounds(broken_at=3), Rounds()
    with pytest.raises(Interrupted):
        make_rounds(folder, first.once, unheard)
    assert len(folder.read().runs) == 2
    make_rounds(ChaosFolder.open(folder.path), second.once, unheard)
    assert [*first.made, *second.made] == whole.made


def test_another_folder_is_refused(tmp_path: Path) -> None:
    """With what it should be."""
    with pytest.raises(UsageError, match="not the folder of a chaos run"):
        ChaosFolder.open(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        ChaosFolder.open(tmp_path / "away")
