"""Whether timestamps can be mapped between clocks for the whole run."""

from __future__ import annotations

from harness.analysis.measurement import ClockFigures
from harness.analysis.resources.self_monitoring import HOST
from harness.analysis.run_analysis import POSTGRES
from harness.formatting import format_count, format_duration
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, Problem
from harness.judge.limits import HOST_STEP_MAX_NS, OBSERVER_P99

CLOCK_STABLE = CheckSpec(
    "clock_stable",
    "clocks stable",
    CheckKind.VALIDITY,
    invalid="a server's clock moves by more than error and 500 ppm explain, or the host's wall"
    " clock by 10 ms in a second. Stamps from before and after do not compare",
)
CLOCK_PROBED = CheckSpec(
    "clock_probed",
    "clocks probed around the load",
    CheckKind.VALIDITY,
    invalid="PostgreSQL's clock was not probed before the first and after the last signal, or is"
    " known too coarsely. Redis's splits no stage, so it is only reported",
)
_UNPROBED = (
    "run again with a PostgreSQL that accepts connections from before the load until after it"
)


def check_clocks(case: CheckContext) -> tuple[Check, Check]:
    """No clock stepped, and PostgreSQL's was probed before, during and after the load."""
    return _steady(case), _probed(case)


def _steady(case: CheckContext) -> Check:
    problems = [
        Problem(text, f"let nothing set the clock of {clock.server} (date, NTP steps) in a run")
        for clock in case.measurement.clocks
        if (text := _step(clock))
    ]
    message = "; ".join(
        f"{clock.server} known to {format_duration(clock.error_ns)}"
        for clock in case.measurement.clocks
        if clock.server != HOST
    )
    return CLOCK_STABLE.valid_unless(problems, message or "no clock was probed")


def _step(clock: ClockFigures) -> str:
    """The message for a clock that stepped; empty for one that did not."""
    if clock.server == HOST:
        if clock.step_max_ns <= HOST_STEP_MAX_NS:
            return ""
        return (
            f"the wall clock of this host stepped {format_count(clock.steps, 'time')},"
            f" by {format_duration(clock.step_max_ns)}: stamps from before and after do not compare"
        )
    if not clock.steps:
        return ""
    return (
        f"{clock.server}'s clock stepped {format_count(clock.steps, 'time')},"
        f" by {format_duration(clock.step_max_ns)} more than error and drift explain"
    )


def _probed(case: CheckContext) -> Check:
    clocks = {clock.server: clock for clock in case.measurement.clocks}
    if POSTGRES not in clocks:
        never = Problem("PostgreSQL's clock was never probed", _UNPROBED)
        return CLOCK_PROBED.valid_unless([never], "")
    probes = {
        name: f"{name} {clock.before} before, {clock.during} during, {clock.after} after"
        for name, clock in clocks.items()
        if name != HOST
    }
    own = clocks[POSTGRES]
    # Commit times rest on PostgreSQL's clock. Redis's splits no stage: it is only reported.
    problems = (
        []
        if own.before and own.after
        else [Problem(f"{probes[POSTGRES]}: the clock is not known beyond its probes", _UNPROBED)]
    )
    if own.error_ns > (most_ns := OBSERVER_P99.of(case.scenario)):
        message = (
            f"PostgreSQL's clock is known to +-{format_duration(own.error_ns)} only,"
            f" {format_duration(most_ns)} is the limit"
        )
        problems.append(
            Problem(
                message, "run the harness nearer to PostgreSQL: its round trip bounds the error"
            )
        )
    return CLOCK_PROBED.valid_unless(problems, "; ".join(probes.values()))
