"""Question 1: had the engine the computing time that it needed?

Where a quota is in force, the question is the specified one: more than 80 % of it. But an engine
can also lack computing time below its quota, in ways that call for other remedies: the quota used
up in bursts, one thread that cannot be on two cores, or a host that has no core to give. Each is
told by its own figures. Where no quota is in force, only these tell anything.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.diagnosis.answers import Answer, Evidence, Question, unknown_answer
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.series_slice import SeriesSlice, baseline_slice, evidence_of, slow_slice
from harness.diagnosis.thresholds import (
    BUSIEST_CORES,
    BUSIEST_MOSTLY_CORES,
    ENGINE_CPU_SHARE,
    ENGINE_OF_HOST_SHARE,
    HOST_IDLE_SHARE_MAX,
    RUNNABLE_CORES,
    THROTTLED_SHARE,
    WAIT_SHARE,
)
from harness.formatting import format_cores, format_percent

KEY = "engine_cpu"
ASKS = "Is the engine's CPU above 80 %?"
_CPU = ".cpu_cores"
_MORE = "Raise the engine's CPU quota, or have more simulations find their state in the cache."

Symptom = tuple[str, str, list[Evidence]]
SymptomFn = Callable[[DiagnosisContext, str, SeriesSlice], Symptom | None]


def ask_engine(subject: DiagnosisContext) -> Question:
    """Answer it for the engine; of several engines, for the first that lacks computing time."""
    names = engines(subject)
    answers = [_ask(subject, name) for name in names]
    for wanted in (Answer.YES, Answer.NO):
        for answer in answers:
            if answer.answer is wanted:
                return answer
    if answers:
        return answers[0]
    return unknown_answer(KEY, ASKS, _missing(subject))


def engines(subject: DiagnosisContext) -> tuple[str, ...]:
    """Services that are engines, by their names."""
    found = [
        track.name.removesuffix(_CPU).removeprefix("service.")
        for track in subject.telemetry.of("service.")
        if track.name.endswith(_CPU)
    ]
    return tuple(name for name in found if "engine" in name)


def _ask(subject: DiagnosisContext, name: str) -> Question:
    cpu = slow_slice(subject, f"service.{name}{_CPU}")
    if cpu is None:
        return unknown_answer(
            KEY, ASKS, f"{name} was watched for too little of the time that matters"
        )
    evidence: list[Evidence] = []
    looks: tuple[SymptomFn, ...] = (_quota, _throttled, _busiest, _starved)
    for look in looks:
        found = look(subject, name, cpu)
        if found is None:
            continue
        said, advice, own = found
        if advice:
            cache = _cache(subject, name)
            return Question(
                key=KEY,
                asks=ASKS,
                answer=Answer.YES,
                message=subject.sentence(said) + "".join(f"; {one.message}" for one in cache),
                evidence=(*own, *cache),
                advice=advice,
            )
        evidence += own
    if len(evidence) < 2 and not cpu.track.limit:
        return unknown_answer(
            KEY,
            ASKS,
            f"{name} used {format_cores(cpu.mean)} {subject.when}, but nothing tells of how many: no"
            " quota is in force, and neither its threads nor the host's idle cores were read",
        )
    said = "; ".join(one.message for one in evidence)
    return Question(
        key=KEY,
        asks=ASKS,
        answer=Answer.NO,
        message=subject.sentence(said),
        evidence=tuple(evidence),
    )


def _quota(subject: DiagnosisContext, name: str, cpu: SeriesSlice) -> Symptom | None:
    """Against the quota in force; no advice below the threshold, or without one."""
    quota = cpu.track.limit
    if not quota:
        said = f"{name} used {format_cores(cpu.mean)}, no quota is in force"
        return said, "", [evidence_of(subject, cpu, said, cpu.mean)]
    used = cpu.median
    said = f"{name} used {format_cores(used)} of the {quota:g} of its quota, {format_percent(used / quota)}"
    evidence = [evidence_of(subject, cpu, said, used, ENGINE_CPU_SHARE * quota)]
    if used < ENGINE_CPU_SHARE * quota:
        return said, "", evidence
    calm = baseline_slice(subject, cpu.track.name)
    if calm is not None:
        said += f" (in the others {format_percent(calm.median / quota)})"
    throttled = slow_slice(subject, f"service.{name}.throttled_share")
    if throttled is not None and throttled.mean > 0:
        own = f"it was held back in {format_percent(throttled.mean)} of the scheduler's periods"
        said += f"; {own}"
        evidence.append(evidence_of(subject, throttled, own, throttled.mean, THROTTLED_SHARE))
    return said, _MORE, evidence


def _throttled(subject: DiagnosisContext, name: str, cpu: SeriesSlice) -> Symptom | None:
    """Below the quota over a second, and at its end within many of that second's periods."""
    throttled = slow_slice(subject, f"service.{name}.throttled_share")
    if throttled is None or not subject.slow or throttled.mean < THROTTLED_SHARE:
        return None
    said = (
        f"{name} used up its quota in {format_percent(throttled.mean)} of the scheduler's periods and"
        f" stood still for the rest of each, although it used {format_cores(cpu.mean)} on the whole: it"
        " works in bursts"
    )
    advice = _MORE + " A mean below 80 % does not mean that the quota is enough for its bursts."
    evidence = evidence_of(subject, throttled, said, throttled.mean, THROTTLED_SHARE)
    return said, advice, [evidence, evidence_of(subject, cpu, format_cores(cpu.mean), cpu.mean)]


