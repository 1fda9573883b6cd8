"""A search of the capacity, for a terminal: a line for each trial, then the result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.capacity.trials import Answer, EndReason, Purpose, SearchPlan, TrialRequest
from harness.assessment.capacity import CapacityResult, LatencyFigures, TrialFigures
from harness.assessment.capacity_folder import CapacityProgress
from harness.clock import NS_PER_S
from harness.diagnosis.answers import Answer as Found
from harness.formatting import (
    format_count,
    format_duration_fixed,
    format_number,
    format_percent,
)
from harness.report.terminal import VERDICT_STYLES
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis

PURPOSES = {
    Purpose.BRACKET: "bracket",
    Purpose.BISECT: "bisect",
    Purpose.CONFIRM_MET: "confirm",
    Purpose.CONFIRM_BROKEN: "confirm above",
}
_ANSWER_STYLES = {
    Answer.MET: "green",
    Answer.BROKEN: "red",
    Answer.UNDECIDED: "yellow",
    Answer.INVALID: "magenta",
}
_SHOWN_SERVICES = 2


def format_level(level: float | None, axis: CapacityAxis) -> str:
    """`540/s`, `50 agents`, `12.5 %`; a dash for None."""
    if level is None:
        return "-"
    if axis is CapacityAxis.RATE:
        return f"{level:,.6g}/s" if level < 1e6 else f"{level:,.0f}/s"
    if axis is CapacityAxis.AGENTS:
        return format_count(round(level), "agent")
    return f"{100 * level:.4g} %"


def trial_heads(facts: CapacityProgress, scenario: Scenario, path: Path) -> Iterator[str]:
    """The lines before the first trial of a call."""
    yield f"search {path.name}: {facts.axis} of {scenario.name}, {facts.stack.kind} stack"
    yield _plan_text(facts.plan, facts.axis)
    yield "objectives: " + ", ".join(one.text for one in scenario.parsed_objectives())
    if facts.trials:
        yield f"{format_count(len(facts.trials), 'earlier trial')} kept"
    yield f"{'trial':>5}  {'level':<12}  {'purpose':<13}  {'answer':<9} {'P99':>8}  {'took':>6}"


def _plan_text(plan: SearchPlan, axis: CapacityAxis) -> str:
    return (
        f"from {format_level(plan.minimum, axis)} to {format_level(plan.maximum, axis)},"
        f" width {format_percent(plan.width)},"
        f" {plan.confirmations} x {plan.confirmation_s:g} s to confirm"
    )


def begin_line(request: TrialRequest, axis: CapacityAxis) -> str:
    """The first part of a trial's line."""
    level, purpose = format_level(request.level, axis), PURPOSES[request.purpose]
    return f"{request.number:>5}  {level:<12}  {purpose:<13}  "


def end_line(figures: TrialFigures) -> str:
    """The rest of it."""
    deciding = figures.deciding
    estimate = format_duration_fixed(deciding.estimate_ns if deciding else None)
    why = f"  {_why(figures)}" if figures.answer is not Answer.MET else ""
    return f"{figures.answer:<9} {estimate:>8}  {figures.elapsed_s:>4.0f} s{why}"


def _why(figures: TrialFigures) -> str:
    """In a few words: the check that decided it."""
    if figures.is_backlog_stable is False:
        return f"backlog +{format_number(figures.backlog_growth or 0.0)}/s"
    return figures.reasons[0].partition(":")[0] if figures.reasons else ""


def headline(result: CapacityResult) -> str:
    """The result in one sentence: `capacity 540/s (520/s-560/s): engine CPU at 96 % ...`."""
    axis, bounds, plan = result.axis, result.bounds, result.plan
    low = bounds.proven_met if bounds.proven_met is not None else bounds.met
    limit = f": {result.bottleneck.message}" if result.bottleneck else ""
    highest, lowest = format_level(plan.maximum, axis), format_level(plan.minimum, axis)
    if result.reason is EndReason.NEVER_MET:
        return f"the objectives are not met at {lowest} either{limit}"
    if result.reason is EndReason.NEVER_BROKEN:
        return f"capacity at least {format_level(low, axis)}: not broken up to {highest}"
    if low is None and bounds.broken is None:
        return f"capacity not known: {reason_text(result)}"
    if bounds.broken is None:
        return f"capacity at least {format_level(low, axis)}: {reason_text(result)}"
    if low is None:
        return f"capacity below {format_level(bounds.broken, axis)}{limit}: {reason_text(result)}"
    proven = "" if bounds.proven_met is not None else ", the lower bound not confirmed"
    span = f"({format_level(low, axis)}-{format_level(bounds.broken, axis)}{proven})"
    return f"capacity {_estimate(result)} {span}{limit}"


def _estimate(result: CapacityResult) -> str:
    """The best estimate, no more exact than the width that was asked for."""
    estimate = result.bounds.estimate
    rounded = None if estimate is None else result.plan.within(estimate)
    return format_level(rounded, result.axis)


