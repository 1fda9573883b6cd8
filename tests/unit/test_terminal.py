"""Terminal output of a run."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.assessment.assess import assess
from harness.evidence.run_documents import RunEvent
from harness.formatting import format_count, format_duration_fixed, format_share_fixed
from harness.report.terminal import render
from harness.run.live.summary import LiveSummary
from harness.run.live.terminal_progress import ProgressView, panel, plain_line, time_left
from harness.run.parts import Progress
from tests.unit.analysis.evidence import World, healthy, load_of
from tests.unit.live.snapshots import full_snapshot


def shown(world: World, reports: Path) -> str:
    """The result of a run, as printed."""
    folder = world.write(reports)
    found = assess(folder)
    console = Console(file=StringIO(), width=120)
    console.print(render(found.measurement, found.judgement, folder.path))
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_pass_on_one_page(tmp_path: Path) -> None:
    """Verdict, objective, percentiles, stages, outcomes, grade and the folder are on one page."""
    text = shown(healthy(load_of(), "p99 < 500 ms", "rejected < 1 %"), tmp_path)
    for part in (
        " PASS ",
        "P99 of latency is",
        "p99 < 500 ms",
        "latency",
        "lateness",
        "service",
        "intended -> sent",
        "attempted =",
        "+ 0 lost",
        "indicative",
        "judge again with: harness judge",
    ):
        assert part in text, part


def test_failed_objective_comes_first(tmp_path: Path) -> None:
    """The failed objective is the headline."""
    text = shown(healthy(load_of(), "p99 < 1 ms"), tmp_path)
    assert text.index(" FAIL ") < text.index("objectives")
    assert "the limit is 1 ms" in text.partition("objectives")[0]


def test_death_of_the_observer_is_shown_under_validity(tmp_path: Path) -> None:
    """The cause of INVALID is named."""
    world = healthy()
    world.event("observer_died")
    text = shown(world, tmp_path)
    assert "INVALID" in text
    assert "observer" in text.partition("validity")[2].partition("latency")[0]


def progress(phase: str, elapsed_s: int, *events: str) -> Progress:
    """A snapshot."""
    return Progress(
        phase=phase,
        elapsed_ns=elapsed_s * 10**9,
        total_ns=30 * 10**9,
        sent=7,
        events=tuple(RunEvent(kind="service_restarted", what=what, mono_ns=0) for what in events),
    )


def test_plain_lines_are_few_and_show_every_event_once() -> None:
    """A pipe gets a line for each phase, one every five seconds, and no event twice."""
    file = StringIO()
    with ProgressView(Console(file=file, width=200)) as view:
        for second in range(12):
            view.show(progress("measure", second, *(["engine restarted"] if second > 3 else [])))
    lines = file.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["0", "!", "5", "10"]


@pytest.mark.parametrize(
    ("value_ns", "text"),
    [
        (None, "-"),
        (850, "0.85 us"),
        (31_000, "31.0 us"),
        (4_750_000, "4.75 ms"),
        (12_100_000_000, "12.1 s"),
        (499_600_000, "500 ms"),
        (-2_000_000, "-2.00 ms"),
    ],
)
def test_durations_read_well(value_ns: int | None, text: str) -> None:
    """Three significant digits, in the unit that fits."""
    assert format_duration_fixed(value_ns) == text


@given(st.integers(min_value=10_000, max_value=10**14))
def test_durations_keep_their_size(value_ns: int) -> None:
    """What is printed is within 1 % of the value."""
    number, unit = format_duration_fixed(value_ns).replace(",", "").split()
    back = float(number) * {"us": 1e3, "ms": 1e6, "s": 1e9}[unit]
    assert back == pytest.approx(value_ns, rel=0.01)


def test_counts_and_shares() -> None:
    """Thousands are separated; shares are percentages."""
    assert format_count(12_088) == "12,088"
    assert format_share_fixed(0.995) == "99.5 %"


class Terminal(StringIO):
    """A file that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [30, 44, 80, 200])
def test_panel_fits_its_terminal(width: int) -> None:
    """Every figure is there on a narrow one too, and no line is longer than it."""
    console = Console(file=StringIO(), width=width)
    console.print(panel(full_snapshot(), width))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    (bar,) = (line for line in lines if "━" in line)
    assert bar.strip("━╸╺ ") == "", "the bar has a line of its own"
    text = " ".join(console.file.getvalue().split())
    for part in ("412 sent", "404 final", "98.5/s", "P99", "594 ms", "lateness", "backlog 6"):
        assert part in text, part
    assert "engine 3.50 of 4 cores (87.5 %)" in " ".join(text.replace("cpu ", "").split())


def test_forced_colours_do_not_make_a_log_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """CI servers force colours into files, where nothing can be drawn over."""
    monkeypatch.delenv("CI", raising=False)
    file = StringIO()
    with ProgressView(Console(file=file, width=100, force_terminal=True)) as view:
        view.show(full_snapshot())
    assert "\x1b[?25l" not in file.getvalue()
    assert "sent 412" in file.getvalue()
    file = Terminal()
    console = Console(file=file, width=100, force_terminal=True, _environ={"TERM": "xterm"})
    with ProgressView(console) as view:
        view.show(full_snapshot())
    assert "\x1b[?25l" in file.getvalue()
    assert "\x1b[?25h" in file.getvalue(), "the cursor is given back"


@pytest.mark.parametrize(
    ("ci", "environ"),
    [("true", {}), ("", {"NO_COLOR": "1"}), ("", {"TERM": "dumb"})],
)
def test_plain_lines_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, ci: str, environ: dict[str, str]
) -> None:
    """A CI, NO_COLOR and a dumb terminal get lines, and the cursor is not moved."""
    monkeypatch.setenv("CI", ci)
    file = Terminal()
    own = {"TERM": "xterm", **environ}
    with ProgressView(Console(file=file, force_terminal=True, _environ=own)) as view:
        view.show(full_snapshot())
    assert "\x1b[?25l" not in file.getvalue()
    assert "sent 412" in file.getvalue()


def test_time_left() -> None:
    """Of the load while it lasts, at most that where it may be decided; of equal runs in a row."""
    running = Progress("measure", elapsed_ns=12 * 10**9, total_ns=95 * 10**9)
    first, early, drain = (
        str(panel(one, 80).renderables[0])
        for one in (running, replace(running, may_end_early=True), replace(running, phase="drain"))
    )
    assert "  1 min 23 s left" in first
    assert "at most 1 min 23 s left" in early
    assert "left" not in drain
    assert time_left(0, 5, 0) == ""
    assert time_left(2, 5, 60 * 10**9) == ", about 1 min 30 s left"


def test_plain_line_shows_exceptional_figures() -> None:
    """Rejections, refusals, an old signal, and the service nearest to its quota; else nothing."""
    assert plain_line(full_snapshot()).endswith(
        "agents 50  rejected 3  refused 2  engine 3.50 of 4 cores (87.5 %)"
    )
    assert plain_line(progress("measure", 3)).endswith("agents 0")
    stuck = LiveSummary(oldest_open_ns=4 * 10**9)
    assert plain_line(replace(progress("measure", 3), summary=stuck)).endswith("oldest 4.00 s")
