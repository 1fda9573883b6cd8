"""Whether the harness itself had what it needs to measure: cores, wake-ups, an undisturbed host.

A run that kept no vitals (an older one) is not judged by them, and says so. Where a limit is
passed the run is INVALID; where the consequence is measured on each signal anyway, the figures
here name its cause.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.check import Case, Check, Figure, Kind
from harness.judge.limits import (
    BEHIND_MAX_BYTES,
    CORE_SHARE_MAX,
    SILENCE_MAX_NS,
    STALL_LONGEST,
    STALLED_SHARE_MAX,
    STEAL_SHARE_MAX,
    SWARM_WAIT_SHARE_MAX,
    VITALS_GAP_MAX_NS,
)
from harness.judge.verdict import Verdict
from harness.judge.words import count, duration, of_a_second, share
from harness.measure.vitals_figures import ProcessFigures, VitalsFigures

_OBSERVER = "observer"


def check_vitals(case: Case) -> Iterator[Check]:
    """Everything that the vitals of the measured phase tell."""
    if not case.run.kept and not case.gathered.vitals.samples:
        yield _check("vitals kept", [], "not judged: this run kept no vitals")
        return
    figures = case.measurement.vitals
    yield _kept(case, figures)
    if figures is not None:
        yield _generator_core(case, figures)
        yield _generator_awake(case, figures)
        yield _observer_core(figures)
        yield _observer_awake(figures)
        yield _steal(figures)


def swarm_at_work(case: Case) -> str:
    """How the swarm's processes fared, as the cause of what came of it; empty when not known."""
    figures = case.measurement.vitals
    return "; ".join(_at_work(one) for one in _swarm_of(figures)) if figures else ""


def observer_at_work(case: Case) -> str:
    """The same of the observer."""
    figures = case.measurement.vitals
    found = figures.process(_OBSERVER) if figures else None
    if figures is None or found is None:
        return ""
    stopped = f", it was stopped in {found.stopped} of {found.looks} looks" if found.stopped else ""
    return _at_work(found) + stopped


def _kept(case: Case, figures: VitalsFigures | None) -> Check:
    vitals = case.gathered.vitals
    problems = [f"{count(n, 'line')} of {name} unreadable" for name, n in vitals.bad.items()]
    if figures is None:
        problems.append("fewer than two looks at the measured phase")
        return _check("vitals kept", problems, "")
    if figures.gap_max_ns > VITALS_GAP_MAX_NS:
        problems.append(
            f"nobody looked for {duration(figures.gap_max_ns)},"
            f" {duration(VITALS_GAP_MAX_NS)} is allowed"
        )
    host = figures.host
    good = (
        f"{count(figures.samples, 'look')}: {count(host.cores, 'core')} {share(host.busy_share)}"
        f" busy, {share(host.harness_share)} with the harness itself"
    )
    return _check("vitals kept", problems, good, {"busy_share": host.busy_share})


def _generator_core(case: Case, figures: VitalsFigures) -> Check:
    swarm, problems = _swarm_of(figures), []
    if len(swarm) < case.plan.load.processes:
        wanted = count(case.plan.load.processes, "swarm process", "swarm processes")
        problems.append(f"{len(swarm)} of {wanted} looked at")
    for one in swarm:
        if one.cpu_share >= CORE_SHARE_MAX:
            problems.append(
                f"{one.name} was saturated: it computed for {of_a_second(one.cpu_share)}"
                f" of each second, {of_a_second(CORE_SHARE_MAX)} is the limit;"
                " use more load.processes"
            )
        if one.wait_share is not None and one.wait_share >= SWARM_WAIT_SHARE_MAX:
            problems.append(
                f"{one.name} was starved: it waited for a core for {of_a_second(one.wait_share)}"
                f" of each second, at worst {of_a_second(_worst(one))} of one,"
                f" {of_a_second(SWARM_WAIT_SHARE_MAX)} is the limit"
            )
    good = "; ".join(_at_work(one) for one in swarm)
    return _check("generator had its core", problems, good, _core_figures(swarm))


