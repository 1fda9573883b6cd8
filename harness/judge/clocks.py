"""Whether stamps can be brought from one clock to another, for as long as the run lasted."""

from __future__ import annotations

from harness.judge.check import Case, Check, Kind
from harness.judge.limits import HOST_STEP_MAX_NS, OBSERVER_P99
from harness.judge.verdict import Verdict
from harness.judge.words import count, duration
from harness.measure.gather import POSTGRES
from harness.measure.measurement import ClockFigures
from harness.measure.vitals import HOST

_STEADY = "clocks steady"
_PROBED = "clocks probed around the load"


def check_clocks(case: Case) -> tuple[Check, Check]:
    """That no clock stepped, and that PostgreSQL's was looked at before, during and after."""
    return _steady(case), _probed(case)


def _steady(case: Case) -> Check:
    problems = [words for clock in case.measurement.clocks if (words := _step(clock))]
    said = "; ".join(
        f"{clock.server} known to {duration(clock.error_ns)}"
        for clock in case.measurement.clocks
        if clock.server != HOST
    )
    return _check(_STEADY, problems, said or "no clock was probed")


def _step(clock: ClockFigures) -> str:
    """What to say of a clock that stepped; empty for one that did not."""
    if clock.server == HOST:
        if clock.step_max_ns <= HOST_STEP_MAX_NS:
            return ""
        return (
            f"the wall clock of this host stepped {count(clock.steps, 'time')},"
            f" by {duration(clock.step_max_ns)}: stamps from before and after do not compare"
        )
    if not clock.steps:
        return ""
    return (
        f"{clock.server}'s clock stepped {count(clock.steps, 'time')},"
        f" by {duration(clock.step_max_ns)} more than error and drift explain"
    )


def _probed(case: Case) -> Check:
    clocks = {clock.server: clock for clock in case.measurement.clocks}
    if POSTGRES not in clocks:
        return _check(_PROBED, ["PostgreSQL's clock was never probed"], "")
    told = {
        name: f"{name} {clock.before} before, {clock.during} during, {clock.after} after"
        for name, clock in clocks.items()
        if name != HOST
    }
    own = clocks[POSTGRES]
    # Commit times stand behind checks of their own. Redis's clock splits no stage: what is known
    # of it is told.
    problems = (
        []
        if own.before and own.after
        else [f"{told[POSTGRES]}: beyond its probes nobody knows how a clock went"]
    )
    if own.error_ns > (most_ns := OBSERVER_P99.of(case.scenario)):
        problems.append(
            f"PostgreSQL's clock is known to +-{duration(own.error_ns)} only,"
            f" {duration(most_ns)} is the limit"
        )
    return _check(_PROBED, problems, "; ".join(told.values()))


def _check(name: str, problems: list[str], good: str) -> Check:
    return Check(
        name=name,
        kind=Kind.VALIDITY,
        verdict=Verdict.INVALID if problems else Verdict.PASS,
        said="; ".join(problems) or good,
    )
