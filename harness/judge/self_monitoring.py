"""Whether the harness itself had what it needs to measure: cores, wake-ups, an undisturbed host.

The checks do not apply to a run without samples (an older one). Where a limit is
passed the run is INVALID; where the consequence is measured on each signal anyway, the figures
here name its cause.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.resources.self_monitoring_figures import ProcessFigures, SelfMonitoringFigures
from harness.formatting import format_count, format_duration, format_share, format_share_of_second
from harness.judge.advice import OTHER_HOST, generator_advice, host_advice, observer_advice
from harness.judge.check import (
    Check,
    CheckContext,
    CheckKind,
    CheckSpec,
    Figure,
    NotApplicable,
    Problem,
)
from harness.judge.limits import (
    CORE_SHARE_MAX,
    HEARTBEAT_GAP_MAX_NS,
    REPLICATION_LAG_MAX_BYTES,
    SELF_MONITORING_GAP_MAX_NS,
    STALL_LONGEST,
    STALLED_SHARE_MAX,
    STEAL_SHARE_MAX,
    SWARM_WAIT_SHARE_MAX,
)

SELF_MONITORING_COMPLETE = CheckSpec(
    "self_monitoring_complete",
    "self-monitoring complete",
    CheckKind.VALIDITY,
    invalid="no sample for 5 s, or unreadable lines: the time between is unknown",
)
GENERATOR_CPU = CheckSpec(
    "generator_cpu",
    "generator CPU time",
    CheckKind.VALIDITY,
    invalid="a swarm process computes for 900 ms of each second (saturated: no reserve for a"
    " burst), or waits for a core for 500 ms (starved). The limit is not lower, since an"
    " ordinary process on a busy host waits a millisecond at each of some hundred wake-ups a"
    " second and is on time all the same",
)
GENERATOR_STALLS = CheckSpec(
    "generator_stalls",
    "no generator stalls",
    CheckKind.VALIDITY,
    invalid="one pause as long as the tightest latency limit (at least 250 ms), or pauses of 50 ms"
    " and more that sum to 2 % of the time. Such a pause makes signals miss the limit by itself",
)
OBSERVER_CPU = CheckSpec(
    "observer_cpu",
    "observer CPU time",
    CheckKind.VALIDITY,
    invalid="the observer computes for 900 ms of each second; its waiting has no limit, since its"
    " effect is measured on each signal",
)
OBSERVER_STALLS = CheckSpec(
    "observer_stalls",
    "no observer stalls",
    CheckKind.VALIDITY,
    invalid="seen stopped (SIGSTOP, a debugger); without a status line for 4 s, though it writes"
    " one each second; 16 MiB of replication lag",
)
CPU_STEAL = CheckSpec(
    "cpu_steal",
    "CPU steal",
    CheckKind.VALIDITY,
    invalid="steal of 10 % or more: it was not a system on this host",
)
SPECS = (
    SELF_MONITORING_COMPLETE,
    GENERATOR_CPU,
    GENERATOR_STALLS,
    OBSERVER_CPU,
    OBSERVER_STALLS,
    CPU_STEAL,
)
_OBSERVER = "observer"
_SILENT = "read logs/swarm-*.log of the run: each swarm process writes to swarm.jsonl each second"
_SHARED_CORE = "give the swarm a core of its own (cpusets, taskset), or set a lower --rate"


def check_self_monitoring(case: CheckContext) -> Iterator[Check]:
    """Checks of the harness's samples of itself in the measured phase."""
    if not case.run.kept and not case.analysis.instruments.self_monitoring.samples:
        yield SELF_MONITORING_COMPLETE.not_applicable(
            NotApplicable.NOT_RECORDED, "this run kept no samples of the harness itself"
        )
        return
    figures = case.measurement.vitals
    yield _kept(case, figures)
    if figures is not None:
        yield _generator_core(case, figures)
        yield _generator_awake(case, figures)
        yield _observer_core(case, figures)
        yield _observer_awake(case, figures)
        yield _steal(figures)


def describe_swarm_usage(case: CheckContext) -> str:
    """CPU use of the swarm's processes, as a possible cause; empty when unknown."""
    figures = case.measurement.vitals
    return "; ".join(_format_usage(one) for one in _swarm_of(figures)) if figures else ""


