"""Alternate runs of two systems: order, seeds, repeated runs, going on after an interruption."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.comparison import ComparisonVerdict, RunValue
from harness.assessment import run_sources
from harness.assessment.compared_run import ComparedRun
from harness.assessment.comparison_result import ComparisonResult, LeftOut
from harness.assessment.interleave_folder import InterleaveFolder, InterleaveProgress
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.experiments import interleave
from harness.experiments.interleave import (
    compare_sides,
    require_one_question,
    run_interleaved,
    scenario_of,
    side_of,
)
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario
from harness.scenario.variant import Variant, load_variant
from harness.stack.settings import ROOT
from tests.unit.compare.runs import MS, NOISE, run, stored_result
from tests.unit.fakes import SCENARIO

BASE = Variant(name="main")
NEW = Variant(name="branch", set=("engine.workers=4",))


class System:
    """Runs whose figures follow from variant and seed.

    Args:
        monkeypatch: makes them what is read from their folders.
        invalid: numbers of the runs that are no valid measurement, from 1.
        interrupted_at: number of the run that is interrupted; 0 for none.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        invalid: frozenset[int] = frozenset(),
        interrupted_at: int = 0,
    ) -> None:
        self.made: list[tuple[str, Scenario]] = []
        self.interrupted_at = interrupted_at
        self._invalid = invalid
        self._found: dict[str, ComparedRun] = {}
        for module in (run_sources, interleave):
            monkeypatch.setattr(module, "read_compared_run", lambda one: self._found[one.run_id])

    def once(self, variant: Variant, scenario: Scenario, within: Path) -> RunFolder:
        """One run."""
        if len(self.made) + 1 == self.interrupted_at:
            raise Interrupted(2)
        self.made.append((variant.name, scenario))
        number = len(self.made)
        folder = RunFolder(within / f"run-{number:03}")
        folder.path.mkdir()
        (folder.path / "plan.json").write_text("{}")
        level = 140 if variant.set else 100
        value = RunValue(level * MS * NOISE[scenario.seed % len(NOISE)])
        self._found[folder.run_id] = run(
            number, value, invalid="generator_lag_p99: late" if number in self._invalid else ""
        )
        return folder


def begun(tmp_path: Path, runs: int = 5) -> InterleaveFolder:
    """A folder in which nothing was run."""
    facts = InterleaveProgress(variants=(BASE, NEW), runs=runs, seed=7)
    return InterleaveFolder.create(tmp_path, SCENARIO, facts, 10**18)


def unheard(_: str) -> None:
    """Report nothing."""


@given(st.integers(0, 1_000))
def test_the_order_is_abba(pair: int) -> None:
    """Each pair has both sides, and neighbouring pairs begin with different ones."""
    assert {side_of(2 * pair), side_of(2 * pair + 1)} == {0, 1}
    assert side_of(2 * pair) != side_of(2 * pair + 2)
    assert side_of(0) == 0


def test_both_sides_alternate_with_the_same_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that schedule and content of a pair are the same."""
    system, folder = System(monkeypatch), begun(tmp_path, 4)
    run_interleaved(folder, system.once, unheard)
    names = [name for name, _ in system.made]
    assert names == ["main", "branch", "branch", "main"] * 2
    seeds = [scenario.seed for _, scenario in system.made]
    assert seeds == [7, 7, 8, 8, 9, 9, 10, 10]
    workers = {name: scenario.engine.workers for name, scenario in system.made}
    assert workers == {"main": SCENARIO.engine.workers, "branch": 4}


def test_the_comparison_is_stored_and_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its verdict is that of the groups; comparing again gives the same."""
    system, folder = System(monkeypatch), begun(tmp_path)
    run_interleaved(folder, system.once, unheard)
    result = compare_sides(folder)
    assert result.verdict is ComparisonVerdict.SLOWER
    assert (result.base.source, result.new.source) == ("main", "branch")
    stored = stored_result(folder)
    assert isinstance(stored, ComparisonResult)
    assert stored.model_copy(update={"bound": None}) == result
    assert compare_sides(folder) == result


@pytest.mark.parametrize("at", range(1, 7))
def test_an_interrupted_experiment_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """With the run that had not ended; none is made twice."""
    system, folder = System(monkeypatch, interrupted_at=at), begun(tmp_path, 3)
    with pytest.raises(Interrupted):
        run_interleaved(folder, system.once, unheard)
    assert len(folder.read().attempts) == at - 1
    system.interrupted_at = 0
    run_interleaved(InterleaveFolder.open(folder.path), system.once, unheard)
    whole = System(monkeypatch)
    run_interleaved(begun(tmp_path / "whole", 3), whole.once, unheard)
    assert system.made == whole.made


def test_an_invalid_run_is_repeated_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another seed, three attempts at most; every attempt is in the result."""
    system, folder = System(monkeypatch, invalid=frozenset({2, 4, 5, 6})), begun(tmp_path, 4)
    run_interleaved(folder, system.once, unheard)
    result = compare_sides(folder)
    attempts = Counter(one.position for one in folder.read().attempts)
    assert attempts == {0: 1, 1: 2, 2: 3, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1}
    assert len({scenario.seed for _, scenario in system.made[3:6]}) == 3
    runs = (*result.base.runs, *result.new.runs)
    assert len(runs) == len(system.made) == 11
    assert sum(one.left_out is LeftOut.INVALID for one in runs) == 4
    assert (result.base.counted, result.new.counted) == (4, 3)


def test_settings_that_change_the_question_are_refused(tmp_path: Path) -> None:
    """Another load is another question; it may be meant."""
    folder = begun(tmp_path)
    path = folder.path / "scenario.toml"
    base = scenario_of(path, BASE, 1)
    other = scenario_of(path, Variant(name="x", set=("load.stages.0.agents=9",)), 1)
    with pytest.raises(UsageError, match=r"load\.stages\.0\.agents"):
        require_one_question(base, other, ())
    require_one_question(base, other, ("question",))
    require_one_question(base, scenario_of(path, NEW, 2), ())


def test_a_variant_is_what_its_argument_names(tmp_path: Path) -> None:
    """A checkout, a settings file, a contract, or an image set."""
    assert load_variant(str(ROOT)).checkout == str(ROOT)
    assert load_variant("offline").images == "offline"
    settings = tmp_path / "new.toml"
    settings.write_text(
        f'set = ["engine.workers=4"]\nimage = ["engine=x@sha256:1"]\ncheckout = "{ROOT}"\n'
        'contract = "stack.toml"\n'
    )
    found = load_variant(str(settings))
    assert (found.set, found.image) == (("engine.workers=4",), ("engine=x@sha256:1",))
    assert (found.checkout, found.contract) == (str(ROOT), str(tmp_path / "stack.toml"))
    contract = ROOT / "examples" / "broker" / "broker.toml"
    assert load_variant(str(contract)).contract == str(contract)


@pytest.mark.parametrize(
    "text", ['sets = ["a=1"]', "set = 3", 'checkout = "nowhere"', "no toml", 'name = ""']
)
def test_a_wrong_settings_file_is_refused(tmp_path: Path, text: str) -> None:
    """With what is wrong in it."""
    path = tmp_path / "new.toml"
    path.write_text(text)
    with pytest.raises(UsageError):
        load_variant(str(path))


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    """Nothing of it could be started."""
    with pytest.raises(UsageError) as caught:
        load_variant(str(tmp_path))
    assert caught.value.hint
