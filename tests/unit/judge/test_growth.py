"""Objectives of growth, from the telemetry of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from pydantic import ValidationError

from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.judge.check import CheckContext
from harness.judge.growth import check_growth
from harness.judge.verdict import Verdict
from harness.scenario import Scenario, parse_objective
from harness.scenario import Telemetry as TelemetryKeys
from tests.unit.analysis.evidence import S, load_of

LENGTH_S = 600
PASS, FAIL, INVALID = Verdict.PASS, Verdict.FAIL, Verdict.INVALID
INCONCLUSIVE = Verdict.INCONCLUSIVE


def case_of(
    telemetry: Telemetry, *, length_s: int = LENGTH_S, watched_s: int = 700
) -> CheckContext:
    """A run that was measured from 10 s on."""
    timeline = SimpleNamespace(t0_ns=0, bounds_ns=lambda _: (10 * S, (10 + length_s) * S))
    return cast(
        "CheckContext",
        SimpleNamespace(
            telemetry=lambda: telemetry,
            analysis=SimpleNamespace(
                timeline=timeline,
                watched_until_ns=watched_s * S,
                instruments=SimpleNamespace(self_monitoring=SimpleNamespace(samples=())),
            ),
        ),
    )


def telemetry_of(name: str, bytes_per_h: float, sway: float = 0.0) -> Telemetry:
    """A series that grows, and another one that does not; with a sway of a minute."""
    at_s = tuple(float(second) for second in range(LENGTH_S + 20))
    values = tuple(1e8 + bytes_per_h * at / 3600 + sway * (at // 30 % 2) for at in at_s)
    level = name.replace("engine", "redis").replace("database", "other")
    series = {
        name: TimeSeries(name, at_s, values),
        level: TimeSeries(level, at_s, (1e8,) * len(at_s)),
    }
    return Telemetry(time_series=series, present=True)


MEMORY = "service.engine.memory_private_bytes"


@pytest.mark.parametrize(
    ("name", "objective", "bytes_per_h", "verdict"),
    [
        (MEMORY, "memory_growth < 10 MB/h", 1e6, PASS),
        (MEMORY, "memory_growth < 10 MB/h", -5e7, PASS),
        (MEMORY, "memory_growth < 10 MB/h", 2e7, FAIL),
        ("postgres.database_bytes", "disk_growth < 2 GB/h", 1.9e9, PASS),
        ("postgres.database_bytes", "disk_growth < 500 kB/h", 1e6, FAIL),
    ],
)
def test_the_fastest_subject_decides(
    name: str, objective: str, bytes_per_h: float, verdict: Verdict
) -> None:
    """One that grows too fast fails, whatever the others do; it is an example of the check."""
    check = check_growth(case_of(telemetry_of(name, bytes_per_h)), parse_objective(objective))
    assert check.id == objective.split()[0]
    assert check.status.verdict is verdict
    assert bool(check.examples) == (verdict is FAIL)
    if bytes_per_h > 0:
        assert check.figures["bytes_per_h"] == pytest.approx(bytes_per_h, rel=1e-3)


@pytest.mark.parametrize("bytes_per_h", [5e6, 1.5e7])
def test_a_slope_that_is_not_known_well_enough_is_undecided(bytes_per_h: float) -> None:
    """The interval spans the limit, on whichever side of it the estimate lies."""
    found = telemetry_of(MEMORY, bytes_per_h, sway=1e7)
    check = check_growth(case_of(found), parse_objective("memory_growth < 10 MB/h"))
    assert check.status.verdict is INCONCLUSIVE
    lower, upper = check.figures["lower_bytes_per_h"], check.figures["upper_bytes_per_h"]
    assert isinstance(lower, float)
    assert isinstance(upper, float)
    assert lower < 1e7 <= upper


@pytest.mark.parametrize(
    ("telemetry", "length_s", "watched_s", "verdict"),
    [
        (Telemetry(), LENGTH_S, 700, INVALID),
        (Telemetry(present=True), LENGTH_S, 700, INCONCLUSIVE),
        (telemetry_of(MEMORY, 2e7), 200, 700, INCONCLUSIVE),
        (telemetry_of(MEMORY, 2e7), LENGTH_S, 200, INCONCLUSIVE),
    ],
    ids=["no telemetry", "no subject", "short", "ended early"],
)
def test_too_little_is_no_growth_of_an_hour(
    telemetry: Telemetry, length_s: int, watched_s: int, verdict: Verdict
) -> None:
    """Neither PASS nor FAIL; without telemetry the run shows nothing."""
    case = case_of(telemetry, length_s=length_s, watched_s=watched_s)
    check = check_growth(case, parse_objective("memory_growth < 10 MB/h"))
    assert check.status.verdict is verdict


@pytest.mark.parametrize(
    "text", ["memory_growth < 0 MB/h", "memory_growth < 5 MB", "growth < 1 MB/h"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    """A growth has a unit, and a limit above zero."""
    with pytest.raises(ValueError, match="growth"):
        parse_objective(text)


def test_it_needs_telemetry() -> None:
    """A scenario that switches it off is refused."""
    limits, off = ("disk_growth < 1 GB/h",), TelemetryKeys(enabled=False)
    with pytest.raises(ValidationError, match="switched off"):
        Scenario(name="x", about="x", load=load_of(), telemetry=off, objectives=limits)