def describe_observer_usage(case: CheckContext) -> str:
    """The same of the observer."""
    figures = case.measurement.vitals
    found = figures.process(_OBSERVER) if figures else None
    if figures is None or found is None:
        return ""
    stopped = (
        f", it was stopped in {found.stopped} of {found.looks} samples" if found.stopped else ""
    )
    return _format_usage(found) + stopped


def _kept(case: CheckContext, figures: SelfMonitoringFigures | None) -> Check:
    vitals = case.analysis.instruments.self_monitoring
    problems = [
        Problem(
            f"{format_count(n, 'line')} of {name} unreadable",
            f"keep room on the disk of --reports, and let nothing else write to {name}",
        )
        for name, n in vitals.invalid_lines.items()
    ]
    if figures is None:
        message = f"fewer than two samples of the measured phase, {len(vitals.samples)} of the run"
        hint = "let nothing stop the main process or remove vitals.jsonl; it has a line each second"
        return SELF_MONITORING_COMPLETE.valid_unless([*problems, Problem(message, hint)], "")
    if figures.gap_max_ns > SELF_MONITORING_GAP_MAX_NS:
        message = (
            f"no sample of the harness's own processes for {format_duration(figures.gap_max_ns)},"
            f" {format_duration(SELF_MONITORING_GAP_MAX_NS)} is allowed"
        )
        hint = host_advice(case) or (
            "let nothing stop the main process (SIGSTOP, suspend), and keep room on the disk"
        )
        problems.append(Problem(message, hint))
    host = figures.host
    good = (
        f"{format_count(figures.samples, 'sample')}: {format_count(host.cores, 'core')}"
        f" {format_share(host.busy_share)}"
        f" busy, {format_share(host.harness_share)} with the harness itself"
    )
    return SELF_MONITORING_COMPLETE.valid_unless(problems, good, {"busy_share": host.busy_share})


def _generator_core(case: CheckContext, figures: SelfMonitoringFigures) -> Check:
    swarm, problems = _swarm_of(figures), list[Problem]()
    if len(swarm) < case.plan.load.processes:
        wanted = format_count(case.plan.load.processes, "swarm process", "swarm processes")
        hint = "read logs/swarm-*.log of the run for why a process ended"
        problems.append(Problem(f"samples of {len(swarm)} of {wanted}", hint))
    for one in swarm:
        if one.cpu_share >= CORE_SHARE_MAX:
            message = (
                f"{one.name} was saturated: it computed for {format_share_of_second(one.cpu_share)}"
                f" of each second, {format_share_of_second(CORE_SHARE_MAX)} is the limit;"
                " use more load.processes"
            )
            problems.append(Problem(message, generator_advice(case)))
        if one.wait_share is not None and one.wait_share >= SWARM_WAIT_SHARE_MAX:
            message = (
                f"{one.name} was starved: it waited for a core for"
                f" {format_share_of_second(one.wait_share)}"
                f" of each second, at worst {format_share_of_second(_worst(one))} of one,"
                f" {format_share_of_second(SWARM_WAIT_SHARE_MAX)} is the limit"
            )
            problems.append(Problem(message, host_advice(case) or _SHARED_CORE))
    good = "; ".join(_format_usage(one) for one in swarm)
    return GENERATOR_CPU.valid_unless(problems, good, _core_figures(swarm))


def _generator_awake(case: CheckContext, figures: SelfMonitoringFigures) -> Check:
    longest_ns = max((one.wake_late_max_ns for one in figures.swarm), default=0)
    stalled = max((one.stalled_share for one in figures.swarm), default=0.0)
    most_ns = STALL_LONGEST.of(case.scenario)
    message = [] if figures.swarm else ["the swarm's watchdog reported nothing"]
    if longest_ns >= most_ns:
        message.append(
            f"the swarm overslept by {format_duration(longest_ns)} when it should have been awake,"
            f" {format_duration(most_ns)} is the limit; {STALL_LONGEST.reason}"
        )
    if stalled >= STALLED_SHARE_MAX:
        message.append(
            f"the swarm was not awake for {format_share(stalled)} of the time,"
            f" {format_share(STALLED_SHARE_MAX)} is the limit"
        )
    good = (
        f"the swarm woke at most {format_duration(longest_ns)} late, {format_duration(most_ns)}"
        " is the limit"
    )
    return GENERATOR_STALLS.valid_unless(
        [Problem(one, generator_advice(case) if figures.swarm else _SILENT) for one in message],
        good,
        {"wake_late_max_ns": longest_ns, "stalled_share": stalled, "limit_ns": most_ns},
    )


