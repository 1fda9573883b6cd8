"""Constructed runs: 30 s measured after 5 s of warm-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from harness.analysis.measurement import (
    IntervalFigures,
    Measurement,
    SignalOutcomeFigures,
    ThroughputFigures,
)
from harness.analysis.resources.telemetry import LockWait, Telemetry, TimeSeries
from harness.diagnosis.answers import Diagnosis, Question
from harness.diagnosis.context import DiagnosisInput, build_context
from harness.diagnosis.diagnose import diagnose
from harness.diagnosis.trigger import find_trigger
from harness.evidence.run_documents import RunMetadata, RunPlan
from harness.judge.check import Figure
from harness.judge.grade import Grade
from harness.judge.judgement import Judgement
from harness.judge.scope import objective_spec
from harness.judge.verdict import Verdict
from harness.scenario import Load, Scenario, Stage
from harness.scenario.objective import parse_objective

MS = 1_000_000
START, END = 5, 35
GIB = float(1024**3)
# Seconds of the measured load in which signals are slow, unless a test sets others.
SLOW = tuple(range(15, 25))

Values = float | Callable[[int], float]


def track(name: str, values: Values, limit: float | None = None, source: str = "") -> TimeSeries:
    """A series with one value per second, from before the load until after it."""
    at = range(-3, END + 6)
    height = [values(second) if callable(values) else values for second in at]
    return TimeSeries(name, tuple(second + 0.4 for second in at), tuple(height), limit, source)


def in_slow(high: float, low: float, slow: Iterable[int] = SLOW) -> Callable[[int], float]:
    """A value for the seconds in which signals are slow, and one for the others."""
    chosen = {*slow}
    # A sample at second n covers the second before it.
    return lambda second: high if {second - 1, second} & chosen else low


def telemetry(*tracks: TimeSeries, waits: Iterable[LockWait] = ()) -> Telemetry:
    """Telemetry of these series."""
    return Telemetry({one.name: one for one in tracks}, tuple(waits), present=True)


def idle_run() -> tuple[TimeSeries, ...]:
    """Every series that the questions read, all far from their thresholds."""
    return (
        track("service.engine.cpu_cores", lambda s: 0.4 + 0.02 * (s % 5), 4.0, "cgroup"),
        track("service.engine.cpu_busiest_cores", 0.3, 1.0),
        track("service.engine.cpu_wait_cores", 0.05),
        track("service.engine.throttled_share", 0.0, 1.0),
        track("host.idle_cores", 0.9, 2.0),
        track("redis.memory_bytes", lambda s: 2e8 + 1e6 * (s % 3), 4 * GIB, "cgroup"),
        track("redis.stream.dev:stream:agent:proposals.length_count", 10_000, 10_000),
        track("postgres.nonce_waiters_count", 0.0),
        track("postgres.nonce_waiting_share", 0.0, 1.0),
        track("postgres.nonce_wait_ms", 0.0),
        track("rpc.primary.mean_ms", 12.0, 100.0),
        track("rpc.primary.requests_per_s", 20.0),
        track("rpc.primary.failures_per_s", 0.0),
    )


def changed(*tracks: TimeSeries) -> tuple[TimeSeries, ...]:
    """Those of `idle_run`, with some replaced or added."""
    found: Mapping[str, TimeSeries] = {one.name: one for one in (*idle_run(), *tracks)}
    return tuple(found.values())


def facts(
    *tracks: TimeSeries,
    slow: Iterable[int] = SLOW,
    p99_ms: float | None = None,
    waits: Iterable[LockWait] = (),
    seconds: tuple[ThroughputFigures, ...] = (),
    used: Mapping[int, int] | None = None,
    present: bool = True,
) -> DiagnosisInput:
    """A run at 100 signals/s, in some seconds of which signals take 700 ms instead of 20.

    Args:
        tracks: its telemetry.
        slow: those seconds.
        p99_ms: P99 of the run; 700 ms with slow seconds, and 20 ms without.
        waits: sampled lock waits.
        seconds: its throughput.
        used: nonces by address.
        present: whether there is telemetry at all.
    """
    chosen = {*slow}
    stage = Stage(agents=5, rate_from=100, rate_to=100, duration_s=END - START)
    load = Load(stages=(stage,), warmup_s=START)
    scenario = Scenario(name="made-up", about="made up", load=load, objectives=("p99 < 500 ms",))
    found = telemetry(*tracks, waits=waits) if present else Telemetry()
    return DiagnosisInput(
        scenario=scenario,
        plan=RunPlan(run_tag=1, seed=1, t0_ns=0, load=load),
        run=RunMetadata(t0_ns=0, observation_end_ns=END * 10**9),
        measurement=_measurement(chosen, seconds),
        judgement=judgement_of(p99_ms or (700 if chosen else 20)),
        telemetry=found,
        nonces_used=used or {},
    )


def judgement_of(p99_ms: float, name: str = "p99 < 500 ms", limit_ms: int = 500) -> Judgement:
    """A judgement of one objective."""
    verdict = Verdict.PASS if p99_ms < limit_ms else Verdict.FAIL
    figures: dict[str, Figure] = {"estimate_ns": round(p99_ms * MS), "limit_ns": limit_ms * MS}
    check = objective_spec(parse_objective(name)).judged(verdict, "made up", figures)
    return Judgement(
        verdict=verdict,
        exit_code=int(verdict.exit_code),
        grade=Grade(level="indicative"),
        checks=(check,),
    )


def _measurement(slow: set[int], seconds: tuple[ThroughputFigures, ...]) -> Measurement:
    counts = {"attempted": 3_000, "simulated": 3_000}
    account = SignalOutcomeFigures(
        **{name: counts.get(name, 0) for name in _counts()}, rejected_by={}
    )
    return Measurement(
        account=account,
        accounts={},
        duplicated=0,
        unexpected=0,
        foreign=0,
        figures=(),
        splits=(),
        intervals=tuple(_interval(second, slow) for second in range(START, END)),
        resolution=(),
        clocks=(),
        rates=(),
        findings={},
        nonce_addresses=5,
        seconds=seconds,
    )


def _counts() -> list[str]:
    return [name for name, kind in SignalOutcomeFigures.__annotations__.items() if kind == "int"]


def _interval(second: int, slow: set[int]) -> IntervalFigures:
    # No two seconds are equal, so that each has a rank.
    longest_ms = (700 if second in slow else 20) + (second * 7) % 10
    return IntervalFigures(
        phase="measure",
        mode="lite",
        start_s=float(second),
        length_s=1.0,
        count=100,
        p50_ns=5 * MS,
        p99_ns=None,
        max_ns=longest_ms * MS,
    )


def diagnosis_of(found: DiagnosisInput, *, on_demand: bool = False) -> Diagnosis | None:
    """The diagnosis of a run; None where its objectives are far from their limits."""
    trigger = find_trigger(found.scenario, found.judgement, on_demand=on_demand)
    return diagnose(build_context(found, trigger)) if trigger else None


def diagnosed(found: DiagnosisInput, *, on_demand: bool = False) -> Diagnosis:
    """The diagnosis of a run that has one."""
    diagnosis = diagnosis_of(found, on_demand=on_demand)
    assert diagnosis is not None
    return diagnosis


def answer(diagnosis: Diagnosis, key: str) -> Question:
    """One of its answers."""
    return next(question for question in diagnosis.questions if question.key == key)
