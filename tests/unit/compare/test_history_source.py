"""`last:N` of a history: by the folders of the runs, or by their lines where those are gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.assessment.assess import assess_and_store
from harness.cli.app import app
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from tests.unit.analysis.evidence import healthy, load_of
from tests.unit.analysis.evidence import steady as delays

LOAD = load_of(agents=2, rate=200.0, duration_s=2.0)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`nights/`: six runs of 10 ms, `new/`: five of 14 ms, and the history of all of them."""
    root = tmp_path_factory.mktemp("kept")
    for name, delay_ms, runs in (("nights", 10, 6), ("new", 14, 5)):
        made = healthy(LOAD, delays=delays(delay_ms)).write(root / "made")
        for number in range(1, runs + 1):
            path = root / name / f"2026110{number}-010000-{name}-0001"
            shutil.copytree(made.path, path)
            assess_and_store(RunFolder.open(path))
    command("history", "add", root / "h.jsonl", root / "nights", root / "new")
    return root


def command(*arguments: str | Path) -> Any:
    """The command's end."""
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


def compared(*arguments: str | Path) -> dict[str, Any]:
    """The result as data."""
    found: dict[str, Any] = json.loads(command("compare", *arguments, "--json", "-").stdout)
    return found


def ids(side: dict[str, Any]) -> list[str]:
    """The runs of a side."""
    return [one["run_id"] for one in side["runs"]]


@pytest.mark.parametrize("reports", ["nights", "gone"])
def test_newest_runs_of_a_history(kept: Path, reports: str) -> None:
    """The verdict is one; stages are explained only where the folders are there."""
    found = compared(
        "last:4", kept / "new", "--history", kept / "h.jsonl", "--reports", kept / reports
    )
    assert found["verdict"] == "SLOWER"
    assert ids(found["base"]) == [f"2026110{n}-010000-nights-0001" for n in (3, 4, 5, 6)]
    assert (found["base"]["counted"], found["new"]["counted"]) == (4, 5)
    assert any(one["kind"] != "percentile" for one in found["changes"]) == (reports == "nights")


def test_a_percentile_can_be_named(kept: Path) -> None:
    """By lines only those of the objectives are known."""
    words = ("last:4", kept / "new", "--history", kept / "h.jsonl", "--reports", kept / "gone")
    assert compared(*words, "--percentile", "p99")["verdict"] == "SLOWER"
    with pytest.raises(UsageError, match="p50"):
        compared(*words, "--percentile", "p50")


def changed(kept: Path, path: Path, **values: object) -> Path:
    """The history with other values in each line of the nights."""
    lines = [json.loads(line) for line in (kept / "h.jsonl").read_text().splitlines()]
    for line in lines:
        if "nights" in line["run_id"]:
            line.update(values)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_runs_of_another_series_are_no_base(kept: Path, tmp_path: Path) -> None:
    """What differs is named; it may be allowed."""
    history = changed(kept, tmp_path / "h.jsonl", host="0" * 12)
    words = ("last:4", kept / "new", "--history", history)
    with pytest.raises(UsageError, match="host") as caught:
        compared(*words)
    assert caught.value.hint == "--allow-different host, if that is meant"
    assert compared(*words, "--allow-different", "host")["verdict"] == "SLOWER"
    other = changed(kept, tmp_path / "o.jsonl", question="0" * 12)
    with pytest.raises(UsageError, match="no other run of the question"):
        compared("last:4", kept / "new", "--history", other)


def test_a_run_without_an_upper_bound_is_a_lower_bound(kept: Path, tmp_path: Path) -> None:
    """So it makes NEW no faster."""
    metric = {
        "id": "latency_p99_lite", "objective": "p99 < 500 ms", "unit": "ns",
        "estimate": 90_000_000, "lower": 12_000_000, "upper": None, "limit": 500_000_000,
    }  # fmt: skip
    history = changed(kept, tmp_path / "h.jsonl", metrics=[metric])
    found = compared("last:4", kept / "new", "--history", history)
    assert all(one["is_lower_bound"] for one in found["base"]["runs"])
    assert found["base"]["median_ns"] == pytest.approx(12_000_000)
    assert found["verdict"] == "CANNOT_TELL"


@pytest.mark.parametrize(
    "words",
    [("new", "nights"), ("last:4", "last:5"), ("last:4", "new", "--interleave")],
)
def test_wrong_usage_is_refused(
    kept: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Each with a hint."""
    monkeypatch.chdir(kept)
    with pytest.raises(UsageError) as caught:
        compared(*words, "--history", "h.jsonl")
    assert caught.value.hint
