"""Runs without a stack: a scenario is answered with the run of the corpus that has its name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.api import running
from harness.api.result import Result, load_result
from harness.assessment.assess import Assessment, assess_and_store
from harness.cli.stack_choice import StackChoice
from harness.evidence.run_folder import RunFolder
from harness.scenario import Scenario
from tests.corpus import archive
from tests.unit.analysis.evidence import healthy, load_of

SCENARIO = """
name = "{name}"
about = "made up"
objectives = ["p99 < 500 ms", "rejected < 1 %"]
[load]
warmup_s = 1
drain_s = 5
[[load.stages]]
agents = 2
rate_from = 10
duration_s = 4
"""


@dataclass
class StoredRuns:
    """Takes the place of `run_once`.

    Attributes:
        asked: the scenarios that were run.
        choices: the stacks that they were run on.
        during: called within each run.
    """

    asked: list[Scenario] = field(default_factory=list)
    choices: list[StackChoice] = field(default_factory=list)
    during: Callable[[], None] = lambda: None

    def __call__(
        self, asked: Scenario, reports: Path, choice: StackChoice, *_: object
    ) -> tuple[Assessment, RunFolder]:
        self.asked.append(asked)
        self.choices.append(choice)
        self.during()
        place = reports / f"{len(self.asked)}"
        place.mkdir(parents=True)
        folder = RunFolder.open(archive.unpack(asked.name, place))
        return assess_and_store(folder), folder


def write_scenario(folder: Path, name: str) -> Path:
    """A scenario whose run is that of the corpus."""
    path = folder / f"{name}.toml"
    path.write_text(SCENARIO.format(name=name), encoding="utf-8")
    return path


@pytest.fixture
def stored_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StoredRuns:
    """`harness.run` starts nothing; the lock of turns is the test's own."""
    runs = StoredRuns()
    monkeypatch.setattr(running, "run_once", runs)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return runs


@pytest.fixture(scope="session")
def both_modes(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A healthy run with signals of both modes; read only."""
    world = healthy(load_of(duration_s=8.0), "p99 < 500 ms", "rejected < 1 %", full_every=2)
    return load_result(world.write(tmp_path_factory.mktemp("reports")).path)


@pytest.fixture
def from_corpus(tmp_path: Path) -> Callable[[str], Result]:
    """A run of the corpus, opened."""
    return lambda name: load_result(archive.unpack(name, tmp_path))
