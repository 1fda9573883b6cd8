"""What to change where host, generator or observer lacked something, by what was measured of it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.check import Case
from harness.judge.host import STEAL, STORAGE, Disturbed, host_disturbed
from harness.judge.limits import BUSY_SHARE_SIGNOFF, CORE_SHARE_MAX
from harness.judge.words import count, share

OTHER_HOST = "take a host whose cores other guests do not use"
_OBSERVER = "observer"


def disturbed_advice(found: Sequence[Disturbed]) -> str:
    """What to end or where to go, of the longest disturbance; empty without one."""
    if not found:
        return ""
    one = found[0]
    if one.resource == STEAL:
        return OTHER_HOST
    who = ", ".join(one.names) or "the programs of others"
    better = "with storage of its own" if one.resource == STORAGE else "with more cores"
    return f"end {who} during the run, or take a host {better}"


def host_advice(case: Case) -> str:
    """What to change of the host; empty where nothing shows that it was short of cores."""
    figures = case.measurement.vitals
    if told := disturbed_advice(host_disturbed(case)):
        return told
    if figures is None or figures.host.busy_share < BUSY_SHARE_SIGNOFF:
        return ""
    host = figures.host
    return (
        f"{count(host.cores, 'core')} of this host were {share(host.busy_share)} busy:"
        " set a lower --rate, or take a host with more cores"
    )


def generator_advice(case: Case) -> str:
    """What to change so that signals are sent in time."""
    figures, processes = case.measurement.vitals, case.plan.load.processes
    swarm = [one for one in figures.processes if one.name.startswith("swarm-")] if figures else []
    if any(one.cpu_share >= CORE_SHARE_MAX for one in swarm):
        return f"set load.processes={processes + 1}, or a lower --rate"
    return host_advice(case) or (
        "the host had cores left: set a lower --rate, or put --reports on a faster disk"
    )


def observer_advice(case: Case) -> str:
    """What to change so that the observer keeps up."""
    figures = case.measurement.vitals
    own = figures.process(_OBSERVER) if figures else None
    if own is not None and own.stopped:
        return "let nothing stop the observer's process (SIGSTOP, a debugger)"
    if own is not None and own.cpu_share >= CORE_SHARE_MAX:
        return "set a lower --rate: the observer computed for a whole core"
    return host_advice(case) or "read logs/observer.log of the run; set a lower --rate"
