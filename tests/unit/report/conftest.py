"""Runs that never were, judged once, for all tests of the report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.assessment.assess import assess_and_store
from harness.evidence.run_folder import RunFolder
from tests.unit.analysis.evidence import healthy, load_of


@pytest.fixture(scope="session")
def _judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = healthy(load_of(duration_s=8.0), "p99 < 500 ms", "rejected < 1 %", full_every=2)
    folder = world.write(tmp_path_factory.mktemp("reports"))
    assess_and_store(folder)
    return folder.path


@pytest.fixture
def judged(_judged: Path, tmp_path: Path) -> RunFolder:
    """The folder of a run that was judged; a copy of the test's own."""
    return RunFolder.open(Path(shutil.copytree(_judged, tmp_path / _judged.name)))
