"""Question 5: is the host the cause, and which programs load it?

The first four questions look for causes within the system. A host without an idle core, a disk
that another program keeps busy, a shortage of memory, or a hypervisor that runs other guests makes
every service slow, and none of the four shows it. The answer separates the two cases: load of
other programs is no fault of the system; a system that fills the host needs a larger one.
"""

from __future__ import annotations

from harness.diagnosis.answers import Answer, Evidence
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.question import Conclusion, DiagnosisQuestion, unknown
from harness.diagnosis.series_slice import SeriesSlice, evidence_of, slow_slice
from harness.diagnosis.thresholds import HOST_IDLE_SHARE_MAX, PRESSURE_SHARE, STEAL_SHARE
from harness.formatting import format_cores, format_milliseconds, format_percent
from harness.judge.host_interference import find_interference
from harness.judge.limits import FOREIGN_CORES_SHARE

_SIDES = (
    ("system", "the system's services"),
    ("harness", "the harness"),
    ("foreign", "other programs"),
)
_FOREIGN = (
    "The system is not the cause: stop the other programs on this host, or give the system cores"
    " and a disk of its own, and run again."
)
_FULL = "Give the system a larger host, or the load generator its own host, or lower the load."
_MEMORY = "Give the host more memory, or the services smaller limits."


def _find(context: DiagnosisContext) -> Conclusion:
    evidence = [one for figures in (_cores, _storage, _memory, _steal) for one in figures(context)]
    if not evidence:
        return unknown(context.why_unread("the host"))
    explains = context.slow or context.trigger.harness_was_late
    cause, advice = _cause(context) if explains else ("", "")
    is_foreign = advice == _FOREIGN
    # A cause by other programs names its figures itself.
    parts = [cause] if is_foreign else [*filter(None, [cause]), *(e.message for e in evidence)]
    answer = Answer.YES if advice else Answer.NO
    return Conclusion(answer, "; ".join(parts), evidence, advice, precedes_others=is_foreign)


def _cause(context: DiagnosisContext) -> tuple[str, str]:
    """What was short in most of the analysed time, and the remedy; empty without a shortage."""
    idle = slow_slice(context, "host.idle_cores")
    memory = slow_slice(context, "host.pressure_memory_share")
    busy = slow_slice(context, "host.busy_cores")
    for one in find_interference(context.telemetry, context.spans):
        # As any other cause, it is present in half of the analysed time.
        if busy is not None and 2 * len(one.spans_s) >= len(busy.values):
            return one.message, _FOREIGN
    foreign = slow_slice(context, "host.foreign_cores")
    count = (idle.series.limit if idle else None) or 1.0
    # Other programs that used the cores while no service waited for one are no cause.
    by_others = foreign is not None and foreign.mean >= FOREIGN_CORES_SHARE * count
    if idle is not None and idle.mean < HOST_IDLE_SHARE_MAX * count and not by_others:
        return "the host had no idle core", _FULL
    if memory is not None and memory.mean >= PRESSURE_SHARE:
        return "the host was short of memory", _MEMORY
    return "", ""


def _cores(context: DiagnosisContext) -> list[Evidence]:
    found = []
    idle = slow_slice(context, "host.idle_cores")
    if idle is not None:
        limit = HOST_IDLE_SHARE_MAX * (idle.series.limit or 1.0)
        message = f"{format_cores(idle.mean)} were idle"
        found.append(evidence_of(context, idle, message, idle.mean, limit))
    for side, name in _SIDES:
        used = slow_slice(context, f"host.{side}_cores")
        if used is not None:
            message = f"{name} used {format_cores(used.mean)}"
            found.append(evidence_of(context, used, message, used.mean))
    return found


def _storage(context: DiagnosisContext) -> list[Evidence]:
    found = []
    pressure = slow_slice(context, "host.pressure_io_share")
    if pressure is not None:
        share = format_percent(pressure.mean)
        message = f"some task was stalled by storage for {share} of the time (PSI io)"
        found.append(evidence_of(context, pressure, message, pressure.mean, PRESSURE_SHARE))
    for side, name in _SIDES:
        waited = slow_slice(context, f"host.{side}_blocked_count")
        if waited is not None and waited.mean > 0:
            message = f"{waited.mean:.1f} tasks of {name} waited for storage"
            found.append(evidence_of(context, waited, message, waited.mean))
    return found + [one for disk in _disks(context) for one in _disk(context, disk)]


def _disks(context: DiagnosisContext) -> list[SeriesSlice]:
    names = (one.name for one in context.telemetry.of("disk.") if one.name.endswith(".busy_share"))
    return [busy for name in names if (busy := slow_slice(context, name)) is not None]


def _disk(context: DiagnosisContext, busy: SeriesSlice) -> list[Evidence]:
    disk = busy.series.name.removesuffix(".busy_share")
    message = f"{disk.removeprefix('disk.')} was busy for {format_percent(busy.mean)} of the time"
    found = [evidence_of(context, busy, message, busy.mean)]
    flush = slow_slice(context, f"{disk}.flush_ms")
    if flush is not None:
        message = f"a flush took {format_milliseconds(flush.mean)}"
        found.append(evidence_of(context, flush, message, flush.mean))
    return found


def _memory(context: DiagnosisContext) -> list[Evidence]:
    pressure = slow_slice(context, "host.pressure_memory_share")
    if pressure is None:
        return []
    message = f"some task was stalled by memory for {format_percent(pressure.mean)} of the time"
    return [evidence_of(context, pressure, message, pressure.mean, PRESSURE_SHARE)]


def _steal(context: DiagnosisContext) -> list[Evidence]:
    stolen = slow_slice(context, "host.steal_cores")
    if stolen is None:
        return []
    message = f"the hypervisor stole {format_cores(stolen.mean)}"
    limit = STEAL_SHARE * (stolen.series.limit or 1.0)
    return [evidence_of(context, stolen, message, stolen.mean, limit)]


QUESTION = DiagnosisQuestion("host", "Is it the host (cores, storage, memory, steal)?", _find)
