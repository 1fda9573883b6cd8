"""Results: figures, decisions and tables of stored runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness import (
    Duration,
    InvalidRunError,
    Result,
    RunFailedError,
    UndecidedError,
    UsageError,
    Verdict,
    load_result,
    ms,
    seconds,
)
from harness.report.data import read_report_data
from harness.report.samples import SAMPLE_COLUMNS, sample_lines
from tests.unit.analysis.evidence import healthy, load_of, without

Open = Callable[[str], Result]


def decision(result: Result, limit: Duration) -> bool | None:
    """Of P99; None where it is undecided."""
    try:
        return result.p99 < limit
    except UndecidedError:
        return None


@given(st.data())
def test_the_interval_decides(both_modes: Result, data: st.DataObject) -> None:
    """True only above the interval, False only below it, and nothing in between."""
    p99 = both_modes.p99
    assert p99.lower_ns is not None
    assert p99.upper_ns is not None
    near_ns = st.integers(p99.lower_ns - 3_000_000, p99.upper_ns + 3_000_000)
    edge_ns = st.sampled_from([p99.lower_ns, p99.upper_ns, p99.upper_ns + 1])
    limit_ns = data.draw(near_ns | edge_ns)
    found = decision(both_modes, Duration(limit_ns))
    assert (found is True) == (p99.upper_ns < limit_ns)
    if found is False:
        assert p99.lower_ns >= limit_ns


def test_figures_are_those_of_the_judge(both_modes: Result) -> None:
    """Of one mode, and of the slower one of both."""
    stored = {check.mode: check for check in both_modes.judgement.checks if check.mode}
    assert {*stored} == {"lite", "full"}
    for mode, check in stored.items():
        own = both_modes.percentile(99, mode="lite" if mode == "lite" else "full")
        found = (own.estimate_ns, own.lower_ns, own.upper_ns, own.confidence, own.signals)
        names = ("estimate_ns", "lower_ns", "upper_ns", "confidence", "signals")
        assert found == tuple(check.figures[name] for name in names)
    both = both_modes.p99
    assert both.estimate_ns == max(int(str(one.figures["estimate_ns"])) for one in stored.values())
    assert (
        re.fullmatch(
            r"p99 of latency \S+ ms \(\S+ ms to \S+ ms, each bound at 95 %, 800 signals\)",
            repr(both),
        )
        or both.signals != 800
    )


def test_comparisons(both_modes: Result) -> None:
    """With durations only, from both sides; other metrics, the maximum and whole objectives."""
    assert both_modes.p99 < seconds(1)
    assert seconds(1) > both_modes.p99
    assert both_modes.p99 >= ms(1)
    assert both_modes.maximum < seconds(1)
    assert both_modes.maximum.confidence is None
    assert both_modes.percentile(99, "lateness") < seconds(1)
    assert both_modes.meets("rejected < 1 %")
    with pytest.raises(TypeError, match=r"write ms\(500\)"):
        assert both_modes.p99 < 500  # type: ignore[operator]
    for limit in (Duration(0), seconds(4_000)):
        with pytest.raises(UsageError):
            assert both_modes.p99 < limit


@pytest.mark.parametrize("objective", ["p99 < 500", "p100 < 1 s", "stage peak p99 < 1 s"])
def test_wrong_objective_is_a_usage_error(both_modes: Result, objective: str) -> None:
    """Of the grammar, and of the load."""
    with pytest.raises(UsageError):
        both_modes.meets(objective)


def test_verdicts_are_exceptions(from_corpus: Open) -> None:
    """On request; a figure of an invalid run may miss a limit and never meets one."""
    from_corpus("pass-plain").raise_for_verdict()
    failed = from_corpus("fail-p99")
    with pytest.raises(RunFailedError, match="p99"):
        failed.raise_for_verdict()
    undecided = from_corpus("inconclusive-few")
    with pytest.raises(UndecidedError):
        undecided.raise_for_verdict()
    with pytest.raises(UndecidedError, match="without an upper bound"):
        assert undecided.p99 < ms(500)
    assert undecided.p99.estimate_ns is None
    assert undecided.p99.upper_ns is None
    invalid = from_corpus("invalid-no-stack")
    with pytest.raises(InvalidRunError):
        invalid.raise_for_verdict()
    with pytest.raises(InvalidRunError):
        assert invalid.p90 < ms(500)
    assert not invalid.p90 < ms(1)
    assert (failed.verdict, failed.exit_code) == (Verdict.FAIL, 1)


def cell(value: str | float) -> str:
    """A value of a table as the CSV has it."""
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else str(int(value))


def test_signals_are_those_of_the_csv(tmp_path: Path) -> None:
    """The same columns and rows; what is unknown is NaN."""
    world = healthy(load_of(duration_s=3.0), full_every=3)
    world.sightings = without(world.sightings, world.of(world.sightings, 10))
    assert world.tasks is not None
    world.tasks = without(world.tasks, world.of(world.tasks, 10))
    folder = world.write(tmp_path)
    table = load_result(folder.path).signals()
    head, *lines = "".join(sample_lines(read_report_data(folder))).splitlines()
    assert tuple(head.split(",")) == SAMPLE_COLUMNS
    assert [name for name in table if name != "latency_ns"] == list(SAMPLE_COLUMNS)
    assert table.rows == len(lines)
    for number, line in enumerate(lines):
        assert [cell(table[name][number]) for name in SAMPLE_COLUMNS] == line.split(",")
    lost = table["class"] == "lost"
    assert lost.sum() == 1
    assert np.isnan(table["latency_ns"][lost]).all()


def test_tables_of_figures(both_modes: Result) -> None:
    """A row for each interval; latency of the table adds up to that of the measurement."""
    signals = both_modes.signals()
    own = (signals["phase"] == "measure") & (signals["mode"] == "lite")
    figures = both_modes.measurement.of("latency", "measure", "lite")
    assert figures is not None
    assert signals["latency_ns"][own].sum() == figures.sum_ns
    assert both_modes.throughput().rows == len(both_modes.measurement.seconds)
    assert both_modes.latency_over_time().rows == len(both_modes.measurement.intervals)
    assert {*both_modes.telemetry()} == {"at_s", "track", "value", "limit", "stage", "agents"}


def test_notebook_escapes_what_is_shown(both_modes: Result) -> None:
    """Verdict and objectives; text of a scenario is no markup."""
    page = both_modes._repr_html_()
    assert "p99 &lt; 500 ms" in page
    assert "p99 < 500 ms" not in page
    assert both_modes.verdict.name in page
    assert repr(both_modes) == f"<Result {both_modes.run_id} {both_modes.verdict.name}>"


def test_names_of_the_package_are_those_that_are_typed() -> None:
    """Type checkers and `import harness` know the same names, and each is there."""
    tree = ast.parse(Path(harness.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness.")
        for alias in node.names
    }
    assert typed == harness._API.keys()
    assert all(callable(getattr(harness, name)) for name in typed)
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        harness.runs  # type: ignore[attr-defined]  # noqa: B018 - reading it is the test