def _busiest(subject: DiagnosisContext, name: str, cpu: SeriesSlice) -> Symptom | None:
    """One thread or process that has a core to itself and needs more."""
    del cpu
    busiest = slow_slice(subject, f"service.{name}.cpu_busiest_cores")
    if busiest is None:
        return None
    used = format_percent(busiest.median)
    said = f"the busiest thread of {name} used {used} of the one core that it can have"
    evidence = [evidence_of(subject, busiest, said, busiest.median, BUSIEST_CORES)]
    if busiest.median < BUSIEST_CORES:
        return said, "", evidence
    return (
        said,
        "More quota would not help one thread: spread the signals over more workers, or make a"
        " simulation cheaper by a better hit ratio of its cache.",
        evidence,
    )


def _starved(subject: DiagnosisContext, name: str, cpu: SeriesSlice) -> Symptom | None:
    """Ready to run, below its quota, and the host had no core for it."""
    wait = slow_slice(subject, f"service.{name}.cpu_wait_cores")
    idle = slow_slice(subject, "host.idle_cores")
    if wait is None and idle is None:
        return None
    busiest = slow_slice(subject, f"service.{name}.cpu_busiest_cores")
    evidence, parts = [], []
    if wait is not None:
        parts.append(f"it was ready without a core for {1000 * wait.mean:.0f} ms of a second")
        least = _wait_least(cpu, busiest)
        evidence.append(evidence_of(subject, wait, parts[-1], wait.mean, least))
    if idle is not None:
        parts.append(f"the host had {format_cores(idle.mean)} idle")
        evidence.append(evidence_of(subject, idle, parts[-1], idle.mean, _idle_least(idle)))
    if not subject.slow or idle is None or idle.mean >= _idle_least(idle):
        return "; ".join(parts), "", evidence
    if cpu.mean >= ENGINE_OF_HOST_SHARE * (idle.track.limit or 1.0):
        why = "it takes all that the host has left for it"
    elif wait is not None and wait.mean >= _wait_least(cpu, busiest):
        why = "the host has too few cores for all that runs on it"
    else:
        return "; ".join(parts), "", evidence
    quota = (
        f"of the {cpu.track.limit:g} of its quota" if cpu.track.limit else "no quota is in force"
    )
    said = f"{name} used {format_cores(cpu.mean)}, {quota}; {'; '.join(parts)}: {why}"
    return (
        said,
        "Give the engine cores that it need not share (cpu-shares above the others', a larger host,"
        " the load generator elsewhere); a larger quota alone would change nothing."
        " A better hit ratio of the simulation cache makes it need less.",
        [evidence_of(subject, cpu, format_cores(cpu.mean), cpu.mean), *evidence],
    )


def _idle_least(idle: SeriesSlice) -> float:
    """Idle cores from which on the host had some to give."""
    return HOST_IDLE_SHARE_MAX * (idle.track.limit or 1.0)


def _wait_least(cpu: SeriesSlice, busiest: SeriesSlice | None) -> float:
    """Cores waited for, from which on it lacked them; more than these in an engine with spare time.

    One core's worth of work was there in either case: a quarter of it not done, or all that is
    missing to 80 % of a core in the one thread that does most of it.
    """
    least = max(RUNNABLE_CORES - cpu.mean, cpu.mean * WAIT_SHARE / (1 - WAIT_SHARE))
    if busiest is not None and busiest.median >= BUSIEST_MOSTLY_CORES:
        least = min(least, max(0.0, BUSIEST_CORES - busiest.median))
    return least


def _cache(subject: DiagnosisContext, name: str) -> list[Evidence]:
    """How often a simulation found its state loaded, where the engine counts that."""
    hits, misses = (
        slow_slice(subject, f"page.{name}.defi_statedb_lookups{{outcome={outcome}}}.per_s")
        for outcome in ("hit", "miss")
    )
    looked_up = sum(taken.mean for taken in (hits, misses) if taken)
    counted = misses or hits
    if counted is None or looked_up <= 0:
        return []
    ratio = (hits.mean if hits else 0.0) / looked_up
    said = f"its cache of states had a hit ratio of {format_percent(ratio)}"
    return [evidence_of(subject, counted, said, counted.mean)]


def _missing(subject: DiagnosisContext) -> str:
    telemetry = subject.telemetry
    if not telemetry.present:
        return "this run kept no telemetry"
    reasons = [
        f"{name}: {why}"
        for name, why in sorted(telemetry.unread.items())
        if "engine" in name or name.startswith("service")
    ]
    return "the engine's computing time was not read" + "".join(f"; {one}" for one in reasons)
