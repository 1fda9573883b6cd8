"""The end of a run on a small terminal."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness.analysis.measurement import Measurement
from harness.assessment.assess import assess
from harness.cli.closing import closing_hints, show_closing, shown_path
from harness.judge.check import Check, CheckKind, CheckSpec
from harness.judge.grade import Grade
from harness.judge.judgement import Judgement
from harness.judge.verdict import Verdict, worst
from harness.report.compact import ClosingHints, closing_lines, compact_lines
from tests.unit.analysis.evidence import World, healthy, load_of

WIDTH, HEIGHT = 80, 24


def shown(world: World, reports: Path, *, verbose: bool = False) -> list[str]:
    """The last lines of a run, as printed at 80 columns."""
    folder = world.write(reports)
    folder.html.write_text("a page", encoding="utf-8")
    console = Console(file=StringIO(), width=WIDTH)
    show_closing(assess(folder), folder, console, verbose=verbose)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def slow() -> World:
    """A run that does not keep its limit."""
    return healthy(load_of(), "p99 < 1 ms")


def test_pass_ends_with_its_report(tmp_path: Path) -> None:
    """Verdict, sentence, page and the command that opens it, in this order at the very end."""
    lines = shown(healthy(load_of(), "p99 < 500 ms", "rejected < 1 %"), tmp_path)
    assert len(lines) < HEIGHT
    badge = next(n for n, line in enumerate(lines) if line.startswith(" PASS "))
    assert "exit code 0" in lines[badge]
    assert lines[badge + 1].startswith("The system meets every objective")
    assert lines[-2].endswith("/report.html")
    assert lines[-1].startswith("next:   harness report ")
    assert lines[-1].endswith(" --open")


def test_slow_run_is_to_be_diagnosed(tmp_path: Path) -> None:
    """What is not ok stands first among the objectives, and the next step names the cause."""
    lines = shown(slow(), tmp_path)
    assert next(line for line in lines if "p99 < 1 ms" in line).startswith("FAIL")
    assert any(line.startswith('The system violates an objective, "p99 < 1 ms"') for line in lines)
    assert "harness diagnose" in lines[-1]


def test_undecided_run_is_to_be_longer(tmp_path: Path) -> None:
    """The command holds a duration that lets it decide."""
    lines = shown(healthy(load_of(duration_s=1.0), "p99 < 500 ms"), tmp_path)
    assert any(line.startswith(" INCONCLUSIVE ") for line in lines)
    command, _, seconds = lines[-1].rpartition(" --duration ")
    assert command.endswith("/scenario.toml")
    assert int(seconds) > 1


def test_invalid_run_names_what_to_change(tmp_path: Path) -> None:
    """Where a check can be made valid, it names the change, and the run is to be repeated."""
    late = _check(Verdict.INVALID, "generator_lag_p99", CheckKind.VALIDITY)
    late = late.model_copy(update={"hint": "set a lower --rate"})
    judgement = _judgement([late])
    ending = closing_hints(judgement, healthy().write(tmp_path))
    assert "--rate" in ending.advice
    assert "harness run " in ending.command
    lines = [line.plain for line in closing_lines(judgement, ending, WIDTH)]
    assert lines[-2].lstrip() in ending.advice or lines[-2].startswith("change:")


def test_missing_self_monitoring_is_named_with_what_to_do(tmp_path: Path) -> None:
    """The file and what it lacks fit in two lines."""
    world = healthy()
    world.run["kept"], world.self_monitoring = ["vitals.jsonl"], []
    lines = shown(world, tmp_path)
    assert len(lines) < HEIGHT
    change = next(n for n, line in enumerate(lines) if line.startswith("change: "))
    assert "vitals.jsonl" in " ".join(lines[change:-1])
    assert len(lines) - change <= 3
    assert "harness run" in lines[-1]


@pytest.mark.parametrize("name", ["check_crashed", "result_stored"])
def test_whole_evidence_is_judged_again(name: str, tmp_path: Path) -> None:
    """Where the judge failed, another run would not help."""
    crashed = _check(Verdict.INVALID, name, CheckKind.VALIDITY)
    ending = closing_hints(_judgement([crashed]), healthy().write(tmp_path))
    assert ending.command.startswith("harness judge ")


def test_details_are_there_on_demand(tmp_path: Path) -> None:
    """`-v` prints every section, and ends as without it."""
    short, long = shown(slow(), tmp_path / "1"), shown(slow(), tmp_path / "2", verbose=True)
    for part in ("integrity", "latency breakdown", "signal outcomes"):
        assert part in long
        assert part not in short
    assert any(line.startswith(" FAIL ") for line in long[-6:])
    assert long[-1].startswith("next:")


def test_paths_are_short_below_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that lies elsewhere is whole."""
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "reports" / "1") == "reports/1"
    assert shown_path(Path("/elsewhere/1")) == "/elsewhere/1"


def _check(verdict: Verdict, message: str, kind: CheckKind) -> Check:
    return CheckSpec(message, message, kind).judged(verdict, message)


def _judgement(checks: list[Check]) -> Judgement:
    verdict = worst(check.status.verdict for check in checks)
    grade = Grade(level="signoff")
    return Judgement(
        verdict=verdict, exit_code=int(verdict.exit_code), grade=grade, checks=tuple(checks)
    )


CHECKS = st.builds(
    _check, st.sampled_from(Verdict), st.text("ab [/]\n%", max_size=600), st.sampled_from(CheckKind)
)


@pytest.fixture(scope="module")
def measurement(tmp_path_factory: pytest.TempPathFactory) -> Measurement:
    """Of a run with signals of both modes."""
    return assess(healthy(full_every=2).write(tmp_path_factory.mktemp("reports"))).measurement


@given(checks=st.lists(CHECKS, max_size=40))
@settings(deadline=None)
def test_everything_fits_a_small_terminal(measurement: Measurement, checks: list[Check]) -> None:
    """Any number of long messages: 24 lines of 80 columns, with the prompt."""
    judgement = _judgement(checks)
    ending = ClosingHints("reports/1/report.html", "a b " * 60, "harness judge reports/1")
    lines = [
        *compact_lines(measurement, judgement, None, WIDTH),
        *closing_lines(judgement, ending, WIDTH),
    ]
    assert max(line.cell_len for line in lines) <= WIDTH
    assert len(lines) < HEIGHT
    assert lines[-1].plain.startswith("next:")
