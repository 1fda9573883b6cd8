"""What to change where host, generator or observer lacked something, by what was measured of it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.clock import NS_PER_S
from harness.formatting import format_count, format_share
from harness.judge.check import CheckContext
from harness.judge.host_interference import RUNS, STEAL, STORAGE, Interference, host_interference
from harness.judge.limits import BUSY_SHARE_SIGNOFF, CORE_SHARE_MAX

OTHER_HOST = "use a host whose cores other guests do not use"
ONE_RUN = "let one run at a time use this host"
_OBSERVER = "observer"


def interference_advice(found: Sequence[Interference]) -> str:
    """What to end or where to go, of the longest disturbance; empty without one."""
    if not found:
        return ""
    one = found[0]
    if any(other.resource == RUNS for other in found):
        return ONE_RUN
    if one.resource == STEAL:
        return OTHER_HOST
    who = ", ".join(one.names) or "the programs of others"
    better = "with storage of its own" if one.resource == STORAGE else "with more cores"
    return f"end {who} during the run, or use a host {better}"


def host_advice(case: CheckContext) -> str:
    """What to change of the host; empty where nothing shows that it was short of cores."""
    figures = case.measurement.vitals
    if advice := interference_advice(host_interference(case)):
        return advice
    if figures is None or figures.host.busy_share < BUSY_SHARE_SIGNOFF:
        return ""
    host = figures.host
    return (
        f"{format_count(host.cores, 'core')} of this host were"
        f" {format_share(host.busy_share)} busy:"
        " set a lower --rate, or use a host with more cores"
    )


def generator_advice(case: CheckContext) -> str:
    """What to change so that signals are sent in time."""
    figures, processes = case.measurement.vitals, case.plan.load.processes
    swarm = [one for one in figures.processes if one.name.startswith("swarm-")] if figures else []
    if any(one.cpu_share >= CORE_SHARE_MAX for one in swarm):
        return f"set load.processes={processes + 1}, or a lower --rate"
    return host_advice(case) or (
        "the host had cores left: set a lower --rate, or put --reports on a faster disk"
    )


def observer_advice(case: CheckContext) -> str:
    """What to change so that the observer keeps up."""
    figures = case.measurement.vitals
    own = figures.process(_OBSERVER) if figures else None
    if own is not None and own.stopped:
        return "let nothing stop the observer's process (SIGSTOP, a debugger)"
    if own is not None and own.cpu_share >= CORE_SHARE_MAX:
        return "set a lower --rate: the observer computed for a whole core"
    return host_advice(case) or "read logs/observer.log of the run; set a lower --rate"


def format_longer_run(longer_ns: int | None, stage: str | None = None) -> str:
    """How much longer to run for an answer, in ns; None where no reasonable time would do."""
    if longer_ns is None:
        return "; no reasonable length of run would decide"
    what = "run" if stage is None else f"run stage {stage}"
    if longer_ns < 60 * NS_PER_S:
        return f"; {what} about {max(1, round(longer_ns / NS_PER_S))} s longer"
    return f"; {what} about {-(-longer_ns // (60 * NS_PER_S))} min longer"
