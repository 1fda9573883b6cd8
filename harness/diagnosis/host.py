"""Question 5: was it the host, and who kept it busy?

The first four ask for causes within the system. A host without an idle core, a disk that another
program keeps busy, memory that is short, or a hypervisor that gives cores to others makes every
service slow, and none of the four sees it. Who it was is told in each case: what others do is not
the system's to mend; a system that fills the host by itself needs a larger one.
"""

from __future__ import annotations

from harness.diagnosis.answers import Answer, Evidence, Question, unknown_answer
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.series_slice import SeriesSlice, evidence_of, slow_slice
from harness.diagnosis.thresholds import (
    HOST_IDLE_SHARE_MAX,
    PRESSURE_SHARE,
    STEAL_SHARE,
)
from harness.formatting import format_cores, format_milliseconds, format_percent
from harness.judge.host_interference import find_interference
from harness.judge.limits import FOREIGN_CORES_SHARE

KEY = "host"
ASKS = "Is it the host (cores, storage, memory, steal)?"
_SIDES = (("system", "the system's services"), ("harness", "the harness"), ("foreign", "others"))
_OTHERS = (
    "It is not the system: end what else runs on this host, or give the system cores and a disk of"
    " its own, and run again."
)
_FULL = "Give the system a larger host, or the load generator another one, or lower the load."
_MEMORY = "Give the host more memory, or the services smaller limits."


def ask_host(subject: DiagnosisContext) -> Question:
    """Answer it; what others did comes first, since it is nobody's cause within the system."""
    evidence = [one for look in (_cores, _storage, _memory, _steal) for one in look(subject)]
    if not evidence:
        missing = (
            "the host was not read" if subject.telemetry.present else "this run kept no telemetry"
        )
        return unknown_answer(KEY, ASKS, missing)
    asked = subject.slow or subject.trigger.harness_was_late
    said, advice = _cause(subject) if asked else ("", "")
    # What others did is told in full by the cause itself.
    told = (
        [said] if advice == _OTHERS else [*([said] if said else []), *(e.message for e in evidence)]
    )
    return Question(
        key=KEY,
        asks=ASKS,
        answer=Answer.YES if advice else Answer.NO,
        message=subject.sentence("; ".join(told)),
        evidence=tuple(evidence),
        advice=advice,
    )


def is_foreign_load(question: Question) -> bool:
    """Whether the host is the cause for what others did with it."""
    return question.key == KEY and question.advice == _OTHERS


def _cause(subject: DiagnosisContext) -> tuple[str, str]:
    """What was short in most of the slow time, and what to do; empty where nothing was."""
    idle = slow_slice(subject, "host.idle_cores")
    memory = slow_slice(subject, "host.pressure_memory_share")
    looks = slow_slice(subject, "host.busy_cores")
    for one in find_interference(subject.telemetry, subject.spans):
        # As any other cause, it is at work for half of the slow time.
        if looks is not None and 2 * len(one.spans_s) >= len(looks.values):
            return one.message, _OTHERS
    foreign = slow_slice(subject, "host.foreign_cores")
    count = (idle.track.limit if idle else None) or 1.0
    # Others who had the cores while no service waited for one are no cause.
    by_others = foreign is not None and foreign.mean >= FOREIGN_CORES_SHARE * count
    if idle is not None and idle.mean < HOST_IDLE_SHARE_MAX * count and not by_others:
        return "no core of the host was left", _FULL
    if memory is not None and memory.mean >= PRESSURE_SHARE:
        return "the host's memory was short", _MEMORY
    return "", ""


def _cores(subject: DiagnosisContext) -> list[Evidence]:
    found = []
    idle = slow_slice(subject, "host.idle_cores")
    if idle is not None:
        held = HOST_IDLE_SHARE_MAX * (idle.track.limit or 1.0)
        found.append(
            evidence_of(subject, idle, f"{format_cores(idle.mean)} were idle", idle.mean, held)
        )
    for side, name in _SIDES:
        used = slow_slice(subject, f"host.{side}_cores")
        if used is not None:
            said = f"{name} used {format_cores(used.mean)}"
            found.append(evidence_of(subject, used, said, used.mean))
    return found


def _storage(subject: DiagnosisContext) -> list[Evidence]:
    found = []
    pressure = slow_slice(subject, "host.pressure_io_share")
    if pressure is not None:
        said = f"some task stood still for storage in {format_percent(pressure.mean)} of the time (PSI io)"
        found.append(evidence_of(subject, pressure, said, pressure.mean, PRESSURE_SHARE))
    for side, name in _SIDES:
        waited = slow_slice(subject, f"host.{side}_blocked_count")
        if waited is not None and waited.mean > 0:
            said = f"{waited.mean:.1f} tasks of {name} waited for storage"
            found.append(evidence_of(subject, waited, said, waited.mean))
    return found + [one for disk in _disks(subject) for one in _disk(subject, disk)]


def _disks(subject: DiagnosisContext) -> list[SeriesSlice]:
    tracks = (one.name for one in subject.telemetry.of("disk.") if one.name.endswith(".busy_share"))
    return [taken for name in tracks if (taken := slow_slice(subject, name)) is not None]


def _disk(subject: DiagnosisContext, busy: SeriesSlice) -> list[Evidence]:
    of = busy.track.name.removesuffix(".busy_share")
    said = f"{of.removeprefix('disk.')} was busy in {format_percent(busy.mean)} of the time"
    found = [evidence_of(subject, busy, said, busy.mean)]
    flush = slow_slice(subject, f"{of}.flush_ms")
    if flush is not None:
        said = f"a flush took {format_milliseconds(flush.mean)}"
        found.append(evidence_of(subject, flush, said, flush.mean))
    return found


def _memory(subject: DiagnosisContext) -> list[Evidence]:
    pressure = slow_slice(subject, "host.pressure_memory_share")
    if pressure is None:
        return []
    said = f"some task stood still for memory in {format_percent(pressure.mean)} of the time"
    return [evidence_of(subject, pressure, said, pressure.mean, PRESSURE_SHARE)]


def _steal(subject: DiagnosisContext) -> list[Evidence]:
    stolen = slow_slice(subject, "host.steal_cores")
    if stolen is None:
        return []
    said = f"the hypervisor took {format_cores(stolen.mean)}"
    held = STEAL_SHARE * (stolen.track.limit or 1.0)
    return [evidence_of(subject, stolen, said, stolen.mean, held)]
