"""Question 1: did the engine have the CPU time that it needed?

Where a quota is set, the question is the specified one: more than 80 % of it. An engine can also
lack CPU time below its quota, and each case needs another remedy: the quota used up in bursts, one
thread that cannot use two cores, or a host without a free core. Each case has its own figures.
Without a quota only these figures give an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.diagnosis.answers import Answer, Evidence
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.question import Conclusion, DiagnosisQuestion, unknown
from harness.diagnosis.series_slice import SeriesSlice, baseline_slice, evidence_of, slow_slice
from harness.diagnosis.thresholds import BUSIEST_CORES, HOST_IDLE_SHARE_MAX, THROTTLED_SHARE
from harness.formatting import format_cores, format_percent

# As specified, a share of the quota.
ENGINE_CPU_SHARE = 0.80
# Where the host lacks cores: signals queue only before an engine that is busy all the time, which
# is one core of running or being runnable. Of that, a quarter spent waiting for a core is
# more than each wake-up takes on a busy host; where a single thread does most of the work, the
# threshold is what it lacks of the 80 % above. Idle cores are cores that it could have had.
RUNNABLE_CORES = 0.90
WAIT_SHARE = 0.25
BUSIEST_MOSTLY_CORES = 0.50
# From half of the host's cores on, the engine itself is what fills the host.
ENGINE_OF_HOST_SHARE = 0.50

_CPU = ".cpu_cores"
_MORE = "Raise the engine's CPU quota, or raise the hit ratio of its simulation cache."


@dataclass(frozen=True, slots=True)
class Symptom:
    """One way to lack CPU time.

    Attributes:
        advice: the remedy; empty where the engine does not lack CPU time in this way.
    """

    message: str
    evidence: Sequence[Evidence]
    advice: str = ""


SymptomFn = Callable[[DiagnosisContext, str, SeriesSlice], Symptom | None]


def _find(context: DiagnosisContext) -> Conclusion:
    """Of several engines, the conclusion for the first one that lacks CPU time."""
    conclusions = [_find_for(context, name) for name in engines(context)]
    for wanted in (Answer.YES, Answer.NO):
        for conclusion in conclusions:
            if conclusion.answer is wanted:
                return conclusion
    if conclusions:
        return conclusions[0]
    return unknown(context.why_unread("the engine's CPU time", "service", "engine"))


def engines(context: DiagnosisContext) -> tuple[str, ...]:
    """Names of the services that are engines."""
    names = [
        series.name.removesuffix(_CPU).removeprefix("service.")
        for series in context.telemetry.of("service.")
        if series.name.endswith(_CPU)
    ]
    return tuple(name for name in names if "engine" in name)


def _find_for(context: DiagnosisContext, name: str) -> Conclusion:
    cpu = slow_slice(context, f"service.{name}{_CPU}")
    if cpu is None:
        return unknown(f"telemetry covers too little of the analysed time of {name}")
    evidence: list[Evidence] = []
    symptom_fns: tuple[SymptomFn, ...] = (_quota, _throttled, _busiest, _starved)
    for find_symptom in symptom_fns:
        symptom = find_symptom(context, name, cpu)
        if symptom is None:
            continue
        if symptom.advice:
            cache = _cache(context, name)
            message = "; ".join([symptom.message, *(one.message for one in cache)])
            return Conclusion(Answer.YES, message, (*symptom.evidence, *cache), symptom.advice)
        evidence += symptom.evidence
    if len(evidence) < 2 and not cpu.series.limit:
        return unknown(
            f"{name} used {format_cores(cpu.mean)} {context.when}; no quota is set, and telemetry"
            " lacks its threads and the host's idle cores, so there is no limit to compare with"
        )
    return Conclusion(Answer.NO, "; ".join(one.message for one in evidence), evidence)


def _quota(context: DiagnosisContext, name: str, cpu: SeriesSlice) -> Symptom | None:
    """Compares with the quota; no advice below the threshold, or without a quota."""
    quota = cpu.series.limit
    if not quota:
        message = f"{name} used {format_cores(cpu.mean)}, no quota is set"
        return Symptom(message, [evidence_of(context, cpu, message, cpu.mean)])
    used = cpu.median
    message = (
        f"{name} used {format_cores(used)} of a quota of {quota:g} ({format_percent(used / quota)}"
    )
    evidence = [evidence_of(context, cpu, f"{message})", used, ENGINE_CPU_SHARE * quota)]
    if used < ENGINE_CPU_SHARE * quota:
        return Symptom(f"{message})", evidence)
    baseline = baseline_slice(context, cpu.series.name)
    if baseline is not None:
        message += f"; {format_percent(baseline.median / quota)} in the other seconds"
    message += ")"
    throttled = slow_slice(context, f"service.{name}.throttled_share")
    if throttled is not None and throttled.mean > 0:
        own = f"it was throttled in {format_percent(throttled.mean)} of the CPU periods"
        message += f"; {own}"
        evidence.append(evidence_of(context, throttled, own, throttled.mean, THROTTLED_SHARE))
    return Symptom(message, evidence, _MORE)


def _throttled(context: DiagnosisContext, name: str, cpu: SeriesSlice) -> Symptom | None:
    """Below the quota over a second, and throttled in many periods of that second."""
    throttled = slow_slice(context, f"service.{name}.throttled_share")
    if throttled is None or not context.slow or throttled.mean < THROTTLED_SHARE:
        return None
    message = (
        f"{name} used up its quota in {format_percent(throttled.mean)} of the CPU periods and was"
        f" throttled for the rest of each, at {format_cores(cpu.mean)} on average: it works in"
        " bursts"
    )
    evidence = [
        evidence_of(context, throttled, message, throttled.mean, THROTTLED_SHARE),
        evidence_of(context, cpu, format_cores(cpu.mean), cpu.mean),
    ]
    advice = _MORE + " An average below 80 % does not mean that the quota suffices for bursts."
    return Symptom(message, evidence, advice)


def _busiest(context: DiagnosisContext, name: str, cpu: SeriesSlice) -> Symptom | None:
    """One thread or process that needs more than the one core that it can use."""
    del cpu
    busiest = slow_slice(context, f"service.{name}.cpu_busiest_cores")
    if busiest is None:
        return None
    message = f"the busiest thread of {name} used {format_percent(busiest.median)} of one core"
    evidence = [evidence_of(context, busiest, message, busiest.median, BUSIEST_CORES)]
    if busiest.median < BUSIEST_CORES:
        return Symptom(message, evidence)
    return Symptom(
        message,
        evidence,
        "A larger quota does not help a single thread: distribute the signals over more workers,"
        " or raise the hit ratio of the simulation cache.",
    )


def _starved(context: DiagnosisContext, name: str, cpu: SeriesSlice) -> Symptom | None:
    """Runnable and below its quota, while the host had no free core."""
    wait = slow_slice(context, f"service.{name}.cpu_wait_cores")
    idle = slow_slice(context, "host.idle_cores")
    if wait is None and idle is None:
        return None
    busiest = slow_slice(context, f"service.{name}.cpu_busiest_cores")
    evidence, parts = [], []
    if wait is not None:
        parts.append(f"it was runnable without a core for {1000 * wait.mean:.0f} ms per second")
        wait_min = _wait_min(cpu, busiest)
        evidence.append(evidence_of(context, wait, parts[-1], wait.mean, wait_min))
    if idle is not None:
        parts.append(f"the host had {format_cores(idle.mean)} idle")
        evidence.append(evidence_of(context, idle, parts[-1], idle.mean, _idle_min(idle)))
    if not context.slow or idle is None or idle.mean >= _idle_min(idle):
        return Symptom("; ".join(parts), evidence)
    if cpu.mean >= ENGINE_OF_HOST_SHARE * (idle.series.limit or 1.0):
        cause = "it uses all the CPU time that the host has left"
    elif wait is not None and wait.mean >= _wait_min(cpu, busiest):
        cause = "the host has too few cores for its load"
    else:
        return Symptom("; ".join(parts), evidence)
    quota = f"of a quota of {cpu.series.limit:g}" if cpu.series.limit else "no quota is set"
    return Symptom(
        f"{name} used {format_cores(cpu.mean)}, {quota}; {'; '.join(parts)}: {cause}",
        [evidence_of(context, cpu, format_cores(cpu.mean), cpu.mean), *evidence],
        "Give the engine cores of its own (cpu-shares above those of other services, a larger host,"
        " the load generator on another host); a larger quota alone changes nothing."
        " A better hit ratio of the simulation cache reduces what it needs.",
    )


def _idle_min(idle: SeriesSlice) -> float:
    """Idle cores from which on the host had a free core."""
    return HOST_IDLE_SHARE_MAX * (idle.series.limit or 1.0)


def _wait_min(cpu: SeriesSlice, busiest: SeriesSlice | None) -> float:
    """Cores waited for, from which on the engine lacked CPU time; larger for an idle engine.

    There is work for one core in either case: a quarter of it is not done, or all that is
    missing to 80 % of a core in the one thread that does most of it.
    """
    least = max(RUNNABLE_CORES - cpu.mean, cpu.mean * WAIT_SHARE / (1 - WAIT_SHARE))
    if busiest is not None and busiest.median >= BUSIEST_MOSTLY_CORES:
        least = min(least, max(0.0, BUSIEST_CORES - busiest.median))
    return least


def _cache(context: DiagnosisContext, name: str) -> list[Evidence]:
    """Hit ratio of the state cache, where the engine counts it."""
    hits, misses = (
        slow_slice(context, f"page.{name}.defi_statedb_lookups{{outcome={outcome}}}.per_s")
        for outcome in ("hit", "miss")
    )
    lookups = sum(counter.mean for counter in (hits, misses) if counter)
    counted = misses or hits
    if counted is None or lookups <= 0:
        return []
    ratio = (hits.mean if hits else 0.0) / lookups
    message = f"its state cache had a hit ratio of {format_percent(ratio)}"
    return [evidence_of(context, counted, message, counted.mean)]


QUESTION = DiagnosisQuestion("engine_cpu", "Is the engine's CPU above 80 %?", _find)
