"""Which runs a source names: a run, a group, a folder of reports, the newest of a scenario."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.comparison import RunValue
from harness.assessment import run_sources
from harness.assessment.compared_run import ComparedRun
from harness.assessment.run_sources import runs_of, runs_of_both
from harness.errors import EvidenceError, UsageError
from harness.evidence.run_folder import RunFolder
from tests.unit.compare.runs import MS, run


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of two scenarios, a group, a search and notes; a run's name says its scenario."""
    for name in (
        *(f"2026110{day}-smoke-000{day}" for day in range(1, 8)),
        "20261108-other-0001",
        "20261109-smoke-0009-repeat/20261109-smoke-0001",
        "20261109-smoke-0009-repeat/20261109-smoke-0002",
        "20261110-smoke-0001-capacity/20261110-smoke-0001",
        "20261111-smoke-0001-compare/20261111-smoke-0001",
        "damaged",
        "notes",
    ):
        (tmp_path / name).mkdir(parents=True)
        if name != "notes":
            (tmp_path / name / "plan.json").touch()
    (tmp_path / "20261109-smoke-0009-repeat" / "repeat.json").touch()
    (tmp_path / "20261111-smoke-0001-compare" / "compare.json").touch()
    (tmp_path / "link").symlink_to(tmp_path / "20261101-smoke-0001")

    def read(folder: RunFolder) -> ComparedRun:
        if folder.run_id == "damaged":
            raise EvidenceError("is missing", where="run.json")
        found = run(0, RunValue(MS), scenario=folder.run_id.split("-")[1])
        return replace(found, run_id=folder.run_id)

    monkeypatch.setattr(run_sources, "read_compared_run", read)
    return tmp_path


def ids(source: str) -> list[str]:
    """The runs of a source."""
    return [one.run_id for one in runs_of(source).runs]


def test_each_folder_has_its_runs(reports: Path) -> None:
    """In order of time; runs of experiments are no runs of a folder of reports."""
    group = reports / "20261109-smoke-0009-repeat"
    assert ids(str(reports / "20261102-smoke-0002")) == ["20261102-smoke-0002"]
    assert ids(str(group)) == ["20261109-smoke-0001", "20261109-smoke-0002"]
    assert len(ids(str(reports))) == 10
    found = runs_of(str(reports))
    assert [one.run_id for one in found.unread] == ["damaged"]
    assert not any(one.run_id.startswith(("20261110", "20261111")) for one in found.runs)


def test_several_folders_are_one_source(reports: Path) -> None:
    """With commas between them, each run once."""
    one, two = (str(reports / f"2026110{day}-smoke-000{day}") for day in (3, 1))
    assert ids(f"{one},{two},{one}") == ["20261101-smoke-0001", "20261103-smoke-0003"]


def test_newest_runs_are_those_of_the_other_sides_scenario(reports: Path) -> None:
    """Without the other side's own; on either side."""
    group = str(reports / "20261109-smoke-0009-repeat")
    base, new = runs_of_both("last:3", group, reports)
    assert [one.run_id for one in base.runs] == [f"2026110{n}-smoke-000{n}" for n in (5, 6, 7)]
    assert len(new.runs) == 2
    base, new = runs_of_both(group, "last:100", reports)
    assert len(base.runs) == 2
    assert len(new.runs) == 7


@pytest.mark.parametrize(
    ("base", "new"),
    [
        ("last:3", "last:4"),
        ("nowhere", "20261101-smoke-0001"),
        ("notes", "20261101-smoke-0001"),
        ("last:2", "20261108-other-0001"),
        ("last:2", "damaged"),
        ("last:0", "20261101-smoke-0001"),
        (",", "20261101-smoke-0001"),
        ("20261111-smoke-0001-compare", "20261101-smoke-0001"),
    ],
)
def test_a_source_without_runs_is_refused(
    reports: Path, monkeypatch: pytest.MonkeyPatch, base: str, new: str
) -> None:
    """With what may be given instead, or why there is none."""
    monkeypatch.chdir(reports)
    with pytest.raises(UsageError):
        runs_of_both(base, new, reports)


def test_more_runs_than_the_limit_are_refused(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any is read."""
    monkeypatch.setattr(run_sources, "RUNS_MOST", 5)
    with pytest.raises(UsageError, match="11 runs, more than 5"):
        runs_of(str(reports))