def _generator_awake(case: Case, figures: VitalsFigures) -> Check:
    longest_ns = max((one.wake_late_max_ns for one in figures.swarm), default=0)
    stalled = max((one.stalled_share for one in figures.swarm), default=0.0)
    most_ns = STALL_LONGEST.of(case.scenario)
    problems = []
    if not figures.swarm:
        problems.append("the swarm's watchdog said nothing")
    if longest_ns >= most_ns:
        problems.append(
            f"the swarm slept on for {duration(longest_ns)} when it should have been awake,"
            f" {duration(most_ns)} is the limit; {STALL_LONGEST.reason}"
        )
    if stalled >= STALLED_SHARE_MAX:
        problems.append(
            f"the swarm was not awake for {share(stalled)} of the time,"
            f" {share(STALLED_SHARE_MAX)} is the limit"
        )
    good = f"the swarm woke at most {duration(longest_ns)} late, {duration(most_ns)} is the limit"
    return _check(
        "generator awake",
        problems,
        good,
        {"wake_late_max_ns": longest_ns, "stalled_share": stalled, "limit_ns": most_ns},
    )


def _observer_core(figures: VitalsFigures) -> Check:
    found = figures.process(_OBSERVER)
    if found is None:
        return _check("observer had its core", ["nobody looked at the observer"], "")
    problems = []
    if found.cpu_share >= CORE_SHARE_MAX:
        problems.append(
            f"the observer was saturated: it computed for {of_a_second(found.cpu_share)} of each"
            f" second, {of_a_second(CORE_SHARE_MAX)} is the limit"
        )
    return _check("observer had its core", problems, _at_work(found), _core_figures([found]))


def _observer_awake(figures: VitalsFigures) -> Check:
    told, found, problems = figures.observer, figures.process(_OBSERVER), []
    if found is not None and found.stopped:
        problems.append(
            f"the observer was stopped (SIGSTOP, or a debugger) in {found.stopped}"
            f" of {count(found.looks, 'look')}"
        )
    if told.words < 2:
        problems.append("the observer said nothing")
    if told.silent_max_ns > SILENCE_MAX_NS:
        problems.append(
            f"the observer was silent for {duration(told.silent_max_ns)},"
            f" it speaks every second and {duration(SILENCE_MAX_NS)} is the limit"
        )
    if told.behind_max_bytes > BEHIND_MAX_BYTES:
        problems.append(
            f"the observer was {told.behind_max_bytes:,} bytes behind the server's log,"
            f" {BEHIND_MAX_BYTES:,} is the limit"
        )
    good = (
        f"silent for {duration(told.silent_max_ns)} at most,"
        f" never more than {told.behind_max_bytes:,} bytes behind"
    )
    return _check(
        "observer awake",
        problems,
        good,
        {"silent_max_ns": told.silent_max_ns, "behind_max_bytes": told.behind_max_bytes},
    )


def _steal(figures: VitalsFigures) -> Check:
    host = figures.host
    said = (
        f"the hypervisor took {share(host.steal_share)} of the cores' time,"
        f" at worst {share(host.steal_share_max)} of a second"
    )
    problems = (
        [f"{said}; {share(STEAL_SHARE_MAX)} is the limit: the system had less than this host"]
        if host.steal_share >= STEAL_SHARE_MAX
        else []
    )
    return _check("cores not taken away", problems, said, {"steal_share": host.steal_share})


def _swarm_of(figures: VitalsFigures) -> list[ProcessFigures]:
    return [one for one in figures.processes if one.name.startswith("swarm-")]


def _at_work(one: ProcessFigures) -> str:
    computed = f"of each second {one.name} computed for {of_a_second(one.cpu_share)}"
    if one.wait_share is None:
        return f"{computed} (this kernel does not tell how long it waited for a core)"
    return (
        f"{computed} and waited for a core for {of_a_second(one.wait_share)},"
        f" at worst for {of_a_second(_worst(one))}"
    )


def _worst(one: ProcessFigures) -> float:
    return max(one.wait_share or 0.0, one.wait_share_max or 0.0)


def _core_figures(processes: list[ProcessFigures]) -> dict[str, Figure]:
    return {
        "cpu_share": max((one.cpu_share for one in processes), default=None),
        "wait_share": max((one.wait_share or 0.0 for one in processes), default=None),
    }


def _check(
    name: str, problems: list[str], good: str, figures: dict[str, Figure] | None = None
) -> Check:
    return Check(
        name=name,
        kind=Kind.VALIDITY,
        verdict=Verdict.INVALID if problems else Verdict.PASS,
        said="; ".join(problems) or good,
        figures=figures or {},
    )
