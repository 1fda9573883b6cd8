"""The check of the run that tells what others took of the host."""

from __future__ import annotations

from harness.judge.check import Case, Check, Kind
from harness.judge.host import host_disturbed, host_words
from harness.judge.objectives import check_objectives
from harness.judge.undecided import HOST, UNDECIDED_BY
from harness.judge.verdict import Verdict
from harness.judge.words import count

_UNKNOWN = "not known: no telemetry tells what other programs of this host used"


def check_host(case: Case) -> Check:
    """That nobody else took cores or storage of which a missed promise would have had need.

    A promise that is kept beside others is kept: then it is only told.
    """
    found = host_disturbed(case)
    excused = (
        [check.name for check in check_objectives(case) if check.figures.get(UNDECIDED_BY) == HOST]
        if found
        else []
    )
    said = host_words(found) or "no other program used what the system lacked"
    if "host.foreign_cores" not in case.telemetry().tracks and not found:
        said = _UNKNOWN
    runs = case.telemetry().tracks.get("host.other_runs_count")
    if runs is not None and (looks := sum(value > 0 for value in runs.values)):
        most = round(max(runs.values))
        said += (
            f"; {count(most, 'other run')} of a harness under way on this host in"
            f" {count(looks, 'look')} of {len(runs.values)}: they disturb each other"
        )
    if excused:
        said += f"; {', '.join(excused)} cannot be held against the system alone"
    return Check(
        name="host resources free",
        kind=Kind.VALIDITY,
        verdict=Verdict.INVALID if excused else Verdict.PASS,
        said=said,
        figures={f"{one.resource}_looks": len(one.spans_s) for one in found},
    )
