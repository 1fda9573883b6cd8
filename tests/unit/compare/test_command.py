"""`harness compare` on stored runs and on alternate ones: exit codes, outputs, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from harness.assessment.assess import Assessment, assess_and_store
from harness.assessment.interleave_folder import InterleaveFolder
from harness.cli import compare_run
from harness.cli.app import app
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.scenario import Scenario
from harness.stack.settings import ROOT
from tests.unit.analysis.evidence import World, healthy, load_of
from tests.unit.analysis.evidence import steady as delays
from tests.unit.compare.runs import stored_result

LOAD = load_of(agents=2, rate=200.0, duration_s=2.0)
SMOKE = ROOT / "scenarios" / "smoke.toml"


def world(delay_ms: float, **changes: Any) -> World:
    """A run of 400 signals."""
    return healthy(changes.pop("load", LOAD), delays=delays(delay_ms), **changes)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Groups of runs: base and slow of five, few of three, again as base, other at another rate."""
    reports = tmp_path_factory.mktemp("reports")
    loads = {"other": load_of(agents=2, rate=210.0, duration_s=2.0)}
    for name, delay_ms, runs in (
        ("base", 10, 5), ("again", 10, 5), ("slow", 14, 5), ("few", 10, 3), ("other", 10, 4),
    ):  # fmt: skip
        made = world(delay_ms, load=loads.get(name, LOAD)).write(reports / "made")
        assess_and_store(made)
        for number in range(runs):
            shutil.copytree(made.path, reports / name / f"2026110{number}-{name}-0001")
    return reports


def compare(*arguments: str | Path) -> Result:
    """The command's end."""
    words = ["compare", *map(str, arguments)]
    return CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.mark.parametrize(
    ("base", "new", "code"),
    [("base", "slow", 1), ("slow", "base", 0), ("base", "again", 0), ("base", "few", 3)],
)
def test_exit_code_is_the_verdicts(reports: Path, base: str, new: str, code: int) -> None:
    """Of stored runs, which are not judged again."""
    done = compare(reports / base, reports / new)
    assert done.exit_code == code
    assert done.stdout.strip()


def test_each_report_goes_where_it_is_wanted(reports: Path, tmp_path: Path) -> None:
    """JSON on the terminal stands alone; the files are all of one result."""
    markdown, junit = tmp_path / "compare.md", tmp_path / "compare.xml"
    done = compare(
        reports / "base", reports / "slow", "--json", "-",
        "--markdown", markdown, "--junit", junit, "--percentile", "p50",
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert (result["verdict"], result["exit_code"], result["percentile"]) == ("SLOWER", 1, "p50")
    assert markdown.read_text().startswith("## SLOWER")
    assert "<failure" in junit.read_text()


def test_runs_of_another_question_are_refused(reports: Path) -> None:
    """Before anything is compared, unless it is meant."""
    with pytest.raises(UsageError, match="rate_from"):
        compare(reports / "base", reports / "other")
    assert compare(
        reports / "base", reports / "other", "--allow-different", "question"
    ).exit_code in (0, 1, 3)


@pytest.mark.parametrize(
    "words",
    [
        ("base",),
        ("base", "slow", "--seed", "3"),
        ("base", "slow", "--allow-different", "hosts"),
        ("base", "slow", "--percentile", "max"),
        ("base", "slow", "--interleave"),
    ],
)
def test_wrong_usage_is_refused(
    reports: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Each with a hint."""
    monkeypatch.chdir(reports)
    with pytest.raises(UsageError) as caught:
        compare(*words)
    assert caught.value.hint


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A settings file."""
    path = tmp_path / "new.toml"
    path.write_text('set = ["engine.workers=4"]\n')
    return path


def test_alternate_runs_end_with_a_comparison_and_are_compared_again(
    tmp_path: Path, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their folder alone, without another run."""
    made: list[int] = []

    def once(own: Scenario, within: Path, *_: object) -> tuple[Assessment, RunFolder]:
        made.append(own.engine.workers)
        found = world(14 if own.engine.workers == 4 else 10)
        found.scenario = found.scenario.model_copy(update={"engine": own.engine})
        folder = found.write(within)
        return assess_and_store(folder), folder

    monkeypatch.setattr(compare_run, "run_once", once)
    done = compare(
        ROOT, settings, "--interleave", "--scenario", SMOKE, "--runs", "4",
        "--reports", tmp_path, "--json", tmp_path / "result.json",
    )  # fmt: skip
    assert done.exit_code == 1, done.output
    assert made == [2, 4, 4, 2, 2, 4, 4, 2]
    (path,) = tmp_path.glob("*-compare")
    folder = InterleaveFolder.open(path)
    assert folder.junit.is_file()
    assert folder.read_scenario().load.until_decided_s is None
    stored = stored_result(folder)
    assert json.loads((tmp_path / "result.json").read_text())["verdict"] == stored.verdict
    again = compare(path)
    assert (again.exit_code, stored_result(folder)) == (1, stored)
    assert len(made) == 8


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-set", "new.toml"),
        ("new.toml", "new.toml", "--set", "engine.no_such_key=1"),
        ("new.toml", "load.toml"),
        (str(ROOT), "new.toml", "--stack", "docker"),
        (str(ROOT / "examples" / "broker" / "broker.toml"), "new.toml"),
        ("new.toml", "new.toml", "--seed", str(2**63 - 2)),
    ],
)
def test_what_cannot_be_run_is_refused_before_a_folder_is_made(
    tmp_path: Path, settings: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Variants, scenario and stack are checked first."""
    (tmp_path / "load.toml").write_text('set = ["load.stages.0.agents=3"]\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        compare(*words, "--interleave", "--reports", "reports", "--scenario", SMOKE)
    assert not (tmp_path / "reports").exists()
