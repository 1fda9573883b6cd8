"""The signals and the time that an objective speaks of."""

from __future__ import annotations

import re

from harness.analysis.faults.baseline_slice import baseline_cell, baseline_duration_ns
from harness.analysis.faults.fault_windows import FaultWindow
from harness.analysis.recorder import Cell, CellKey, Metric, StageKey
from harness.clock import NS_PER_S
from harness.evidence.records import Mode
from harness.judge.check import CheckContext, CheckKind, CheckSpec
from harness.scenario import Objective, Phase


def cells_of(case: CheckContext, objective: Objective) -> dict[Mode, Cell]:
    """The signals that an objective speaks of, by mode."""
    analysis, stage = case.analysis, objective.stage
    if stage is not None:
        cells = {mode: analysis.signals.stage_cells.get(StageKey(stage, mode)) for mode in Mode}
    else:
        cells = {mode: analysis.signals.cells.get(CellKey(Phase.MEASURE, mode)) for mode in Mode}
    found = {mode: cell for mode, cell in cells.items() if cell and cell.account.ordinary}
    if not objective.outside_faults:
        return found
    apart, t0_ns = excluded_windows(case, objective), analysis.timeline.t0_ns
    metric = Metric(objective.metric)
    cut = {mode: baseline_cell(cell, apart, t0_ns) for mode, cell in found.items()}
    return {mode: cell for mode, cell in cut.items() if len(cell.series.get(metric, ()))}


def excluded_windows(case: CheckContext, objective: Objective) -> tuple[FaultWindow, ...]:
    """The time that an objective does not speak of; its cell has no such time."""
    return case.analysis.faults.windows if objective.outside_faults else ()


def stretches_ns(case: CheckContext, objective: Objective) -> list[tuple[int, int]]:
    """The stages that an objective speaks of, after t0."""
    timeline = case.analysis.timeline
    if objective.stage is None:
        return timeline.stretches_ns(timeline.numbers(Phase.MEASURE))
    return timeline.stretches_ns(case.plan.load.stage_numbers(objective.stage))


def measured_ns(case: CheckContext, objective: Objective) -> int:
    """How much time an objective speaks of."""
    t0_ns = case.analysis.timeline.t0_ns
    return baseline_duration_ns(
        stretches_ns(case, objective), excluded_windows(case, objective), t0_ns
    )


def mode_name(objective: Objective, mode: Mode, *, several: bool) -> str:
    """An objective's text, with the mode where there are several."""
    return f"{objective.text} ({mode.name.lower()})" if several else objective.text


def objective_spec(
    objective: Objective, mode: Mode | None = None, *, several: bool = False
) -> CheckSpec:
    """What checks an objective.

    Args:
        objective: from the scenario.
        mode: of the signals that are checked; None for all together.
        several: whether the objective has a check for each mode.
    """
    own = mode.name.lower() if mode is not None and several else objective.mode or ""
    return CheckSpec(
        id=objective_id(objective, own),
        name=f"{objective.text} ({own})" if several else objective.text,
        kind=CheckKind.OBJECTIVE,
        objective=objective.text,
        mode=own,
    )


def objective_id(objective: Objective, mode: str) -> str:
    """The id of an objective's check: what it measures, without the limit.

    `latency_p99`, `lateness_max`, `latency_p99_9_over_10s`, `service_p50_stage_peak_full`,
    `rejected_share`, `recovery_time`, `recovery_time_over_5s_stage_spike`, `memory_growth`.

    Args:
        objective: from the scenario.
        mode: "lite", "full", or empty for all signals together.
    """
    parts: list[str] = [objective.metric]
    if objective.limit_share is not None:
        parts.append("share")
    elif objective.limit_bytes_per_h is not None:
        pass  # its name ends in what it measures
    elif objective.percentile is None:
        parts.append("time")
    else:
        parts.append("max" if objective.percentile == 100.0 else f"p{objective.percentile:.12g}")
    if objective.window_ns is not None:
        parts.append(f"over {objective.window_ns / NS_PER_S:.12g}s")
    if objective.stage is not None:
        parts.append(f"stage {objective.stage}")
    parts += [mode, "outside faults" if objective.outside_faults else ""]
    return "_".join(re.findall("[a-z0-9]+", " ".join(parts).lower()))


def format_signal_kind(objective: Objective) -> str:
    """The kind of signal that an objective speaks of."""
    mode = f"{objective.mode} " if objective.mode else ""
    return f"{mode}signal{format_exclusion(objective)}"


def format_exclusion(objective: Objective) -> str:
    """Words for what an objective leaves out; empty for nothing."""
    return " outside of the windows of faults" if objective.outside_faults else ""


def no_signal_hint(objective: Objective) -> str:
    """What to change where there is no signal of that kind."""
    if objective.outside_faults:
        return "measure for longer (--duration), so that signals lie outside the faults"
    if objective.stage is not None:
        return f"set a higher rate or a longer duration_s of stage {objective.stage}"
    if objective.mode is None:
        return "set a higher --rate or a longer --duration, and signals.stale_share below 1"
    share = "above 0" if objective.mode == "full" else "below 1"
    return f"set signals.full_share {share}, so that there are {objective.mode} signals"
