"""Runs to be reported: constructed evidence, judged as any other, and every optional part."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from harness.analysis.faults.fault_figures import FaultFigures
from harness.analysis.resources.telemetry import LockWait, Telemetry, TimeSeries
from harness.analysis.stage_figures import StageFigures, StageLatencyFigures
from harness.assessment.assess import assess_and_store
from harness.diagnosis.answers import Answer, Diagnosis, Evidence, Question, Remark
from harness.evidence.run_documents import RunEvent
from harness.judge.verdict import Status, Verdict
from harness.report.data import ReportData, read_report_data
from tests.unit.analysis.evidence import T0_NS, S, healthy, load_of

SECONDS = 21
HOSTILE = "</script><script>hacked=1</script><img src=x onerror=hacked=1>'\"&{{7*7}}"


def plain_data(reports: Path, *objectives: str, full_every: int = 2) -> ReportData:
    """A run without faults, telemetry or diagnosis."""
    limits = objectives or ("p99 < 500 ms", "rejected < 1 %")
    world = healthy(load_of(), *limits, full_every=full_every)
    folder = world.write(reports)
    assess_and_store(folder)
    return read_report_data(folder)


def track(name: str, height: float, limit: float | None = None, source: str = "") -> TimeSeries:
    """A series that rises and falls once, up to a height."""
    at_s = tuple(float(second) for second in range(SECONDS))
    values = tuple(height * (0.6 + 0.4 * math.sin(at / 3)) for at in at_s)
    return TimeSeries(name, at_s, values, limit, source)


def telemetry(mark: str = "") -> Telemetry:
    """Some of every kind of series; a mark goes into every free text."""
    tracks = [
        track("service.engine.cpu_cores", 3.4, 4.0, f"cgroup{mark}"),
        track("service.redis.cpu_cores", 0.3, 2.0, "cgroup"),
        track(f"service.odd{mark}.cpu_cores", 0.3),
        track("host.busy_cores", 1.7, 2.0, "cores"),
        track("service.engine.throttled_share", 0.1, 1.0),
        track("service.engine.memory_bytes", 3e8, 8.0 * 2**30, "cgroup"),
        track("redis.memory_bytes", 4e7, 4.0 * 2**30, "maxmemory"),
        track(f"redis.stream.proposals{mark}.length_count", 9_000, 10_000, "setting"),
        track("redis.group.proposals.cg:engine.lag_count", 12),
        track("redis.group.events.cg:agents.lag_count", 3),
        track("postgres.connections_active_count", 9, 160, "specified"),
        track("postgres.lock_waiters_count", 4),
        track("postgres.nonce_waiters_count", 3),
        track("postgres.nonce_wait_ms", 900),
        track("postgres.statement_ms.update_task", 0.4),
        track("rpc.primary.mean_ms", 40, 100, "specified"),
        track("rpc.fallback.mean_ms", 30, 100, "specified"),
        track("host.steal_cores", 0.01),
        track("sampler.cost_cores", 0.01, 0.02, "specified"),
        track(f"page.engine.defi_odd{mark}", 5),
        TimeSeries("page.engine.never_changes", (0.0, 1.0), (1.0, 1.0)),
    ]
    wait = LockWait(
        at_s=4.0,
        relation=f"nonce_locks{mark}",
        statement=f"SELECT nonce{mark}",
        for_update=True,
        waited_ms=812.0,
        holders=(("idle in transaction", f"UPDATE trade_tasks{mark}"),),
    )
    return Telemetry(
        time_series={one.name: one for one in tracks},
        lock_waits=(wait,),
        unread={f"rpc.third{mark}": f"no answer{mark}"},
        present=True,
    )


def diagnosis(mark: str = "") -> Diagnosis:
    """One yes, one no, one unknown."""
    evidence = Evidence(
        track="postgres.nonce_wait_ms",
        message=f"the longest wait was 900 ms{mark}",
        value=900,
        start_s=2.0,
        end_s=9.0,
        correlation=0.91,
    )
    return Diagnosis(
        because=f"P99 is 92 % of its limit{mark}",
        headline=f"signals wait for the nonce lock{mark}",
        questions=(
            Question(key="engine_cpu", asks="CPU?", answer=Answer.NO, message=f"41 %{mark}"),
            Question(
                key="redis_memory", asks="Memory?", answer=Answer.UNKNOWN, message=f"no{mark}"
            ),
            Question(
                key="nonce_locks",
                asks=f"Locks?{mark}",
                answer=Answer.YES,
                message=f"three in four waited{mark}",
                evidence=(evidence,),
                advice=f"add an index{mark}",
            ),
        ),
        stages=(f"most of it before INIT{mark}",),
        remarks=(Remark(key="hot_address", message=f"one address{mark}", evidence=(evidence,)),),
    )


def stage(number: int, agents: int, mark: str = "") -> StageFigures:
    """A stage of ten seconds."""
    latency = StageLatencyFigures(
        mode="lite",
        count=990,
        p50_ns=9_000_000,
        p99_ns=20_000_000,
        p99_lower_ns=18_000_000,
        p99_upper_ns=None,
        max_ns=30_000_000,
    )
    return StageFigures(
        number=number,
        name=f"part{mark}",
        phase="measure",
        repetitions=2,
        agents=agents,
        duration_s=20.0,
        rate_from=50.0,
        rate_to=100.0,
        intended=1_500,
        sent=1_490,
        simulated_per_s=74.0,
        in_flight_end=3,
        latency=(latency,),
        verdict="FAIL",
    )


def rich_data(data: ReportData, mark: str = "") -> ReportData:
    """The same run with a fault, events, telemetry and a diagnosis; it fails."""
    fault = FaultFigures(
        kind="pause",
        target=f"engine{mark}",
        planned_s=8.0,
        for_s=2.0,
        injected_s=8.01,
        proven_s=8.02,
        healed_s=10.0,
        heal_proven_s=10.1,
        seen=f"it is stopped{mark}",
        seen_healed=f"it runs{mark}",
        trouble="",
    )
    bad = data.judgement.checks[0].model_copy(
        update={
            "name": f"no lost signals{mark}",
            "status": Status.FAIL,
            "message": f"two signals were lost{mark}",
            "examples": (f"aa{mark}", "bb"),
            "figures": {"lost": 2, "where": f"here{mark}", "late_ns": 3_000_000},
        }
    )
    return replace(
        data,
        scenario=data.scenario.model_copy(update={"about": f"made up{mark}"}),
        run=data.run.model_copy(
            update={
                "events": (
                    RunEvent(kind="service_restarted", what=f"engine{mark}", mono_ns=T0_NS + 5 * S),
                )
            }
        ),
        measurement=data.measurement.model_copy(
            update={"faults": (fault,), "stages": (stage(1, 5), stage(2, 10, mark))}
        ),
        judgement=data.judgement.model_copy(
            update={
                "verdict": Verdict.FAIL,
                "exit_code": 1,
                "checks": (bad, *data.judgement.checks[1:]),
            }
        ),
        telemetry=telemetry(mark),
        diagnosis=diagnosis(mark),
        environment={**data.environment, f"odd{mark}": {"deep": [f"one{mark}", 2]}, "none": None},
        stack={"kind": "process", "services": [{"name": f"engine{mark}"}]},
        missing_evidence=(f"something is not there{mark}",),
    )
