"""What a person reads at the end of a run."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.judge.assess import assess
from harness.parts import Event, Progress
from harness.report.progress import ProgressView
from harness.report.terminal import render
from harness.report.units import count_text, duration_text, share_text
from tests.unit.measure.evidence import World, healthy, load_of


def shown(world: World, reports: Path) -> str:
    """The result of a run, as printed."""
    folder = world.write(reports)
    found = assess(folder)
    console = Console(file=StringIO(), width=120)
    console.print(render(found.measurement, found.judgement, folder.path))
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_pass_at_a_glance(tmp_path: Path) -> None:
    """Verdict, promise, percentiles, stages, account, grade and the folder are on one page."""
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


def test_failure_says_what_failed_first(tmp_path: Path) -> None:
    """The broken promise is the headline."""
    text = shown(healthy(load_of(), "p99 < 1 ms"), tmp_path)
    assert text.index(" FAIL ") < text.index("objectives")
    assert "the limit is 1 ms" in text.partition("objectives")[0]


def test_death_is_told_under_validity(tmp_path: Path) -> None:
    """What spoiled a run is named with its reason."""
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
        events=tuple(Event("service_restarted", what, 0) for what in events),
    )


def test_plain_lines_are_few_and_tell_every_event_once() -> None:
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
    assert duration_text(value_ns) == text


@given(st.integers(min_value=10_000, max_value=10**14))
def test_durations_keep_their_size(value_ns: int) -> None:
    """What is printed is within 1 % of the value."""
    number, unit = duration_text(value_ns).replace(",", "").split()
    back = float(number) * {"us": 1e3, "ms": 1e6, "s": 1e9}[unit]
    assert back == pytest.approx(value_ns, rel=0.01)


def test_counts_and_shares() -> None:
    """Thousands are separated; shares are percentages."""
    assert count_text(12_088) == "12,088"
    assert share_text(0.995) == "99.5 %"