def _observer_core(case: CheckContext, figures: SelfMonitoringFigures) -> Check:
    found = figures.process(_OBSERVER)
    if found is None:
        missing = Problem("no sample of the observer", "read logs/observer.log for why it ended")
        return OBSERVER_CPU.valid_unless([missing], "")
    problems = []
    if found.cpu_share >= CORE_SHARE_MAX:
        message = (
            "the observer was saturated: it computed for"
            f" {format_share_of_second(found.cpu_share)} of each"
            f" second, {format_share_of_second(CORE_SHARE_MAX)} is the limit"
        )
        problems.append(Problem(message, observer_advice(case)))
    return OBSERVER_CPU.valid_unless(problems, _format_usage(found), _core_figures([found]))


def _observer_awake(case: CheckContext, figures: SelfMonitoringFigures) -> Check:
    status, found, message = figures.observer, figures.process(_OBSERVER), list[str]()
    if found is not None and found.stopped:
        message.append(
            f"the observer was stopped (SIGSTOP, or a debugger) in {found.stopped}"
            f" of {format_count(found.looks, 'sample')}"
        )
    if status.words < 2:
        message.append("the observer reported nothing")
    if status.silent_max_ns > HEARTBEAT_GAP_MAX_NS:
        message.append(
            f"the observer was silent for {format_duration(status.silent_max_ns)},"
            f" it reports every second and {format_duration(HEARTBEAT_GAP_MAX_NS)} is the limit"
        )
    if status.behind_max_bytes > REPLICATION_LAG_MAX_BYTES:
        message.append(
            f"the observer had {status.behind_max_bytes:,} bytes of replication lag,"
            f" {REPLICATION_LAG_MAX_BYTES:,} is the limit"
        )
    good = (
        f"silent for {format_duration(status.silent_max_ns)} at most,"
        f" never more than {status.behind_max_bytes:,} bytes of replication lag"
    )
    return OBSERVER_STALLS.valid_unless(
        [Problem(one, observer_advice(case)) for one in message],
        good,
        {"silent_max_ns": status.silent_max_ns, "behind_max_bytes": status.behind_max_bytes},
    )


def _steal(figures: SelfMonitoringFigures) -> Check:
    host = figures.host
    message = (
        f"the hypervisor used {format_share(host.steal_share)} of the cores' time,"
        f" at worst {format_share(host.steal_share_max)} of a second"
    )
    limit = f"{format_share(STEAL_SHARE_MAX)} is the limit: the system had less than this host"
    problems = (
        [Problem(f"{message}; {limit}", OTHER_HOST)] if host.steal_share >= STEAL_SHARE_MAX else []
    )
    return CPU_STEAL.valid_unless(problems, message, {"steal_share": host.steal_share})


def _swarm_of(figures: SelfMonitoringFigures) -> list[ProcessFigures]:
    return [one for one in figures.processes if one.name.startswith("swarm-")]


def _format_usage(one: ProcessFigures) -> str:
    computed = f"of each second {one.name} computed for {format_share_of_second(one.cpu_share)}"
    if one.wait_share is None:
        return f"{computed} (this kernel does not report how long it waited for a core)"
    return (
        f"{computed} and waited for a core for {format_share_of_second(one.wait_share)},"
        f" at worst for {format_share_of_second(_worst(one))}"
    )


def _worst(one: ProcessFigures) -> float:
    return max(one.wait_share or 0.0, one.wait_share_max or 0.0)


def _core_figures(processes: list[ProcessFigures]) -> dict[str, Figure]:
    return {
        "cpu_share": max((one.cpu_share for one in processes), default=None),
        "wait_share": max((one.wait_share or 0.0 for one in processes), default=None),
    }
