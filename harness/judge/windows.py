"""Promises of a percentile over any stretch of so many seconds."""

from __future__ import annotations

from harness.clock import NS_PER_MS, NS_PER_S
from harness.judge.check import Case, Check, Kind
from harness.judge.host import host_was_disturbed
from harness.judge.time_had import some_had_less
from harness.judge.verdict import Verdict
from harness.judge.words import count, duration, percentile_word
from harness.measure.recorder import Cell, Metric
from harness.measure.windows import Census, Grid, take_census, windows_beyond
from harness.scenario import Objective


def check_windows(name: str, objective: Objective, cell: Cell, case: Case) -> Check:
    """Every window as it happened; nothing is inferred about others."""
    limit_ns, percentile = objective.limit_ns or 0, objective.percentile or 50.0
    metric = Metric(objective.metric)
    grid = Grid.of(case.plan.load.measured_stretches_ns(), objective.window_ns or NS_PER_S)
    found = take_census(cell.series[metric], grid, percentile, limit_ns)
    verdict, why = _verdict(found), ""
    if verdict is Verdict.PASS and (short := some_had_less(cell, metric, limit_ns)):
        verdict = Verdict.INCONCLUSIVE
        why = f"; {count(short, 'signal')} that never arrived had less time than the limit"
    if verdict is Verdict.FAIL and not _surely(objective, cell, grid):
        verdict = Verdict.INCONCLUSIVE
        why = "; by their commit times it could be met: the observer was too slow to tell"
        if not _beyond(objective, cell, grid, Metric.SERVICE):
            why = "; counted from their sending it could be met: the generator was too late to tell"
    if verdict is Verdict.FAIL and (host := host_was_disturbed(case, objective, cell)):
        verdict, why = Verdict.INCONCLUSIVE, f"; {host}"
    return Check(
        name=name,
        kind=Kind.OBJECTIVE,
        verdict=verdict,
        said=_words(objective, found, grid) + why,
        figures={
            "windows": found.windows,
            "windows_sparse": found.sparse,
            "windows_at_limit": found.at_limit,
            "worst_start_ns": found.worst.start_ms * NS_PER_MS if found.worst else None,
            "worst_ns": found.worst.value_ns if found.worst else None,
            "worst_signals": found.worst.signals if found.worst else None,
            "limit_ns": limit_ns,
        },
    )


def _verdict(found: Census) -> Verdict:
    if found.worst is None:
        return Verdict.INCONCLUSIVE
    return Verdict.FAIL if found.at_limit else Verdict.PASS


def _surely(objective: Objective, cell: Cell, grid: Grid) -> bool:
    """Whether some window breaks the limit also by the least that is known of each signal."""
    if objective.metric != "latency":
        return True
    if not _beyond(objective, cell, grid, Metric.SERVICE):
        return False
    committed = cell.series.get(Metric.COMMITTED)
    if committed is None or cell.account.commit_unknown:
        # Without commit times the sightings are all there is, if there are sightings.
        return not cell.histogram(Metric.UNSEEN).count
    return _beyond(objective, cell, grid, Metric.COMMITTED)


def _beyond(objective: Objective, cell: Cell, grid: Grid, metric: Metric) -> bool:
    """Whether some window breaks the limit by another measure of its signals too."""
    limit_ns, percentile = objective.limit_ns or 0, objective.percentile or 50.0
    signals, slow = cell.series[Metric.LATENCY], cell.series.get(metric)
    return slow is None or windows_beyond(signals, slow, grid, percentile, limit_ns) > 0


def _words(objective: Objective, found: Census, grid: Grid) -> str:
    rank = percentile_word(objective.percentile or 50.0)
    window_s = (objective.window_ns or 0) / NS_PER_S
    limit = f"the limit is {duration(objective.limit_ns)}"
    kind = f"{count(found.windows, 'window')} of {window_s:g} s"
    if found.worst is None:
        return (
            f"none of {kind} has enough signals for {rank}; {limit};"
            " raise the rate or the length of the window"
        )
    worst = found.worst
    said = (
        f"{rank} of {objective.metric} in the worst of {kind} is {duration(worst.value_ns)}"
        f" (from {worst.start_ms / 1_000:.2f} s on, {count(worst.signals, 'signal')}); {limit}"
    )
    if found.at_limit:
        said += f", which {count(found.at_limit, 'window')} did not keep"
    if found.sparse:
        said += f"; {found.sparse:,} had too few signals for {rank} and were not judged"
    return f"{said}; a window begins every {grid.step_ms / 1_000:g} s"
