"""`last:N` of a history: the newest runs of the other side's question, by their folders or lines.

A run whose folder is still in the folder of reports is read in full. Where one of them is gone,
both sides are compared by their lines: the percentiles of their objectives, without stages and
resources, which no line has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.analysis.comparison import RunValue
from harness.assessment.compared_figures import PercentileKey, is_comparable
from harness.assessment.compared_run import ComparedRun
from harness.assessment.comparison import RunSet, UnreadRun
from harness.assessment.fingerprint import Fingerprint
from harness.assessment.run_sources import (
    folders_of,
    is_run,
    newest_count,
    read_each,
    read_runs,
)
from harness.errors import EvidenceError, UsageError
from harness.evidence.history import HistoryLine, Metric, read_history
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from harness.report.history import read_run
from harness.scenario import Objective, parse_objective

_HINT = "harness trend --history lists the runs of a history"
_MODE = re.compile(r" \((?P<mode>\w+)\)$")
# What makes a run of the history one of the other side's series, unless it may differ.
_SERIES = ("stack", "system", "contract", "host")


def runs_with_history(
    base: str, new: str, reports: Path, histories: Sequence[Path], allowed: Collection[str]
) -> tuple[RunSet, RunSet]:
    """The runs of both sides, of which one is `last:N` of the histories.

    Args:
        base: source of BASE.
        new: source of NEW.
        reports: where the folders of the runs may still be.
        histories: files or folders.
        allowed: aspects in which the runs may differ.

    Raises:
        UsageError: neither or both are `last:N`, a source has no run, or a history is missing.
        EvidenceError: a history cannot be read.
    """
    counts = newest_count(base), newest_count(new)
    if (counts[0] is None) == (counts[1] is None):
        raise UsageError(
            "is about one side, which is last:N", where="--history", hint="BASE is mostly last:7"
        )
    last, other = (base, new) if counts[0] is not None else (new, base)
    paths = folders_of(other)
    others = _lines_of(other, paths)
    lines = _newest(
        last, counts[0] or counts[1] or 0, read_history(histories).lines, others, allowed
    )
    folders = [reports / line.run_id for line in lines]
    if all(is_run(folder) for folder in folders):
        found, rest = read_runs(last, folders), read_runs(other, paths)
    else:
        found = RunSet(last, tuple(_compared(line) for line in lines))
        rest = RunSet(other, tuple(_compared(one) for one in others.lines), others.unread)
    return (found, rest) if last == base else (rest, found)


class _Lines(NamedTuple):
    """The lines of stored runs, and those that have none."""

    lines: tuple[HistoryLine, ...]
    unread: tuple[UnreadRun, ...]


def _lines_of(source: str, paths: Sequence[Path]) -> _Lines:
    lines, unread = read_each(paths, _verified_line)
    if not lines:
        raise UsageError(
            "no run can be read, so the question is not known",
            where=source,
            hint="harness judge makes the result of a run",
        )
    return _Lines(tuple(lines), tuple(unread))


def _verified_line(folder: RunFolder) -> HistoryLine:
    run = read_run(folder, 0)
    if run.unverified:
        raise EvidenceError(f"its result {run.unverified}")
    return run.line


def _newest(
    source: str,
    count: int,
    lines: Sequence[HistoryLine],
    others: _Lines,
    allowed: Collection[str],
) -> list[HistoryLine]:
    """The newest lines of the other side's question, without the other side's own runs.

    Raises:
        UsageError: there is none; what differs is named.
    """
    first = others.lines[0]
    known = {one.run_id for one in others.lines} | {one.run_id for one in others.unread}
    of_question = [
        line
        for line in lines
        if line.run_id not in known and (line.question == first.question or "question" in allowed)
    ]
    aspects = [name for name in _SERIES if name not in allowed]
    found = [
        line
        for line in of_question
        if all(getattr(line, name) == getattr(first, name) for name in aspects)
    ]
    if not found:
        differ = sorted(
            {
                name
                for line in of_question
                for name in aspects
                if getattr(line, name) != getattr(first, name)
            }
        )
        raise UsageError(
            f"the history has {len(of_question)} other runs of the question of {first.run_id},"
            f" all of another {' or '.join(differ)}"
            if differ
            else f"the history has no other run of the question of {first.run_id}",
            where=source,
            hint=f"--allow-different {','.join(differ)}, if that is meant" if differ else _HINT,
        )
    return found[-count:]


def _compared(line: HistoryLine) -> ComparedRun:
    """A run as its line tells of it."""
    percentiles = dict(_percentiles(line.metrics))
    objectives = [found for metric in line.metrics if (found := _objective(metric)) is not None]
    invalid = line.verdict == Verdict.INVALID.value
    return ComparedRun(
        run_id=line.run_id,
        scenario=line.scenario,
        verdict=Verdict(line.verdict),
        commit=f"{line.commit[:12]}{'+' if line.modified else ''}",
        invalid=line.verdict if invalid else "",
        fingerprint=_fingerprint(line),
        objective=objectives[0] if objectives else parse_objective("p99 < 1 s"),
        percentiles=percentiles,
    )


def _fingerprint(line: HistoryLine) -> Fingerprint:
    return {
        "question": {"fingerprint": line.question},
        "stack": {"kind": line.stack},
        "images": {**line.images, "system": line.system},
        "host": {"fingerprint": line.host, "description": line.host_text},
        "contract": {"fingerprint": line.contract},
    }


def _objective(metric: Metric) -> Objective | None:
    """The percentile that a metric is about; None where it is about something else."""
    try:
        found = parse_objective(_MODE.sub("", metric.objective))
    except ValueError:
        return None
    return found if is_comparable(found) else None


def _percentiles(metrics: Sequence[Metric]) -> Iterator[tuple[PercentileKey, RunValue]]:
    """Without an upper bound the percentile may lie anywhere above its lower one."""
    for metric in metrics:
        objective, own = _objective(metric), _MODE.search(metric.objective)
        if objective is None or objective.percentile is None:
            continue
        mode = own["mode"] if own else objective.mode or ""
        key = PercentileKey(objective.metric, objective.percentile, mode)
        if metric.estimate and metric.upper:
            yield key, RunValue(metric.estimate)
        elif lower := metric.lower or metric.estimate:
            yield key, RunValue(lower, is_lower_bound=True)
