"""The check of the run that tells what others took of the host."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.advice import disturbed_advice
from harness.judge.check import Case, Check, Figure, Problem, validity_check
from harness.judge.host import host_disturbed, host_words
from harness.judge.undecided import HOST, left_undecided
from harness.judge.words import count

_UNKNOWN = "not known: telemetry has no figures of other programs of this host"


def check_host(case: Case, before: Sequence[Check]) -> Check:
    """That nobody else took cores or storage of which a missed promise would have had need.

    A promise that is kept beside others is kept: then it is only told.

    Args:
        case: the run.
        before: the objectives, checked.
    """
    found = host_disturbed(case)
    excused = left_undecided(before, HOST)
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
    problems = [Problem(said, disturbed_advice(found))] if excused else []
    figures: dict[str, Figure] = {f"{one.resource}_looks": len(one.spans_s) for one in found}
    return validity_check("host resources free", problems, said, figures)
