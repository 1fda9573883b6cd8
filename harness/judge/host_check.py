"""The check of the run for interference by other programs or guests of the host."""

from __future__ import annotations

from collections.abc import Sequence

from harness.formatting import format_count
from harness.judge.advice import interference_advice
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, Figure, Problem
from harness.judge.host_interference import RUNS, format_interference, host_interference
from harness.judge.host_runs import run_counts
from harness.judge.inconclusive import HOST, inconclusive_checks

HOST_INTERFERENCE = CheckSpec(
    "host_interference",
    "no host interference",
    CheckKind.VALIDITY,
    invalid="an objective of latency or service time is missed. The signals of seconds in which no"
    ' other program used cores, storage or steal could meet it ("Others on the host" below). The'
    " system was not what was slow. The same of shares that are missed while other runs of a"
    " harness left no core idle",
)
_UNKNOWN = "not known: telemetry has no figures of other programs of this host"


def check_host(case: CheckContext, before: Sequence[Check]) -> Check:
    """No other program used cores or storage that a missed objective would have needed.

    Interference with a run that meets its objectives is only reported.

    Args:
        case: the run.
        before: the objectives, checked.
    """
    found = host_interference(case)
    excused = inconclusive_checks(before, HOST)
    message = format_interference(found) or "no other program used what the system lacked"
    if "host.foreign_cores" not in case.telemetry().time_series and not found:
        message = _UNKNOWN
    runs = run_counts(case)
    is_known = any(one.resource == RUNS for one in found)
    if not is_known and (samples := sum(number > 0 for number in runs)):
        message += (
            f"; {format_count(max(runs), 'other run')} of a harness under way on this host in"
            f" {format_count(samples, 'sample')} of {len(runs)}: they interfere with"
            " each other"
        )
    if excused:
        message += f"; {', '.join(excused)} cannot be held against the system alone"
    problems = [Problem(message, interference_advice(found))] if excused else []
    figures: dict[str, Figure] = {f"{one.resource}_looks": len(one.spans_s) for one in found}
    return HOST_INTERFERENCE.valid_unless(problems, message, figures)
