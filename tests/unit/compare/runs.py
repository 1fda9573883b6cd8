"""Runs that never were, as a comparison reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis.comparison import RunValue
from harness.assessment.compared_figures import FigureKey, FigureKind, PercentileKey
from harness.assessment.compared_run import ComparedRun
from harness.assessment.comparison import ComparisonQuestion, RunSet, compare_runs
from harness.assessment.comparison_result import COMPARE_SCHEMA_VERSION, ComparisonResult
from harness.assessment.interleave_folder import InterleaveFolder
from harness.judge.verdict import Verdict
from harness.scenario import parse_objective

P99 = PercentileKey("latency", 99.0, "lite")
P50 = PercentileKey("latency", 50.0, "lite")
LOCK = FigureKey(FigureKind.ENGINE_TRANSITION, "engine EVALUATED->LOCKED", "lite", "ns")
CPU = FigureKey(FigureKind.CPU_PER_SIGNAL, "engine", "", "s")
MS = 1_000_000
EQUAL: Mapping[str, Mapping[str, str]] = {"host": {"cpu_model": "a"}, "images": {"engine": "1"}}
# Ten runs of one system: a typical run-to-run variation of 4 %.
NOISE = (0.96, 1.03, 1.0, 0.98, 1.05, 1.01, 0.95, 1.02, 0.99, 1.04)


def run(number: int, value: RunValue | None, **changes: Any) -> ComparedRun:
    """A valid run with a P99 in ns."""
    fields: dict[str, Any] = {
        "run_id": f"run-{number:03}",
        "scenario": "smoke",
        "verdict": Verdict.PASS,
        "commit": "abc",
        "invalid": "",
        "fingerprint": EQUAL,
        "objective": parse_objective("p99 < 500 ms"),
        "percentiles": {} if value is None else {P99: value},
        **changes,
    }
    return ComparedRun(**fields)


def side(
    name: str, values_ms: Sequence[float | RunValue], first: int = 0, **changes: Any
) -> RunSet:
    """Runs with these P99s; one that is no number is used as it is."""
    values = [one if isinstance(one, RunValue) else RunValue(one * MS) for one in values_ms]
    runs = [run(first + number, value, **changes) for number, value in enumerate(values)]
    return RunSet(name, tuple(runs))


def steady(level_ms: float, runs: int = 5) -> list[float]:
    """P99s of runs of one system."""
    return [level_ms * noise for noise in NOISE[:runs]]


def compared(
    base: Sequence[float | RunValue], new: Sequence[float | RunValue], **question: Any
) -> ComparisonResult:
    """The comparison of two groups with these P99s in ms."""
    return compare_runs(
        side("base", base), side("new", new, first=100), ComparisonQuestion(**question)
    )


def stored_result(folder: InterleaveFolder) -> ComparisonResult:
    """The result of alternate runs, held against their evidence."""
    return folder.read_bound(ComparisonResult, COMPARE_SCHEMA_VERSION, folder.run_ids())