def reason_text(result: CapacityResult) -> str:
    """Why the search ended."""
    if result.reason is None:
        return "the search has not ended"
    return {
        EndReason.FOUND: "the bounds are confirmed and as close as asked for",
        EndReason.UNDECIDED: "trials between the bounds stayed undecided",
        EndReason.NEVER_MET: "no level meets the objectives",
        EndReason.NEVER_BROKEN: "no level breaks them",
        EndReason.OUT_OF_TIME: "the time budget is over",
        EndReason.INTERRUPTED: "interrupted",
        EndReason.TRIALS_EXHAUSTED: f"{result.plan.trials_max} trials are the most",
        EndReason.TOO_MANY_INVALID: f"one level was INVALID too often{_latest_check(result)}",
    }[result.reason]


def _latest_check(result: CapacityResult) -> str:
    """The check that decided the latest trial, in brackets; empty without one."""
    reasons = result.trials[-1].reasons if result.trials else ()
    return f" ({reasons[0].partition(':')[0]})" if reasons else ""


def bound_rows(result: CapacityResult) -> tuple[tuple[str, str], ...]:
    """What is known of the capacity, by name."""
    bounds, axis = result.bounds, result.axis
    rows = [
        ("proven good", format_level(bounds.proven_met, axis)),
        ("proven bad", format_level(bounds.confirmed_broken, axis)),
        ("best estimate", _estimate(result)),
        ("largest with a stable backlog", format_level(bounds.stable, axis)),
        (
            f"operating, {format_percent(result.plan.headroom)} of proven good",
            format_level(bounds.operating, axis),
        ),
    ]
    return tuple(rows)


def format_interval(figures: LatencyFigures | None) -> str:
    """`412 ms (390-440)`, the bounds in the unit of their own; a dash without an estimate."""
    if figures is None or figures.estimate_ns is None:
        return "-"
    low, high = format_duration_fixed(figures.lower_ns), format_duration_fixed(figures.upper_ns)
    return f"{format_duration_fixed(figures.estimate_ns)} ({low}, {high})"


def format_use(trial: TrialFigures) -> str:
    """The services with the largest share of their quota, or else with the most CPU."""
    used = sorted(
        (one for one in trial.services if one.cpu_cores is not None),
        key=lambda one: (one.cpu_share is None, -(one.cpu_share or one.cpu_cores or 0.0)),
    )
    return ", ".join(
        f"{one.name} {format_percent(one.cpu_share)}"
        if one.cpu_share is not None
        else f"{one.name} {one.cpu_cores:.2f}"
        for one in used[:_SHOWN_SERVICES]
    )


def render_capacity(result: CapacityResult, path: Path) -> RenderableType:
    """Verdict, bounds, load-latency curve, diagnosis in its order, and the folder."""
    return Group(
        Text(),
        Text.assemble(
            (f" {result.verdict.name} ", VERDICT_STYLES[result.verdict]),
            ("  " + headline(result), "bold"),
        ),
        Text(f"  {reason_text(result)}; {_cost(result)}"),
        Text(),
        Padding(_bounds(result), (0, 0, 0, 2)),
        Text(),
        Text("load and latency", style="bold cyan"),
        Padding(_curve(result), (0, 0, 0, 2)),
        *_diagnosis(result),
        Text(),
        Text(f"grade: {result.grade.level}", style="dim"),
        Text(f"trials, result and report.html in {path}", style="dim"),
        Text(_next(result, path), style="dim"),
    )


def _cost(result: CapacityResult) -> str:
    return f"{format_count(len(result.trials), 'trial')}, {result.elapsed_s / 60:.1f} min"


def _next(result: CapacityResult, path: Path) -> str:
    if result.reason in (EndReason.INTERRUPTED, EndReason.OUT_OF_TIME, None):
        return f"go on with: harness capacity {path}"
    return f"judge again with: harness judge {path}"


def _bounds(result: CapacityResult) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in bound_rows(result):
        table.add_row(name, Text(value, style="bold"))
    return table


def _curve(result: CapacityResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(("level", "", "P50", "objective", "backlog", "CPU")):
        table.add_column(head, justify="left" if number in (1, 5) else "right")
    for trial in result.levels:
        growth = trial.backlog_growth
        table.add_row(
            format_level(trial.level, result.axis),
            Text(trial.answer.value, style=_ANSWER_STYLES[trial.answer]),
            format_duration_fixed(trial.p50_ns),
            format_interval(trial.deciding),
            "-" if growth is None else f"{growth:+.3g}/s",
            Text(format_use(trial)),
        )
    return table


def _diagnosis(result: CapacityResult) -> Iterator[RenderableType]:
    found = result.bottleneck
    if found is None:
        return
    yield Text()
    level = format_level(found.level, result.axis)
    yield Text(f"why {level} fails (run {found.run_id})", style="bold cyan")
    yield Text(f"  {found.message}")
    for question in found.diagnosis.questions if found.diagnosis else ():
        if question.answer is not Found.NO:
            yield Text(f"  {question.key}: {question.answer}: {question.message}")
            if question.advice:
                yield Text(f"    {question.advice}")


def seconds_text(value_s: float | None) -> str:
    """Seconds as a duration; a dash for None."""
    return format_duration_fixed(None if value_s is None else value_s * NS_PER_S)
